import { Fatal } from '../event/outcome.ts'
import { type Duration, durationMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import { type Answer, drop, type Rest, readAnswer, responseOf } from './answer.ts'
import type { CachedAnswer } from './answer-cache.ts'
import { callThrough } from './call.ts'
import { markFailure } from './call-failure.ts'
import type { Dependency } from './dependency.ts'
import { DependencyError } from './dependency-error.ts'
import type { RunContext } from './run-context.ts'

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
interface Prepared {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly init: RequestInit
  readonly accept: readonly number[]
  readonly timeoutMs: number
  readonly cacheMs: number | undefined
}

type Fetcher = typeof globalThis.fetch

/**
 * A dependency's `fetch`, from the run whose context this is.
 *
 * @throws as {@link Dependency.fetch}
 */
export async function fetchThrough(
  dependency: Dependency,
  context: RunContext,
  fetcher: Fetcher,
  url: string | URL,
  init: FetchOptions = {},
): Promise<Response> {
  const request = prepare(dependency, url, init)
  if (request.cacheMs !== undefined) {
    const answer = await cached(dependency, context, fetcher, request, request.cacheMs)
    if (answer !== 'too_large') return responseOf(answer)
  }
  const { answer, rest } = await exchange(dependency, context, fetcher, request, request.init.signal ?? undefined)
  const { name } = dependency
  // Beyond what was read while it was a call: it counts for no circuit, but what it says of the run is the same.
  return responseOf(answer, rest, (error) =>
    markFailure(error, { dependency: name, verdict: 'transient', retryAt: undefined }),
  )
}

/** The answer that this node has, or that it is about to get. */
async function cached(
  dependency: Dependency,
  context: RunContext,
  fetcher: Fetcher,
  request: Prepared,
  cacheMs: number,
): Promise<CachedAnswer> {
  const { answers, sharedFetches } = context.dependencies
  const key = keyOf(dependency, context, request)
  const found = answers.get(key, cacheMs)
  if (found) return found
  const { signal } = request.init
  const patience = signal ? AbortSignal.any([context.signal, signal]) : context.signal
  return sharedFetches.join(key, context, patience, async (shared) => {
    const { answer, rest } = await exchange(dependency, shared, fetcher, request, undefined)
    drop(rest)
    const keep = rest ? 'too_large' : answer
    if (answer.status >= 200 && answer.status < 300) answers.put(key, keep)
    return keep
  })
}

/** One call: request, answer, and its body up to a limit. */
function exchange(
  dependency: Dependency,
  context: RunContext,
  fetcher: Fetcher,
  { url, method, headers, init, accept, timeoutMs }: Prepared,
  own: AbortSignal | undefined,
): Promise<{ readonly answer: Answer; readonly rest: Rest | undefined }> {
  const { name } = dependency
  const send = async (called: AbortSignal) => {
    // The run's own, too: what is read of the body after the call ends with the attempt.
    const signal = AbortSignal.any([called, context.signal, ...(own ? [own] : [])])
    const response = await fetcher(url, { ...init, method, headers, signal })
    if (response.ok || accept.includes(response.status)) return readAnswer(response, limits.responseBytes)
    throw new DependencyError(name, method, {
      status: response.status,
      headers: response.headers,
      body: await textOf(response),
    })
  }
  return callThrough(dependency, context, send, timeoutMs)
}

/** What says why it was refused; as much as came of it. */
async function textOf(response: Response): Promise<string> {
  try {
    const { answer, rest } = await readAnswer(response, limits.errorBodyBytes)
    drop(rest)
    return new TextDecoder().decode(answer.body?.subarray(0, limits.errorBodyBytes))
  } catch {
    return ''
  }
}

/** Before anything waits or counts: what cannot be sent is a mistake of the code, and had no effect. */
function prepare(dependency: Dependency, url: string | URL, options: FetchOptions): Prepared {
  const { accept = [], timeout, cache, ...init } = options
  const refused = (why: string, cause?: unknown) => new Fatal(`${dependency.name}.fetch: ${why}`, { cause })
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

/** Whatever may change the answer, or whose it is. */
function keyOf({ name }: Dependency, { tenant }: RunContext, request: Prepared): string {
  const { url, method, headers, init, accept, timeoutMs } = request
  const address = url.href.slice(0, url.href.length - url.hash.length)
  return JSON.stringify([tenant, name, method, address, [...headers], [...accept], timeoutMs, init.redirect])
}
