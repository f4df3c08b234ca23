import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { signatureOf } from '../support/signed-source.ts'
import { expectProblem, expectUnharmed, kept, type Sent, server, viaEvents, viaIngress } from './surface.ts'

describe('bodies', () => {
  const bytes = (...parts: (string | number)[]) =>
    new Uint8Array(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part)))))
  const nested = (depth: number) => `{"id":"1","x":${'['.repeat(depth)}${']'.repeat(depth)}}`

  it.each<[string, Sent['body'], string]>([
    ['malformed', '{"id":"canary",}', 'malformed_json'],
    ['truncated', '{"id":"canary"', 'malformed_json'],
    ['with bytes after its end', '{"id":"canary"} x', 'malformed_json'],
    ['empty', '', 'malformed_json'],
    ['with a byte order mark', bytes(0xef, 0xbb, 0xbf, '{"id":"canary"}'), 'malformed_json'],
    ['with a comment', '{"id":"canary"/* */}', 'malformed_json'],
    ['with NaN', '{"id":"canary","x":NaN}', 'malformed_json'],
    ['in single quotes', "{'id':'canary'}", 'malformed_json'],
    ['with a bare NUL', bytes('{"id":"can', 0, 'ary"}'), 'malformed_json'],
    ['with a key twice', '{"id":"canary","id":"2"}', 'duplicate_key'],
    ['with a key twice, once escaped', '{"id":"canary","\\u0069d":"2"}', 'duplicate_key'],
    ['of 65 levels', nested(64), 'too_deep'],
    ['of 5,000 levels', nested(5_000), 'too_deep'],
    ['in invalid UTF-8', bytes('{"id":"canary', 0xff, '"}'), 'invalid_utf8'],
    ['in overlong UTF-8', bytes('{"id":"canary', 0xc0, 0xaf, '"}'), 'invalid_utf8'],
    ['with an encoded surrogate', bytes('{"id":"canary', 0xed, 0xa0, 0x80, '"}'), 'invalid_utf8'],
    ['with a lone surrogate', '{"id":"canary","x":"\\ud800"}', 'lone_surrogate'],
    ['with a number past every double', '{"id":"canary","x":1e400}', 'inexact_number'],
  ])('%s: 400, nothing written, nothing echoed', async (_name, body, code) => {
    const before = await kept()
    await expectProblem(await viaIngress({ body }), 400, code, 'canary')
    await expectProblem(await viaEvents({ body }), 400, code, 'canary')
    await expectUnharmed(before)
  })

  it('with more keys than an object may have: refused', async () => {
    const before = await kept()
    const body = JSON.stringify(Object.fromEntries(Array.from({ length: 10_001 }, (_, key) => [`k${key}`, 0])))
    const response = await viaEvents({ body })
    expect([400, 413]).toContain(response.status)
    await response.body?.cancel()
    await expectUnharmed(before)
  })

  it('with keys that JavaScript reads as more than data: kept as data, prototypes unchanged', async () => {
    const data =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"then":"x","toJSON":"y","hasOwnProperty":0}'
    const ids = ['a', 'b']
    const bodies = [
      await viaIngress({ body: `{"id":"proto-a","data":${data}}` }),
      await viaEvents({ body: `{"specversion":"1.0","id":"proto-b","source":"s","type":"t","data":${data}}` }),
    ]
    for (const [index, response] of bodies.entries()) {
      expect(response.status).toBe(202)
      const { event } = JSON.parse(await response.text())
      const kept = await (await fetch(`${server.url}/v1/events/${event.key}`)).text()
      expect(kept, ids[index]).toContain(data)
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(Reflect.get({}, 'then')).toBeUndefined()
    await expectUnharmed(await kept())
  })

  it('with integers past 2^53: another integer is a conflict', async () => {
    const send = (amount: string) => viaIngress({ body: `{"id":"big","amount":${amount}}` })
    expect(JSON.parse(await (await send('9007199254740992')).text()).outcome).toBe('accepted')
    expect(JSON.parse(await (await send('9007199254740993')).text()).outcome).toBe('conflict')
    expect(JSON.parse(await (await send('9007199254740992')).text()).outcome).toBe('duplicate')
  })

  it('with an escaped NUL in the data: kept as it is; in an id: refused', async () => {
    const before = await kept()
    const cloud = (id: string) =>
      viaEvents({ body: `{"specversion":"1.0","id":"${id}","source":"s","type":"t","data":"\\u0000"}` })
    expect((await cloud('nul')).status).toBe(202)
    await expectProblem(await cloud('a\\u0000b'), 400, 'invalid_event')
    await expectUnharmed(before + 1)
  })

  it.each([
    ['gzip', gzipSync('{"id":"bomb"}')],
    ['br', Buffer.from('x')],
    ['unheard-of', Buffer.from('x')],
  ])('compressed as %s: 415', async (encoding, body) => {
    const before = await kept()
    const response = await viaIngress({ body: new Uint8Array(body), headers: { 'content-encoding': encoding } })
    await expectProblem(response, 415, 'unsupported_media_type')
    await expectUnharmed(before)
  })
})

describe('an array of a million items', () => {
  const body = `{"id":"million","items":[${'0,'.repeat(999_999)}0]}`
  const send = (name: string, text: string) =>
    fetch(`${server.url}/in/${name}`, { method: 'POST', body: text, headers: { 'x-signature': signatureOf(text) } })

  it('is above the limit of most sources: 413', async () => {
    const before = await kept()
    await expectProblem(await send('shop', body), 413, 'too_large')
    await expectUnharmed(before)
  })

  it('is an event where a source allows it: kept whole, compared whole, and others are served', async () => {
    const before = await kept()
    expect(JSON.parse(await (await send('bulk', body)).text()).outcome).toBe('accepted')
    expect(JSON.parse(await (await send('bulk', body)).text()).outcome).toBe('duplicate')
    const other = await send('bulk', body.replace('0]', '1]'))
    const { outcome, event } = JSON.parse(await other.text())
    expect(outcome).toBe('conflict')
    const bytes = await fetch(`${server.url}/v1/events/${event.key}/body`)
    expect(await bytes.text()).toBe(body)
    await expectUnharmed(before + 1)
  })

  it('nested, and cut off, is refused as soon as it is read', async () => {
    const before = await kept()
    await expectProblem(await send('bulk', `${body.slice(0, -2)}`), 400, 'malformed_json')
    await expectProblem(await send('bulk', `{"id":"deep","x":${'[['.repeat(500_000)}`), 400, 'too_deep')
    await expectUnharmed(before)
  })
})

describe('ids', () => {
  const cloud = (id: string) =>
    viaEvents({ body: JSON.stringify({ specversion: '1.0', id, source: 'ids', type: 't', data: 1 }) })

  it('of 0 and 10,000 bytes: 400; of 1 and 255 bytes: taken', async () => {
    const before = await kept()
    await expectProblem(await cloud(''), 400, 'invalid_event')
    await expectProblem(await cloud('x'.repeat(10_000)), 400, 'invalid_event', 'xxx')
    await expectProblem(await cloud('ä'.repeat(128)), 400, 'invalid_event')
    expect((await cloud('x')).status).toBe(202)
    expect((await cloud('x'.repeat(255))).status).toBe(202)
    await expectUnharmed(before + 2)
  })

  it('that differ in a byte are two: case, composition, separators, dots', async () => {
    const before = await kept()
    const ids = ['a:b', 'A:b', 'a|b', '\u00e9', 'e\u0301', '../a', '%2e%2e/a', 'a b', '\u202eab']
    for (const id of ids) expect((await cloud(id)).status).toBe(202)
    await expectUnharmed(before + ids.length)
  })

  it('with a newline or another control character: 400', async () => {
    const before = await kept()
    for (const id of ['a\nb', 'a\rb', 'a\u0000', '\u0085']) await expectProblem(await cloud(id), 400, 'invalid_event')
    await expectUnharmed(before)
  })
})
