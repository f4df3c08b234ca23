import type { Instant } from '../kit/clock.ts'
import { parseHttpDate } from '../kit/http-date.ts'
import { limits } from '../kit/limits.ts'
import { headerOf } from './error-response.ts'

/**
 * When the other side asks to be called again at the earliest, by the `Retry-After` of the answer that an error bears (RFC 9110,
 * section 10.2.3), in seconds or as an HTTP-date; at most {@link limits.retryAfterMs} from now. Undefined: it does not say, or
 * not so that it can be read.
 */
export function retryAtOf(error: unknown, now: Instant): Instant | undefined {
  const text = headerOf(error, 'retry-after')?.trim()
  if (text === undefined) return undefined
  const inMs = /^\d+$/.test(text) ? Number(text) * 1_000 : untilDate(text, error, now)
  return inMs === undefined ? undefined : now + Math.min(Math.max(0, inMs), limits.retryAfterMs)
}

/** A date is of the other side's clock: its `Date` says what that shows. */
function untilDate(text: string, error: unknown, now: Instant): number | undefined {
  const at = parseHttpDate(text, now)
  const theirNow = parseHttpDate(headerOf(error, 'date')?.trim() ?? '', now) ?? now
  return at === undefined ? undefined : at - theirNow
}
