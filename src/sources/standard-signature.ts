import type { HmacKey } from '../kit/hmac.ts'
import { base64Key } from './signature.ts'
import type { OutgoingMessage } from './source.ts'

/**
 * The headers of a Standard Webhooks message
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Webhook headers" and
 * "Signature scheme"): signed is `{id}.{timestamp}.{raw body}`; with several keys each signs, so that a receiver may change
 * from one to the next.
 */
export function standardHeaders(
  { body, nowMs, id = 'msg_1' }: OutgoingMessage,
  keys: readonly HmacKey[],
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1_000))
  const signatures = keys.map((key) => `v1,${key.digest('sha256', [`${id}.${timestamp}.`, body], 'base64')}`)
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

/** The bytes of a symmetric secret, `whsec_` and base64 or base64 alone; undefined where it is none. */
export function standardKey(text: string): Uint8Array | undefined {
  return base64Key(text.replace(/^whsec_/, ''))
}
