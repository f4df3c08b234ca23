import { type Answer, drop, type Rest } from './answer.ts'
import type { CachedAnswer } from './answer-cache.ts'
import type { Dependency } from './dependency.ts'
import type { FetchRequest } from './fetch-request.ts'
import type { RunContext } from './run-context.ts'

/**
 * The answer that this node has, or that it is about to get, by one call for all who ask.
 *
 * @param exchange makes the call, in the context that it is given
 * @throws what `exchange` throws, to all who share it
 */
export async function cachedFetch(
  dependency: Dependency,
  context: RunContext,
  request: FetchRequest,
  cacheMs: number,
  exchange: (context: RunContext) => Promise<{ readonly answer: Answer; readonly rest: Rest | undefined }>,
): Promise<CachedAnswer> {
  const { answers, sharedFetches } = context.dependencies
  const key = keyOf(dependency, context, request)
  const found = answers.get(key, cacheMs)
  if (found) return found
  const { signal } = request.init
  const patience = signal ? AbortSignal.any([context.signal, signal]) : context.signal
  return sharedFetches.join(key, context, patience, async (shared) => {
    const { answer, rest } = await exchange(shared)
    drop(rest)
    const keep = rest ? 'too_large' : answer
    if (answer.status >= 200 && answer.status < 300) answers.put(key, keep)
    return keep
  })
}

/** Whatever may change the answer, or whose it is. */
function keyOf({ name }: Dependency, { tenant }: RunContext, request: FetchRequest): string {
  const { url, method, headers, init, accept, timeoutMs } = request
  const address = url.href.slice(0, url.href.length - url.hash.length)
  return JSON.stringify([tenant, name, method, address, [...headers], [...accept], timeoutMs, init.redirect])
}
