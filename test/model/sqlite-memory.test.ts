import fc from 'fast-check'
import { expect, test } from 'vitest'
import { moves, Walk } from './walk.ts'

/** A failing walk prints its seed and its shrunk commands: give them as HAPAX_TEST_SEED, or as fast-check says. */
const seed = Number.parseInt(process.env.HAPAX_TEST_SEED ?? '1', 10)
const numRuns = process.env.HAPAX_TEST_LONG ? 500 : 12

const commands = fc.array(
  fc.record({ kind: fc.constantFrom(...moves), seed: fc.noShrink(fc.integer({ min: 1, max: 0x7fffffff })) }),
  { minLength: 0, maxLength: 250, size: 'max' },
)

test('SQLite answers every random sequence of commands as the memory store does', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const walk = new Walk()
      try {
        await walk.open()
        for (const move of sequence) await walk.step(move)
        accepted += walk.accepted.length
      } finally {
        await walk.close()
      }
    }),
    { seed, numRuns, endOnFailure: false, interruptAfterTimeLimit: 300_000 },
  )
  // Not passed in emptiness.
  expect(accepted).toBeGreaterThan(40 * numRuns)
})
