import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Stripe from 'stripe'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHapax, type Hapax } from '../src/index.ts'
import { systemClock } from '../src/kit/clock.ts'
import { type HapaxServer, listen } from '../src/server/server.ts'
import { stripe } from '../src/sources/index.ts'
import { FakeClock } from '../src/testing/index.ts'
import { RawConnection, rawRequest } from './support/raw-http.ts'
import { signatureOf, signedSource } from './support/signed-source.ts'

const secret = 'whsec_of_tests'
const folder = mkdtempSync(join(tmpdir(), 'hapax-bad-input-'))
let hapax: Hapax
let server: HapaxServer
/** The same Hapax behind short timeouts. */
let hasty: HapaxServer

beforeAll(async () => {
  hapax = await createHapax({
    store: `sqlite:${join(folder, 'hapax.db')}`,
    sources: [signedSource(), signedSource({ name: 'bulk', bodyBytes: 4_194_304 }), stripe({ secret })],
  })
  server = await listen(hapax, { port: 0 })
  hasty = await listen(hapax, { port: 0, headersTimeout: '200ms', requestTimeout: '400ms' })
})

afterAll(async () => {
  await Promise.all([server.close(), hasty.close()])
  await hapax.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** How many events are on record. */
const kept = async () => (await hapax.controls.counts()).events
/** How many requests were turned away for this reason. */
async function rejected(code: string): Promise<number> {
  const { rejected } = await hapax.controls.counts()
  return rejected.filter((one) => one.code === code).reduce((sum, { count }) => sum + count, 0)
}

/** Whatever came before: nothing is written, no bytes are held, and the next good event is taken. */
async function expectUnharmed(events: number): Promise<void> {
  expect(await kept()).toBe(events)
  expect(hapax.ingress.budget.heldBytes).toBe(0)
  const body = JSON.stringify({ id: `good-${events}`, type: 'paid' })
  const response = await fetch(`${server.url}/in/shop`, {
    method: 'POST',
    body,
    headers: { 'x-signature': signatureOf(body) },
  })
  expect(response.status).toBe(202)
  expect(await kept()).toBe(events + 1)
}

type Sent = { readonly body: string | Uint8Array<ArrayBuffer>; readonly headers?: Record<string, string> }

const viaIngress = ({ body, headers = {} }: Sent) =>
  fetch(`${server.url}/in/shop`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'x-signature': signatureOf(body), ...headers },
  })
const viaEvents = ({ body, headers = {} }: Sent) =>
  fetch(`${server.url}/v1/events`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/cloudevents+json', ...headers },
  })

async function expectProblem(response: Response, status: number, code: string, secret?: string): Promise<void> {
  const text = await response.text()
  expect({ status: response.status, code: JSON.parse(text).code }).toEqual({ status, code })
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(text).not.toContain('    at ')
  if (secret !== undefined) expect(text).not.toContain(secret)
}

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

describe('size', () => {
  const head = (fields: string) => `POST /in/shop HTTP/1.1\r\nhost: localhost\r\nx-signature: ab\r\n${fields}\r\n\r\n`

  it('declared above the limit: 413 before a byte of it is read', async () => {
    const before = await kept()
    const answer = await rawRequest(server.url, head('content-length: 10000000000'))
    expect(answer.status).toBe(413)
    expect(answer.head).toMatch(/^connection: close/im)
    await expectUnharmed(before)
  })

  it('chunked without an end: 413 at the limit, then the connection is closed', async () => {
    const before = await kept()
    const connection = await RawConnection.open(server.url)
    await connection.send(head('transfer-encoding: chunked'))
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    let answered = false
    const answer = connection.answer().then((found) => {
      answered = true
      return found
    })
    let sent = 0
    while (!answered && sent < 64) {
      await connection.send(chunk)
      sent += 1
    }
    expect((await answer).status).toBe(413)
    // Goes on sending for ever: is cut.
    while (!connection.isClosed) await connection.send(chunk)
    await expectUnharmed(before)
  })

  it('of the API: 413 too', async () => {
    const before = await kept()
    await expectProblem(await viaEvents({ body: `"${'x'.repeat(1_100_000)}"` }), 413, 'too_large')
    await expectUnharmed(before)
  })

  it.each([
    ['17 kB of headers', `x-long: ${'x'.repeat(17_000)}\r\n`],
    ['3,000 headers', 'a: b\r\n'.repeat(3_000)],
    ['150 headers', Array.from({ length: 150 }, (_, index) => `x-${index}: 1\r\n`).join('')],
  ])('%s: 431, closed', async (_name, fields) => {
    const before = await kept()
    for (const route of ['/in/shop', '/v1/events']) {
      const answer = await rawRequest(
        server.url,
        `POST ${route} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n${fields}\r\n`,
      )
      expect(answer.status).toBe(431)
      expect(JSON.parse(answer.body).code).toBe('headers_too_large')
    }
    await expectUnharmed(before)
  })
})

describe('framing', () => {
  const body = '{"id":"framed"}'
  const signature = signatureOf(body)

  it.each([
    ['two content-lengths', `content-length: ${body.length}\r\ncontent-length: 5\r\n`],
    ['two equal content-lengths', `content-length: ${body.length}\r\ncontent-length: ${body.length}\r\n`],
    ['content-length beside transfer-encoding', `content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n`],
    ['a content-length that is no number', 'content-length: 1e1\r\n'],
    ['a negative content-length', 'content-length: -1\r\n'],
    ['a folded header', `x-folded: a\r\n b\r\ncontent-length: ${body.length}\r\n`],
    ['a bare CR in a header', `x-cr: a\rb: c\r\ncontent-length: ${body.length}\r\n`],
    ['a NUL in a header', `x-nul: a\u0000b\r\ncontent-length: ${body.length}\r\n`],
    ['a space before the colon', `x-space : a\r\ncontent-length: ${body.length}\r\n`],
    ['no host', undefined],
  ])('%s: 400, closed', async (_name, fields) => {
    const before = await kept()
    const host = fields === undefined ? '' : 'host: localhost\r\n'
    const connection = await RawConnection.open(server.url)
    await connection.send(
      `POST /in/shop HTTP/1.1\r\n${host}x-signature: ${signature}\r\n${fields ?? `content-length: ${body.length}\r\n`}\r\n${body}`,
    )
    expect((await connection.answer()).status).toBe(400)
    await connection.closed()
    await expectUnharmed(before)
  })

  it('no HTTP at all: 400, closed', async () => {
    const before = await kept()
    const answer = await rawRequest(server.url, '\u0016\u0003\u0001\r\n\r\n')
    expect(answer.status).toBe(400)
    await expectUnharmed(before)
  })

  it('a sender that goes away in the middle leaves nothing', async () => {
    const before = await kept()
    const connection = await RawConnection.open(server.url)
    await connection.send(
      `POST /in/shop HTTP/1.1\r\nhost: localhost\r\nx-signature: ${signature}\r\ncontent-length: 99\r\n\r\n{"id`,
    )
    connection.destroy()
    await connection.closed()
    await expect.poll(() => hapax.ingress.budget.heldBytes).toBe(0)
    await expectUnharmed(before)
  })
})

describe('slow senders', () => {
  it.each([
    ['headers', 'POST /in/shop HTTP/1.1\r\nhost: loc'],
    ['bodies', 'POST /in/shop HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"id'],
    ['bodies of the API', 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"id'],
  ])('of %s are cut, while others are served', async (_name, start) => {
    const before = await kept()
    const connection = await RawConnection.open(hasty.url)
    await connection.send(start)
    const answer = await connection.answer()
    expect([408, undefined]).toContain(answer.status)
    await connection.closed()
    await expectUnharmed(before)
  })
})

describe('paths', () => {
  it.each([
    '/in/nobody',
    '/in/',
    '/in/shop/',
    '/in//shop',
    '/in/shop/../shop',
    '/in/../v1/events',
    '/in/%2e%2e',
    '/in/%00',
    '/in/shop%00',
    '/in/shop%2f',
    '/in/__proto__',
    '/in/constructor',
    '/in/SHOP',
    `/in/${'x'.repeat(5_000)}`,
  ])('%s: 404, the same as for any unknown source', async (path) => {
    const before = await kept()
    const body = '{"id":"path"}'
    const request = (target: string) =>
      rawRequest(
        server.url,
        `POST ${target} HTTP/1.1\r\nhost: localhost\r\nx-signature: ${signatureOf(body)}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
    const answer = await request(path)
    expect(answer.status).toBe(404)
    expect(answer.body).toBe((await request('/in/other')).body)
    await expectUnharmed(before)
  })
})

describe('signatures', () => {
  const body = '{"id":"signed","type":"paid"}'
  const good = signatureOf(body)

  it.each<[string, Record<string, string>, string, string]>([
    ['none', {}, body, 'signature_missing'],
    ['an empty one', { 'x-signature': '' }, body, 'signature_invalid'],
    ['a wrong one', { 'x-signature': signatureOf('other') }, body, 'signature_invalid'],
    ['a truncated one', { 'x-signature': good.slice(0, -1) }, body, 'signature_invalid'],
    ['one of a body with other white space', { 'x-signature': good }, `${body} `, 'signature_invalid'],
  ])('%s: 401, nothing written', async (_name, headers, sent, code) => {
    const before = await kept()
    const rejections = await rejected(code)
    const response = await fetch(`${server.url}/in/shop`, { method: 'POST', body: sent, headers })
    await expectProblem(response, 401, code)
    await expect.poll(() => rejected(code)).toBe(rejections + 1)
    await expectUnharmed(before)
  })
})

describe("a provider's timestamped signature", () => {
  const body = '{"id":"evt_timed","type":"payment_intent.succeeded","created":1,"data":{"object":{}}}'
  const send = (ageSeconds: number) =>
    fetch(`${server.url}/in/stripe`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({
          payload: body,
          secret,
          timestamp: Math.floor(systemClock.now() / 1_000) - ageSeconds,
        }),
      },
    })

  it.each([
    ['replayed after an hour', 3_600],
    ['replayed after ten years', 315_360_000],
    ['from an hour ahead', -3_600],
  ])('%s: 401, nothing written', async (_name, ageSeconds) => {
    const before = await kept()
    await expectProblem(await send(ageSeconds), 401, 'signature_stale')
    await expectUnharmed(before)
  })

  it('sent again within the tolerance: the same event', async () => {
    const outcomes: string[] = []
    for (const age of [0, 0, 60]) outcomes.push(JSON.parse(await (await send(age)).text()).outcome)
    expect(outcomes).toEqual(['accepted', 'duplicate', 'duplicate'])
  })
})

describe('clocks that jump', () => {
  it.each([
    ['an hour back', -3_600_000],
    ['a year ahead', 31_536_000_000],
    ['before 1970', -2_000_000_000_000],
  ])('%s: what came is still known, what comes has a key of its own', async (name, byMs) => {
    const clock = new FakeClock()
    const path = join(folder, `${name}.db`)
    const jumping = await createHapax({ store: `sqlite:${path}`, clock })
    const accept = (id: string) => jumping.accept({ source: 'shop', id, type: 'paid', data: 1 })
    const first = await accept('a')
    clock.jump(byMs)
    const again = await accept('a')
    const second = await accept('b')
    expect([first, again, second].map(({ outcome }) => outcome)).toEqual(['accepted', 'duplicate', 'accepted'])
    expect(again.event.key).toBe(first.event.key)
    expect(second.event.key).not.toBe(first.event.key)
    clock.jump(-byMs)
    expect((await accept('b')).event.key).toBe(second.event.key)
    await jumping.stop()
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
