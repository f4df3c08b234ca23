import { systemClock } from '../../src/kit/clock.ts'

const long = Boolean(process.env.HAPAX_TEST_LONG)

/** Fresh each time, so that many runs try much; a failure prints it, and HAPAX_TEST_SEED gives it back. */
export const seed = Number.parseInt(process.env.HAPAX_TEST_SEED ?? '', 10) || systemClock.now() % 1_000_000_000

/** Parameters of one property: so many cases, fifty times as many with HAPAX_TEST_LONG. */
export function cases(count: number): { seed: number; numRuns: number } {
  return { seed, numRuns: long ? count * 50 : count }
}
