import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { repeat, sleep } from './clock.ts'

it('work is repeated so long after it ended, failed or not, and not after a cancel', async () => {
  const clock = new FakeClock()
  const startAt = clock.now()
  const began: number[] = []
  const failures: unknown[] = []
  const timer = repeat(
    clock,
    1_000,
    async () => {
      began.push(clock.now() - startAt)
      await sleep(clock, 500)
      throw began.length
    },
    (error) => failures.push(error),
  )
  await clock.advance(4_200)
  expect(began).toEqual([1_000, 2_500, 4_000])
  expect(failures).toEqual([1, 2])
  // While it is under way.
  timer.cancel()
  await clock.advance('1m')
  expect(began).toHaveLength(3)
  expect(clock.timers).toBe(0)
})
