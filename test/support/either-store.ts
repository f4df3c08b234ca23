import { describe } from 'vitest'
import { type TestWorld, type TestWorldOptions, testWorld } from '../../src/testing/test-world.ts'

/**
 * The same cases on the memory store, and on one that hands an event over to its shard after the receipt, as a clustered
 * store does: the engine keeps its promises there too.
 */
export function onEitherStore(cases: (open: (options: TestWorldOptions) => Promise<TestWorld>) => void): void {
  describe.each([{ acceptSpans: true }, { acceptSpans: false }])('acceptSpans: $acceptSpans', ({ acceptSpans }) =>
    cases((options) => testWorld({ ...options, acceptSpans })),
  )
}
