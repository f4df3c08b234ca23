import { configInvalid } from '../errors/config-invalid.ts'
import type { Alert, AlertChannel, AlertKind, AlertMeans } from '../event/alert.ts'
import type { HmacKey } from '../kit/hmac.ts'
import { isoTime } from '../kit/iso-time.ts'
import { hmacKeys, type Secret } from '../sources/signature.ts'
import { standardHeaders, standardKey } from '../sources/standard-signature.ts'
import { type Fetch, postJson, urlProblems } from './post-json.ts'

/** Options of {@link webhookAlert}. */
export interface WebhookAlertOptions {
  /** Where alerts are posted. Never logged. */
  readonly url: string
  /** Sent with each, like `{ authorization: 'Bearer …' }`. Never logged. */
  readonly headers?: Readonly<Record<string, string>>
  /** Signs each alert: `whsec_` and base64, or base64 alone; a list while one replaces another. Default: not signed. */
  readonly secret?: Secret
  /** As the log calls it. Default `webhook`. */
  readonly name?: string
  /** What is sent here. Default: all. */
  readonly kinds?: readonly AlertKind[]
  /** Carries the request: for a proxy, or a test. Default: the global `fetch`. */
  readonly fetch?: Fetch
}

/**
 * Posts each alert as JSON, in the form that Standard Webhooks proposes, and signed as it says where there is a secret
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
 * `{ "type": "hapax.run_dead", "timestamp": "2026-01-01T00:00:00.000Z", "data": { …the alert } }`. The `webhook-id` stays
 * the same over all tries. Anything but 2xx is a failure, and tried again.
 *
 * @throws `config_invalid` for an address, a header or a secret that is none; never with its value
 * @example webhookAlert({ url: 'https://ops.example/hapax', secret: process.env.ALERT_SECRET })
 */
export function webhookAlert(options: WebhookAlertOptions): AlertChannel {
  const { url, headers = {}, secret, name = 'webhook', kinds, fetch } = options
  const problems = [...urlProblems(url), ...headerProblems(headers)]
  const keys = secret === undefined ? [] : hmacKeys(secret, standardKey, problems)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `webhookAlert(): ${problem}`))
  return Object.freeze({
    name,
    ...(kinds && { kinds }),
    send: (alert: Alert, { signal, now }: AlertMeans) => {
      const data = { type: `hapax.${alert.kind}`, timestamp: isoTime(alert.at), data: alert }
      const body = new TextEncoder().encode(JSON.stringify(data))
      const ours = keys.length > 0 ? signed(alert, body, now(), keys) : unsigned(alert)
      return postJson({ fetch, url, headers: { ...headers, ...ours }, body, signal })
    },
  })
}

/** Signed anew for each try: the time is that of the try. */
function signed(alert: Alert, body: Uint8Array, nowMs: number, keys: readonly HmacKey[]): Record<string, string> {
  return standardHeaders({ body, nowMs, id: alert.id }, keys)
}

function unsigned(alert: Alert): Record<string, string> {
  return { 'content-type': 'application/json', 'webhook-id': alert.id }
}

function headerProblems(headers: object): string[] {
  try {
    // What it says of a wrong header may hold the header.
    new Headers(Object.entries(headers))
    return []
  } catch {
    return ['headers: wanted names and values as HTTP takes them']
  }
}
