import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type StandardWebhooksOptions, standardWebhooks } from './standard-webhooks.ts'

const receivedAtMs = 1_700_000_000_000
const body = Buffer.from('{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{}}')
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const whpk = `whpk_${Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')}`
const signed = sign(null, Buffer.concat([Buffer.from('msg_1.1700000000.'), body]), privateKey).toString('base64')

async function judge(options: StandardWebhooksOptions, changes: Record<string, string> = {}) {
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1700000000', 'webhook-signature': `v1a,${signed}` }
  return standardWebhooks(options).verify({
    method: 'POST',
    url: '/',
    body,
    headers: { ...headers, ...changes },
    receivedAtMs,
  })
}

describe('standardWebhooks', () => {
  it('verifies ed25519 (v1a) under a public key, also beside a shared secret', async () => {
    const event = {
      id: 'msg_1',
      idSigned: true,
      type: 'contact.created',
      time: '2022-11-03T20:26:10.344522Z',
      data: JSON.parse(body.toString()),
      contentType: 'application/json',
    }
    expect(await judge({ secret: whpk })).toEqual({ ok: true, event })
    const shared = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    expect(await judge({ secret: [shared, whpk] })).toMatchObject({ ok: true })
    expect(await judge({ secret: shared })).toMatchObject({ ok: false, code: 'signature_invalid' })
    expect(standardWebhooks({ secret: whpk }).sign).toBeUndefined()
  })

  it.each([
    ['another version', { 'webhook-signature': `v1,${signed}` }],
    ['a cut signature', { 'webhook-signature': `v1a,${signed.slice(0, -4)}` }],
    ['no base64', { 'webhook-signature': 'v1a,!!!' }],
    ['another id', { 'webhook-id': 'msg_2' }],
    ['a dotted id', { 'webhook-id': 'msg_1.1700000000', 'webhook-timestamp': '1700000000' }],
  ])('refuses %s', async (_name, changes) => {
    expect(await judge({ secret: whpk }, changes)).toMatchObject({ ok: false, code: 'signature_invalid' })
  })

  it('takes one whole set of headers, never halves of two', async () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const source = standardWebhooks({ secret })
    const headers = source.sign?.({ body, nowMs: receivedAtMs, id: 'msg_1' }) ?? {}
    const mixed: Record<string, string> = { ...headers, 'svix-id': 'msg_1' }
    delete mixed['webhook-id']
    const request = { method: 'POST', url: '/', body, receivedAtMs }
    expect(await source.verify({ ...request, headers })).toMatchObject({ ok: true })
    expect(await source.verify({ ...request, headers: mixed })).toMatchObject({ code: 'signature_missing' })
  })

  it.each(['', 'whsec_', 'whsec_not base64', 'whpk_AAAA', 'whsec_A'])('refuses the secret %j', (secret) => {
    expect(() => standardWebhooks({ secret })).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })
})
