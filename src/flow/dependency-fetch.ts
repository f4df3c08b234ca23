import { limits } from '../kit/limits.ts'
import { type Answer, drop, type Rest, readAnswer, responseOf } from './answer.ts'
import { cachedFetch } from './cached-fetch.ts'
import { callThrough } from './call.ts'
import { markFailure } from './call-failure.ts'
import type { Dependency } from './dependency.ts'
import { DependencyError } from './dependency-error.ts'
import { type FetchOptions, type FetchRequest, fetchRequest } from './fetch-request.ts'
import type { RunContext } from './run-context.ts'

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
  const request = fetchRequest(dependency, url, init)
  if (request.cacheMs !== undefined) {
    const answer = await cachedFetch(dependency, context, request, request.cacheMs, (shared) =>
      exchange(dependency, shared, fetcher, request),
    )
    if (answer !== 'too_large') return responseOf(answer)
  }
  const { answer, rest } = await exchange(dependency, context, fetcher, request, request.init.signal ?? undefined)
  const { name } = dependency
  // Beyond what was read while it was a call: it counts for no circuit, but what it says of the run is the same.
  return responseOf(answer, rest, (error) =>
    markFailure(error, { dependency: name, verdict: 'transient', retryAt: undefined }),
  )
}

/** One call: request, answer, and its body up to a limit. */
function exchange(
  dependency: Dependency,
  context: RunContext,
  fetcher: Fetcher,
  { url, method, headers, init, accept, timeoutMs }: FetchRequest,
  own?: AbortSignal,
): Promise<{ readonly answer: Answer; readonly rest: Rest | undefined }> {
  const { name } = dependency
  const send = async (called: AbortSignal) => {
    // The run's own, too: what is read of the body after the call ends with the attempt.
    const signal = AbortSignal.any([called, context.signal, ...(own ? [own] : [])])
    const response = await fetcher(url.href, { ...init, method, headers, signal })
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
