import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { canonicalJson } from '../kit/canonical-json.ts'
import type { Source } from './source.ts'
import { type StripeOptions, stripe } from './stripe.ts'

const nowMs = 1_700_000_000_000

async function verdictOn(source: Source, body: string | Uint8Array) {
  const bytes = Buffer.from(body)
  const headers = source.sign?.({ body: bytes, nowMs }) ?? {}
  return source.verify({ method: 'POST', url: '/', body: bytes, headers, receivedAtMs: nowMs })
}

describe('stripe', () => {
  it('reads id, type, time and subject from signed bytes', async () => {
    const data = { id: 'evt_1', type: 'charge.refunded', created: 1700000000, data: { object: { id: 'ch_1' } } }
    expect(await verdictOn(stripe({ secret: 's' }), JSON.stringify(data))).toEqual({
      ok: true,
      event: {
        id: 'evt_1',
        idSigned: true,
        type: 'charge.refunded',
        time: '2023-11-14T22:13:20.000Z',
        subject: 'ch_1',
        data,
        contentType: 'application/json',
      },
    })
  })

  it('reads thin events', async () => {
    const data = {
      id: 'evt_test_65R',
      object: 'v2.core.event',
      type: 'v1.billing.meter.error_report_triggered',
      created: '2024-09-26T17:46:22.134Z',
      related_object: { id: 'mtr_1', type: 'billing.meter', url: '/v1/billing/meters/mtr_1' },
    }
    const source = stripe({ secret: 's', orderKey: (event) => event.data.related_object?.id })
    const verdict = await verdictOn(source, JSON.stringify(data))
    expect(verdict).toMatchObject({ ok: true, event: { id: 'evt_test_65R', subject: 'mtr_1', time: data.created } })
    expect(source.orderKey?.({ type: data.type, data })).toBe('mtr_1')
  })

  it('gives one fingerprint to a resend that counts pending_webhooks down', () => {
    const { fingerprintWithout: without } = stripe({ secret: 's', fingerprintWithout: ['request'] })
    const form = (pending: number, amount: number) =>
      canonicalJson({ id: 'evt_1', pending_webhooks: pending, request: pending, data: { amount } }, { without })
    expect(form(2, 5)).toBe(form(1, 5))
    expect(form(2, 5)).not.toBe(form(2, 6))
  })

  it('types the order key, and calls it only with what the type promises', () => {
    const source = stripe({ secret: 's', orderKey: (event) => event.data.data.object.customer })
    const keyOf = (data: unknown) => source.orderKey?.({ type: 't', data })
    expect(keyOf({ data: { object: { customer: 'cus_1' } } })).toBe('cus_1')
    for (const data of [
      { data: { object: { customer: null } } },
      { data: { object: { customer: 7 } } },
      {},
      [],
      null,
      undefined,
    ]) {
      expect(keyOf(data)).toBeUndefined()
    }
  })

  it.each([
    ['{"id":"evt_1","id":"evt_2"}', 'duplicate_key'],
    ['{"id":', 'malformed_json'],
    [Uint8Array.from([0x22, 0xff, 0x22]), 'invalid_utf8'],
    ['["\\ud800"]', 'lone_surrogate'],
    ['['.repeat(65) + ']'.repeat(65), 'too_deep'],
  ])('refuses a signed body that is no strict JSON: %#', async (body, code) => {
    expect(await verdictOn(stripe({ secret: 's' }), body)).toMatchObject({ ok: false, code })
  })

  it.each([
    [{ secret: '' }],
    [{ secret: [] }],
    [{ secret: ['whsec_a', ''] }],
    [{ secret: 's', name: 'a/b' }],
    [{ secret: 's', tenant: '' }],
    [{ secret: 's', bodyBytes: 0 }],
    [{ secret: 's', tolerance: 'soon' as never }],
  ] satisfies [StripeOptions][])('refuses the options %j', (options) => {
    expect(() => stripe(options)).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })

  it('names all mistakes at once, and never a secret', () => {
    try {
      stripe({ secret: ['whsec_canary', ''], name: '', bodyBytes: -1 })
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof HapaxError)) throw error
      expect(error.message.match(/stripe\(\): /g)).toHaveLength(3)
      expect(inspect(error)).not.toContain('canary')
    }
    expect(inspect(stripe({ secret: 'whsec_canary' }), { depth: 9, showHidden: true })).not.toContain('canary')
  })
})
