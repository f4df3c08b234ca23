import { Webhook } from 'standardwebhooks'
import Stripe from 'stripe'
import { Webhook as SvixWebhook } from 'svix'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { standardWebhooks, stripe } from '../../src/sources/index.ts'
import type { Source } from '../../src/sources/source.ts'

const sentSeconds = 1_700_000_000
const sentMs = sentSeconds * 1_000
const body =
  '{"id":"evt_1","type":"payment_intent.succeeded","created":1700000000,"data":{"object":{"id":"pi_1"}},"note":"Zoë 💶"}'

/** The verdict's code, or `ok`. */
async function judge(
  source: Source,
  headers: Record<string, string>,
  { bytes = body, receivedAtMs = sentMs + 5_000 }: { bytes?: string; receivedAtMs?: number } = {},
): Promise<string> {
  const request = { method: 'POST', url: 'https://hapax.test/in/it', body: Buffer.from(bytes), headers, receivedAtMs }
  const verdict = await source.verify(request)
  return verdict.ok ? 'ok' : verdict.code
}

describe("Stripe's own SDK", () => {
  const current = 'whsec_current'
  const next = 'whsec_next'
  const signed = (secret: string, timestamp = sentSeconds): string =>
    Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp })
  const signatureOf = (header: string): string => header.slice(header.indexOf('v1=') + 3)
  const source = stripe({ secret: current })
  const header = signed(current)

  it('signs what we accept, with the old secret or the new', async () => {
    expect(await judge(source, { 'stripe-signature': header })).toBe('ok')
    const rolling = stripe({ secret: [next, current] })
    expect(await judge(rolling, { 'stripe-signature': header })).toBe('ok')
    expect(await judge(rolling, { 'stripe-signature': signed(next) })).toBe('ok')
    const both = `${signed(next)},v1=${signatureOf(header)}`
    expect(await judge(source, { 'stripe-signature': both })).toBe('ok')
    expect(await judge(stripe({ secret: next }), { 'stripe-signature': both })).toBe('ok')
  })

  it('accepts what we sign', () => {
    const headers = source.sign?.({ body: Buffer.from(body), nowMs: sentMs })
    const event = Stripe.webhooks.constructEvent(
      body,
      headers?.['stripe-signature'] ?? '',
      current,
      300,
      undefined,
      sentMs + 1_000,
    )
    expect(event.id).toBe('evt_1')
  })

  const hex = signatureOf(header)
  const filler = Array.from({ length: 15 }, () => `v1=${'0'.repeat(64)}`).join(',')
  it.each([
    ['tampered body', header, { bytes: body.replace('pi_1', 'pi_2') }, 'signature_invalid'],
    ['changed whitespace', header, { bytes: `${body} ` }, 'signature_invalid'],
    ['another secret', signed('whsec_other'), {}, 'signature_invalid'],
    ['uppercase hex', header.replace(hex, hex.toUpperCase()), {}, 'signature_invalid'],
    ['truncated', header.slice(0, -1), {}, 'signature_invalid'],
    ['non-ASCII of the same length', header.replace(hex, `é${hex.slice(1)}`), {}, 'signature_invalid'],
    ['another version', header.replace('v1=', 'v0='), {}, 'signature_invalid'],
    ['changed time', header.replace('t=1700000000', 't=1700000001'), {}, 'signature_invalid'],
    ['two times', `t=1700000000,${header}`, {}, 'signature_invalid'],
    ['no time', `v1=${hex}`, {}, 'signature_invalid'],
    ['time 1e30', `t=1e30,v1=${hex}`, {}, 'signature_invalid'],
    ['rubbish', 'rubbish', {}, 'signature_invalid'],
    ['empty', '', {}, 'signature_missing'],
    ['late at the tolerance', header, { receivedAtMs: sentMs + 300_999 }, 'ok'],
    ['stale', header, { receivedAtMs: sentMs + 301_000 }, 'signature_stale'],
    ['early at the tolerance', header, { receivedAtMs: sentMs - 300_000 }, 'ok'],
    ['future', header, { receivedAtMs: sentMs - 301_000 }, 'signature_stale'],
    ['true as the 16th', `t=1700000000,${filler},v1=${hex}`, {}, 'ok'],
    ['true as the 17th', `t=1700000000,v1=${'0'.repeat(64)},${filler},v1=${hex}`, {}, 'signature_invalid'],
  ] as const)('%s', async (_name, value, request, wanted) => {
    expect(await judge(source, { 'stripe-signature': value }, request)).toBe(wanted)
  })
})

describe.each([
  ['standardwebhooks', 'webhook', Webhook],
  ['svix', 'svix', SvixWebhook],
] as const)('the SDK %s', (_name, prefix, Sdk) => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const next = 'whsec_plJ3nmyCDGBKInavdOK15jsl'
  const source = standardWebhooks({ secret })
  const sdk = new Sdk(secret)
  const at = (instant: number): Date => new Date(instant)
  const headersFor = (signature: string, changes: Record<string, string> = {}): Record<string, string> => ({
    [`${prefix}-id`]: 'msg_1',
    [`${prefix}-timestamp`]: String(sentSeconds),
    [`${prefix}-signature`]: signature,
    ...changes,
  })
  const signature = sdk.sign('msg_1', at(sentMs), body)
  const other = new Sdk(next).sign('msg_1', at(sentMs), body)
  const digest = signature.slice('v1,'.length)

  it('signs what we accept, with the old secret or the new', async () => {
    expect(await judge(source, headersFor(signature))).toBe('ok')
    expect(await judge(standardWebhooks({ secret: [next, secret] }), headersFor(signature))).toBe('ok')
    expect(await judge(source, headersFor(`${other} ${signature}`))).toBe('ok')
  })

  it('accepts what we sign', () => {
    const signed = source.sign?.({ body: Buffer.from(body), nowMs: systemClock.now(), id: 'msg_7' }) ?? {}
    // Svix's verify answers nothing: not to throw is its yes.
    expect(() => sdk.verify(body, signed)).not.toThrow()
    expect(() => sdk.verify(`${body} `, signed)).toThrow()
  })

  it.each([
    ['tampered body', signature, {}, { bytes: body.replace('pi_1', 'pi_2') }, 'signature_invalid'],
    ['another secret', other, {}, {}, 'signature_invalid'],
    ['another id', signature, { [`${prefix}-id`]: 'msg_2' }, {}, 'signature_invalid'],
    ['uppercase', `v1,${digest.toUpperCase()}`, {}, {}, 'signature_invalid'],
    ['truncated', signature.slice(0, -1), {}, {}, 'signature_invalid'],
    ['another version', `v2,${digest}`, {}, {}, 'signature_invalid'],
    ['no version', digest, {}, {}, 'signature_invalid'],
    ['no time', signature, { [`${prefix}-timestamp`]: '' }, {}, 'signature_missing'],
    ['time 1e30', signature, { [`${prefix}-timestamp`]: '1e30' }, {}, 'signature_invalid'],
    ['stale', signature, {}, { receivedAtMs: sentMs + 301_000 }, 'signature_stale'],
    ['future', signature, {}, { receivedAtMs: sentMs - 301_000 }, 'signature_stale'],
    ['true as the 16th', `${`${other} `.repeat(15)}${signature}`, {}, {}, 'ok'],
    ['true as the 17th', `${`${other} `.repeat(16)}${signature}`, {}, {}, 'signature_invalid'],
  ] as const)('%s', async (_case, value, changes, request, wanted) => {
    expect(await judge(source, headersFor(value, changes), request)).toBe(wanted)
  })
})
