import { createPublicKey, type KeyObject, verify as verifySignature } from 'node:crypto'
import type { Duration } from '../kit/duration.ts'
import { elementsOf } from '../kit/elements.ts'
import type { HmacKey } from '../kit/hmac.ts'
import { defineSource, optionMs } from './define-source.ts'
import { bodyOf, isRecord, nameOf, readBody } from './read-body.ts'
import { timeOf } from './sent-time.ts'
import { base64Key, candidatesAtMost, hmacKeys, type Secret, someHmacMatches } from './signature.ts'
import type { JsonRecord, RawRequest, Source, SourceOptions, Verdict } from './source.ts'
import { standardHeaders, standardKey } from './standard-signature.ts'
import { isStale, timestampMs, toleranceDefault } from './tolerance.ts'

/** Options of {@link standardWebhooks}. */
export interface StandardWebhooksOptions extends SourceOptions {
  /**
   * `whsec_` and base64 (or base64 alone) for v1, HMAC-SHA256; `whpk_` and base64 for v1a, ed25519. A list while one
   * replaces another, of both kinds if need be.
   */
  readonly secret: Secret
  /** How far the signed time may lie from the arrival, either way. Default 5 minutes. */
  readonly tolerance?: Duration
}

/** The specification's schedule of retries ends after 75 hours and 35 minutes; its jitter is rounded up. */
const resendsMs = 4 * 86_400_000

interface Envelope {
  readonly id: string
  readonly timestamp: string
  readonly signatures: string
}

/**
 * Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), also
 * under Svix's header names: `webhook-id`, `webhook-timestamp` and `webhook-signature`, or the same with `svix-`. Signed
 * is `{id}.{timestamp}.{raw body}`; signatures of versions without a secret here are skipped.
 *
 * The event: id from the header (signed), type from the body's `type`, or `event_type` as Svix's examples have it, time
 * from the body's `timestamp`.
 *
 * @throws `config_invalid` for a secret that is empty or not base64, or a wrong option
 * @example standardWebhooks({ name: 'billing', secret: 'whsec_…' })
 */
export function standardWebhooks(options: StandardWebhooksOptions): Source {
  const problems: string[] = []
  const { symmetric, publicKeys } = keysOf(options.secret, problems)
  const toleranceMs = optionMs('tolerance', options.tolerance ?? toleranceDefault, problems)

  const verify = (request: RawRequest): Verdict => {
    const envelope = envelopeOf(request.headers)
    if (!envelope) return { ok: false, code: 'signature_missing' }
    const { id, timestamp } = envelope
    const sentMs = timestampMs(timestamp)
    // A dot in the id would let one signature be read as two different messages.
    if (sentMs === undefined || id.includes('.')) return { ok: false, code: 'signature_invalid' }
    const { v1, v1a } = candidatesOf(envelope.signatures)
    const signed = [`${id}.${timestamp}.`, request.body]
    const matches =
      someHmacMatches('sha256', symmetric, signed, 'base64', v1) || someKeyVerifies(publicKeys, signed, v1a)
    if (!matches) return { ok: false, code: 'signature_invalid' }
    if (isStale(sentMs, request.receivedAtMs, toleranceMs)) {
      return { ok: false, code: 'signature_stale', details: { toleranceMs } }
    }
    return eventOf(request, id)
  }

  const [signingKey] = symmetric

  return defineSource(options, {
    scheme: 'standard-webhooks',
    conflictStatus: 200,
    resendsMs,
    problems,
    shape: (data): JsonRecord | undefined => (isRecord(data) ? data : undefined),
    verify,
    sign: signingKey && ((message) => standardHeaders(message, [signingKey])),
  })
}

function keysOf(
  secret: Secret,
  problems: string[],
): { symmetric: readonly HmacKey[]; publicKeys: readonly KeyObject[] } {
  const texts: readonly unknown[] = typeof secret === 'string' ? [secret] : (elementsOf(secret) ?? [])
  const isPublic = (text: unknown): text is string => typeof text === 'string' && text.startsWith('whpk_')
  const publicKeys = texts.filter(isPublic).flatMap((text) => {
    const bytes = base64Key(text.slice('whpk_'.length))
    if (bytes?.length !== 32) problems.push('secret: whpk_ and the base64 of an ed25519 key of 32 bytes')
    return bytes?.length === 32 ? [publicKeyOf(bytes)] : []
  })
  const shared = texts.filter((text): text is string => typeof text === 'string' && !isPublic(text))
  if (publicKeys.length > 0 && shared.length === 0) return { symmetric: [], publicKeys }
  const symmetric = hmacKeys(shared, standardKey, problems)
  return { symmetric, publicKeys }
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** One whole set of headers; halves of two sets are none. */
function envelopeOf(headers: RawRequest['headers']): Envelope | undefined {
  for (const prefix of ['webhook', 'svix']) {
    const id = headers[`${prefix}-id`]
    const timestamp = headers[`${prefix}-timestamp`]
    const signatures = headers[`${prefix}-signature`]
    if (id && timestamp && signatures) return { id, timestamp, signatures }
  }
  return undefined
}

function candidatesOf(header: string): { v1: string[]; v1a: string[] } {
  const found: { v1: string[]; v1a: string[] } = { v1: [], v1a: [] }
  let known = 0
  for (const entry of header.split(' ')) {
    const comma = entry.indexOf(',')
    const version = entry.slice(0, comma)
    if (version !== 'v1' && version !== 'v1a') continue
    known += 1
    if (known > candidatesAtMost) break
    found[version].push(entry.slice(comma + 1))
  }
  return found
}

function someKeyVerifies(
  keys: readonly KeyObject[],
  signed: readonly (string | Uint8Array)[],
  candidates: readonly string[],
): boolean {
  if (keys.length === 0 || candidates.length === 0) return false
  const message = Buffer.concat(signed.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  return candidates.some((candidate) => {
    const signature = base64Key(candidate)
    return signature?.length === 64 && keys.some((key) => verifySignature(null, message, key, signature))
  })
}

function eventOf(request: RawRequest, id: string): Verdict {
  const read = readBody(request)
  if (!read.ok) return read
  const body = isRecord(read.data) ? read.data : {}
  const time = timeOf(body.timestamp)
  return {
    ok: true,
    event: {
      id,
      idSigned: true,
      type: nameOf(body.type) ?? nameOf(body.event_type) ?? 'standard-webhooks',
      ...bodyOf(read),
      ...(time !== undefined && { time }),
    },
  }
}
