import type { Invariant, Sometimes, Violation } from './invariants.ts'
import { onMemory, type Setting } from './setting.ts'
import { simulate } from './world.ts'

/** A seed that failed. */
export interface Failure {
  readonly seed: number
  readonly violations: readonly Violation[]
}

/** What many seeds together found. */
export interface Campaign {
  readonly seeds: number
  readonly failures: readonly Failure[]
  readonly reached: ReadonlySet<Sometimes>
  readonly events: number
  readonly steps: number
  readonly virtualMs: number
}

/** Lives through the plans of these seeds, one after the other. */
export async function campaign(options: {
  readonly seed: number
  readonly seeds: number
  /** Ends at the first seed that breaches this one, or any. */
  readonly until?: Invariant | 'any'
  /** Default: the memory store. */
  readonly setting?: Setting
  readonly progress?: (done: number, failures: number) => void
}): Promise<Campaign> {
  const { draw, ground } = options.setting ?? onMemory
  const reached = new Set<Sometimes>()
  const failures: Failure[] = []
  let [events, steps, virtualMs, done] = [0, 0, 0, 0]
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
    const outcome = await simulate(draw(seed), { ground })
    done++
    events += outcome.events
    steps += outcome.steps
    virtualMs += outcome.lastedMs
    for (const point of outcome.reached) reached.add(point)
    if (outcome.violations.length > 0) failures.push({ seed, violations: outcome.violations })
    options.progress?.(done, failures.length)
    const names = outcome.violations.map((violation) => violation.invariant)
    if (options.until === 'any' ? names.length > 0 : names.some((name) => name === options.until)) break
  }
  return { seeds: done, failures, reached, events, steps, virtualMs }
}
