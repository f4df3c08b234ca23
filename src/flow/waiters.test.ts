import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { Waiters } from './waiters.ts'

it('passes over those that have given up', async () => {
  const clock = new FakeClock()
  const waiters = new Waiters(clock)
  const early = waiters.wait(10)
  const patient = waiters.wait(1_000)
  await clock.advance(20)
  expect([await early, waiters.count]).toEqual([false, 1])
  let passes = 1
  waiters.letGo(() => passes-- > 0)
  expect([await patient, waiters.count, passes]).toEqual([true, 0, 0])
})

it('does not wait at all for who is aborted, or has no time', async () => {
  const waiters = new Waiters(new FakeClock())
  expect(await waiters.wait(1_000, AbortSignal.abort())).toBe(false)
  expect(await waiters.wait(0)).toBe(false)
  expect(waiters.count).toBe(0)
})
