import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'

/** What carries a request: the global `fetch`, or another of its shape. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** A request to a channel's address. */
export interface Post {
  readonly fetch: Fetch | undefined
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer>
  readonly signal: AbortSignal
}

/**
 * Posts JSON; resolves when it was answered with 2xx. A redirect is a failure, as Standard Webhooks has it.
 *
 * @throws `alert_undelivered` with the status or the network's code, and never the address: it may be a secret
 */
export async function postJson({ fetch = globalThis.fetch, url, headers, body, signal }: Post): Promise<void> {
  let response: Response
  try {
    response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
  } catch (error) {
    throw new HapaxError('alert_undelivered', { reason: networkReason(error) })
  }
  // What it answers is of no use, and holds its connection until it is read or let go.
  await response.body?.cancel().catch(() => {})
  if (!response.ok) throw new HapaxError('alert_undelivered', { reason: `it answered ${response.status}` })
}

function networkReason(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : 'no connection'
}

/** What is wrong with an address, without a word of it. */
export function urlProblems(url: unknown): string[] {
  const parsed = typeof url === 'string' ? URL.parse(url) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    return ['url: wanted an address that begins with https:// or http://']
  if (parsed.username !== '' || parsed.password !== '')
    return ['url: wanted none that holds a user or a password; give them in headers']
  return []
}

/** A text for people, cut to what a chat takes. */
export function cutText(text: string): string {
  return text.length <= limits.alertTextLength ? text : `${text.slice(0, limits.alertTextLength - 1).toWellFormed()}…`
}
