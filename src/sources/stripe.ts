import type { Duration } from '../kit/duration.ts'
import { toRfc3339 } from '../kit/rfc3339.ts'
import { defineSource, optionMs } from './define-source.ts'
import { bodyOf, isRecord, nameOf, readBody } from './read-body.ts'
import { timeOf } from './sent-time.ts'
import { hmacKeys, type Secret, someHmacMatches, textKey } from './signature.ts'
import { readSignatureFields } from './signature-fields.ts'
import type { OutgoingMessage, RawRequest, Source, SourceOptions, Verdict } from './source.ts'
import { isStale, timestampMs, toleranceDefault } from './tolerance.ts'

/** What Hapax relies on in a Stripe event; the rest is Stripe's to define. */
export interface StripeEvent {
  readonly [field: string]: unknown
  readonly id?: string
  readonly type?: string
  readonly data: {
    readonly [field: string]: unknown
    /** Empty for thin (v2) events, which name their object in `related_object`. */
    readonly object: {
      readonly [field: string]: unknown
      readonly id?: string
      readonly customer?: string | null
    }
  }
  readonly related_object?: { readonly [field: string]: unknown; readonly id: string; readonly type: string } | null
}

/** Options of {@link stripe}. */
export interface StripeOptions extends SourceOptions<StripeEvent> {
  /** The endpoint's signing secret (`whsec_…`, taken literally); a list while it is rolled. */
  readonly secret: Secret
  /** How far the signed time may lie from the arrival, either way. Default 5 minutes. */
  readonly tolerance?: Duration
}

/**
 * Stripe resends by itself for three days (https://docs.stripe.com/webhooks#retries); a person may resend an event of the
 * last 15 days from the dashboard, of the last 30 by the command line.
 */
const resendsMs = 30 * 86_400_000

/**
 * Stripe's webhooks, snapshot and thin (v2) events alike: `Stripe-Signature` is HMAC-SHA256 over `{t}.{raw body}`
 * (https://docs.stripe.com/webhooks#verify-manually). Only `v1` signatures count. Unlike Stripe's own SDK it refuses
 * times that lie in the future by more than the tolerance.
 *
 * The event: id `evt_…` (signed), Stripe's type, time from `created`, the object's id as subject. `pending_webhooks` is
 * left out of the fingerprint, since it counts down from delivery to delivery while "the contents of `data` never change"
 * (https://docs.stripe.com/api/events/object).
 *
 * @throws `config_invalid` for an empty secret or a wrong option
 * @example stripe({ secret: [current, previous], orderKey: (event) => event.data.data.object.customer })
 */
export function stripe(options: StripeOptions): Source {
  const problems: string[] = []
  const keys = hmacKeys(options.secret, textKey, problems)
  const toleranceMs = optionMs('tolerance', options.tolerance ?? toleranceDefault, problems)

  const verify = (request: RawRequest): Verdict => {
    const header = request.headers['stripe-signature']
    if (!header) return { ok: false, code: 'signature_missing' }
    const { timestamp, signatures } = readSignatureFields(header, { separator: ',', timestamp: 't', signature: 'v1' })
    const sentMs = timestamp === undefined ? undefined : timestampMs(timestamp)
    const signed = [`${timestamp}.`, request.body]
    if (!someHmacMatches('sha256', keys, signed, 'hex', signatures) || sentMs === undefined) {
      return { ok: false, code: 'signature_invalid' }
    }
    if (isStale(sentMs, request.receivedAtMs, toleranceMs)) {
      return { ok: false, code: 'signature_stale', details: { toleranceMs } }
    }
    return eventOf(request)
  }

  const sign = ({ body, nowMs }: OutgoingMessage): Record<string, string> => {
    const timestamp = Math.floor(nowMs / 1_000)
    const [key] = keys
    const signature = key ? key.digest('sha256', [`${timestamp}.`, body], 'hex') : ''
    return {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': `t=${timestamp},v1=${signature}`,
    }
  }

  return defineSource(options, {
    scheme: 'stripe',
    conflictStatus: 200,
    fingerprintWithout: ['pending_webhooks'],
    resendsMs,
    problems,
    shape: stripeEvent,
    verify,
    sign,
  })
}

function eventOf(request: RawRequest): Verdict {
  const read = readBody(request)
  if (!read.ok) return read
  const body = isRecord(read.data) ? read.data : {}
  const id = nameOf(body.id)
  const subject = subjectOf(body)
  const time = typeof body.created === 'number' ? toRfc3339(body.created * 1_000) : timeOf(body.created)
  return {
    ok: true,
    event: {
      idSigned: true,
      // A body without a type is none of Stripe's documented events; it is kept under the scheme's name.
      type: nameOf(body.type) ?? 'stripe',
      ...bodyOf(read),
      ...(id !== undefined && { id }),
      ...(subject !== undefined && { subject }),
      ...(time !== undefined && { time }),
    },
  }
}

function subjectOf(body: Readonly<Record<string, unknown>>): string | undefined {
  const data = isRecord(body.data) && isRecord(body.data.object) ? body.data.object : undefined
  const related = isRecord(body.related_object) ? body.related_object : undefined
  return nameOf(data?.id) ?? nameOf(related?.id)
}

/** The body as {@link StripeEvent}, checked: what is of another kind than promised is left out. */
function stripeEvent(body: unknown): StripeEvent | undefined {
  if (!isRecord(body)) return undefined
  const { id, type, related_object: related, data: given, ...rest } = body
  const data = isRecord(given) ? given : {}
  const { id: objectId, customer, ...object } = isRecord(data.object) ? data.object : {}
  const relatedId = isRecord(related) ? related.id : undefined
  const relatedType = isRecord(related) ? related.type : undefined
  return {
    ...rest,
    ...(typeof id === 'string' && { id }),
    ...(typeof type === 'string' && { type }),
    data: {
      ...data,
      object: {
        ...object,
        ...(typeof objectId === 'string' && { id: objectId }),
        ...((typeof customer === 'string' || customer === null) && { customer }),
      },
    },
    ...(typeof relatedId === 'string' &&
      typeof relatedType === 'string' && {
        related_object: { ...(isRecord(related) && related), id: relatedId, type: relatedType },
      }),
  }
}
