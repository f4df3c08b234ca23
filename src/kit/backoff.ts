import type { Random } from './random.ts'

/** How long to wait between tries. */
export interface Backoff {
  /** The first wait. */
  readonly minMs: number
  /** No wait is longer. */
  readonly maxMs: number
  /** What each further wait is multiplied by. */
  readonly factor: number
  /** `full`: anything between zero and the wait, so that a herd spreads out; `none`: the wait itself. */
  readonly jitter: 'full' | 'none'
}

/**
 * The wait before the next try, after `failures` failures (1 or more).
 *
 * Full jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): fewest calls until all are through.
 */
export function backoffMs(backoff: Backoff, failures: number, random: Random): number {
  const growth = backoff.factor ** Math.min(failures - 1, 1_000)
  const wait = Math.min(backoff.maxMs, backoff.minMs * growth)
  return Math.round(backoff.jitter === 'full' ? wait * random.fraction() : wait)
}
