import { describe, expect, it } from 'vitest'
import { isSchemeName, schemes } from './catalogue.ts'
import { type HmacOptions, hmac } from './hmac.ts'
import type { OutgoingMessage } from './source.ts'

const nowMs = 1_700_000_000_123
const basic = { secret: 'shared', header: 'X-Signature' } as const

async function roundTrip(
  options: HmacOptions,
  body: string | Uint8Array,
  { changes = {}, ...message }: Partial<OutgoingMessage> & { changes?: Record<string, string | undefined> } = {},
) {
  const source = hmac(options)
  const bytes = Buffer.from(body)
  const headers = { ...source.sign?.({ body: bytes, nowMs, ...message }), ...changes }
  return source.verify({ method: 'POST', url: '/', body: bytes, headers, receivedAtMs: nowMs })
}

describe('hmac', () => {
  it.each([
    ['plain', {}],
    ['base64', { encoding: 'base64', algorithm: 'sha512' }],
    ['base64url', { encoding: 'base64url', algorithm: 'sha1' }],
    ['a prefix', { prefix: 'sha256=' }],
    ['a list', { prefix: 'v0=', separator: ',' }],
    ['fields', { fields: { signature: 'v1', timestamp: 't' }, content: '{timestamp}.{body}' }],
    ['milliseconds', { timestamp: { header: 'X-Time', unit: 'ms' }, content: '{body}|{timestamp}' }],
    ['a header', { id: { header: 'X-Id' }, content: '{id}{header:X-Id}{body}' }],
    ['a URL', { content: '{url}{body}', url: 'https://hapax.test/in/x' }],
    ['a key in hex', { secret: 'c0ffee', key: 'hex' }],
    ['a key in base64', { secret: 'wP/u', key: 'base64' }],
  ] as [string, Partial<HmacOptions>][])('takes what it signs itself: %s', async (_name, options) => {
    const all = { ...basic, ...options }
    expect(await roundTrip(all, '{"a":1}', { id: 'id-1' })).toMatchObject({ ok: true })
    expect(await roundTrip(all, '{"a":1}', { id: 'id-1', changes: { 'x-signature': 'wrong' } })).toMatchObject({
      ok: false,
      code: 'signature_invalid',
    })
    expect(await roundTrip(all, '{"a":1}', { id: 'id-1', changes: { 'x-signature': undefined } })).toMatchObject({
      ok: false,
      code: 'signature_missing',
    })
  })

  it('finds id, type and time where the options say', async () => {
    const body = '{"meta":{"id":9007199254740993,"kind":"bet.placed","at":"2022-11-03T20:26:10Z"}}'
    const options = {
      ...basic,
      id: { body: 'meta.id' },
      type: { body: 'meta.kind' },
      time: { body: 'meta.at' },
    }
    expect(await roundTrip(options, body)).toMatchObject({
      event: { id: '9007199254740993', idSigned: true, type: 'bet.placed', time: '2022-11-03T20:26:10Z' },
    })
    expect(await roundTrip({ ...basic, type: 'bet' }, body)).toMatchObject({ event: { type: 'bet', idSigned: false } })
  })

  it('knows whether the id is signed, and compares content where it is not', async () => {
    const id = { header: 'X-Id' }
    const unsigned = hmac({ ...basic, id })
    expect(unsigned).toMatchObject({ replayWindowMs: 259_200_000, conflictStatus: 409 })
    expect(await roundTrip({ ...basic, id }, '{}', { id: 'i' })).toMatchObject({ event: { id: 'i', idSigned: false } })
    const content = '{id}.{body}'
    expect(hmac({ ...basic, id, content }).replayWindowMs).toBe(0)
    const signed = await roundTrip({ ...basic, id, content }, '{}', { id: 'i' })
    expect(signed).toMatchObject({ event: { id: 'i', idSigned: true } })
    const changed = await roundTrip({ ...basic, id, content }, '{}', { id: 'i', changes: { 'x-id': 'j' } })
    expect(changed).toMatchObject({ code: 'signature_invalid' })
  })

  it('checks the time to the millisecond where it is given so', async () => {
    const options: HmacOptions = {
      ...basic,
      content: '{timestamp}{body}',
      timestamp: { header: 'X-Time', unit: 'ms' },
      tolerance: 50,
    }
    expect(await roundTrip(options, '{}', { nowMs: nowMs - 50 })).toMatchObject({ ok: true })
    expect(await roundTrip(options, '{}', { nowMs: nowMs - 51 })).toMatchObject({ code: 'signature_stale' })
    expect(await roundTrip(options, '{}', { nowMs: nowMs + 51 })).toMatchObject({ code: 'signature_stale' })
    expect(await roundTrip(options, '{}', { changes: { 'x-time': undefined } })).toMatchObject({
      code: 'signature_missing',
    })
    expect(await roundTrip(options, '{}', { changes: { 'x-time': '-5' } })).toMatchObject({ code: 'signature_invalid' })
  })

  it('parses by media type: strict JSON, forms as string maps, all else stays bytes', async () => {
    const sent = (type: string, body: string | Uint8Array) =>
      roundTrip(basic, body, { changes: { 'content-type': type } })
    expect(await sent('application/vnd.x+json; charset=utf-8', '[1]')).toMatchObject({
      event: { data: [1], contentType: 'application/vnd.x+json' },
    })
    expect(await sent('Application/X-WWW-Form-Urlencoded', 'a=1')).toMatchObject({ event: { data: { a: '1' } } })
    expect(await sent('application/octet-stream', Uint8Array.from([0xff]))).toMatchObject({
      event: { data: undefined, contentType: 'application/octet-stream' },
    })
    expect(await sent('application/json', '{"a":1,"a":1}')).toMatchObject({ ok: false, code: 'duplicate_key' })
    expect(await sent('application/json', '{"a":0.1000000000000000055}')).toMatchObject({
      event: { exactText: '{"a":0.1000000000000000055}' },
    })
  })

  it('orders by text alone', () => {
    const source = hmac({ ...basic, orderKey: (event) => event.data.account as string })
    expect(source.orderKey?.({ type: 't', data: { account: 'a' } })).toBe('a')
    expect(source.orderKey?.({ type: 't', data: undefined })).toBeUndefined()
    expect(() => source.orderKey?.({ type: 't', data: { account: 7 } })).toThrow(
      expect.objectContaining({ code: 'invalid_event' }),
    )
  })

  it.each([
    ['no secret', { secret: '' }],
    ['a key not in its encoding', { key: 'hex' }],
    ['no header', { header: '' }],
    ['no body in the content', { content: '{timestamp}', timestamp: { header: 'x' } }],
    ['an unknown name', { content: '{body}{nonce}' }],
    ['a time that is not signed', { timestamp: { header: 'x' } }],
    ['a time that is nowhere', { content: '{timestamp}{body}' }],
    ['a URL that is not given', { content: '{url}{body}' }],
    ['an id that is nowhere', { content: '{id}{body}' }],
    ['fields with a prefix', { prefix: 'v0=', fields: { signature: 'v1' } }],
    ['id and identity', { id: { body: 'id' }, identity: { content: ['a'], window: '1h' } }],
    ['an identity of nothing', { identity: { content: [], window: '1h' } }],
    ['an identity without a window', { identity: { content: ['a'], window: 'x' as never } }],
    ['an unknown algorithm', { algorithm: 'md5' as never }],
    ['an unknown encoding', { encoding: 'utf8' as never }],
  ] as [string, Partial<HmacOptions>][])('refuses %s', (_name, options) => {
    expect(() => hmac({ ...basic, ...options })).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })

  it('is found by its name, like every scheme', () => {
    expect(isSchemeName('toString')).toBe(false)
    const made = [
      schemes.hmac.create(basic),
      schemes.stripe.create(basic),
      schemes.github.create(basic),
      schemes['standard-webhooks'].create({ secret: 'whsec_c2VjcmV0' }),
    ]
    expect(made.map(({ scheme }) => scheme).every(isSchemeName)).toBe(true)
  })
})
