import { limits } from '../kit/limits.ts'

/**
 * Headers that are kept with an event: what tells a person where it came from and how it was signed. A list of what may
 * be kept, since a list of what must not would miss the next credential (`x-gitlab-token` is one).
 */
const keptNames = new Set([
  'content-type',
  'user-agent',
  'idempotency-key',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
  'stripe-signature',
  'x-hub-signature-256',
])
const keptPrefixes = ['webhook-', 'svix-', 'x-github-', 'x-shopify-', 'x-slack-', 'ce-']

/** Control characters have no place in a header value: what holds one is not kept. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const controls = /[\u0000-\u0008\u000a-\u001f\u007f]/

/** Names whose answer is known: senders send the same few dozen. Bounded, since the names are input. */
const judged = new Map<string, boolean>()
const judgedMost = 1_000

/** The headers to keep of a request's. Names come in lower case. */
export function keptHeaders(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {}
  let count = 0
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || !isKept(name) || value.length > limits.headerLength || controls.test(value)) continue
    if (++count > limits.headersKept) break
    kept[name] = value
  }
  return kept
}

function isKept(name: string): boolean {
  let answer = judged.get(name)
  if (answer === undefined) {
    answer = keptNames.has(name) || keptPrefixes.some((prefix) => name.startsWith(prefix))
    if (judged.size < judgedMost) judged.set(name, answer)
  }
  return answer
}
