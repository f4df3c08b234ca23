import { HapaxError } from '../errors/hapax-error.ts'
import { type Duration, durationMs } from '../kit/duration.ts'
import type { Dependency } from './dependency.ts'

/** What a dependency's `fetch` takes beside what the global one does. */
export interface FetchOptions extends Omit<RequestInit, 'cache'> {
  /** Statuses that are answers, not errors, like `[404]`. */
  readonly accept?: readonly number[]
  /** How long the exchange may take, in the place of the dependency's `timeout`. */
  readonly timeout?: Duration
  /**
   * An answer of this node to the same request, that is as old at most, will do; and equal requests at the same time are one call.
   * For GET and HEAD. The same is method, address, all headers of `init`, and the tenant of the run's event; only 2xx are kept.
   */
  readonly cache?: Duration
}

/** A request that can be sent. */
export interface FetchRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly init: RequestInit
  readonly accept: readonly number[]
  readonly timeoutMs: number
  readonly cacheMs: number | undefined
}

/**
 * What a `fetch` was given, looked at before anything waits or counts.
 *
 * @throws `fetch_invalid` where it cannot be sent: a mistake of the code, and definitely without effect
 */
export function fetchRequest(dependency: Dependency, url: string | URL, options: FetchOptions): FetchRequest {
  const { accept = [], timeout, cache, ...init } = options
  const refused = (reason: string) => new HapaxError('fetch_invalid', { dependency: dependency.name, reason })
  const spanMs = (option: string, span: Duration | undefined) => {
    const ms = span === undefined ? undefined : durationMs(span)
    if (span !== undefined && (ms === undefined || ms < 1)) throw refused(`${option} is no duration of 1 ms or more`)
    return ms
  }
  const method = (init.method ?? 'GET').toUpperCase()
  const cacheMs = spanMs('cache', cache)
  if (cacheMs !== undefined && method !== 'GET' && method !== 'HEAD') throw refused(`cache is for GET and HEAD`)
  const timeoutMs = spanMs('timeout', timeout) ?? dependency.timeoutMs
  const address = URL.parse(String(url))
  // Never its text: secrets lie in addresses.
  if (!address || !/^https?:$/.test(address.protocol)) throw refused('the address is no URL of http or https')
  let headers: Headers
  try {
    headers = new Headers(init.headers)
  } catch {
    throw refused('a header cannot be sent')
  }
  return { url: address, method, headers, init, accept, timeoutMs, cacheMs }
}
