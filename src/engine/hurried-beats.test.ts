import { expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { HurriedBeats } from './hurried-beats.ts'

it('beats at once, then not more often than the limit says, however often it is asked', async () => {
  const clock = new FakeClock()
  const atMs: number[] = []
  const startMs = clock.monotonicMs()
  const beats = new HurriedBeats(clock, async () => void atMs.push(clock.monotonicMs() - startMs))
  for (let asked = 0; asked < 3; asked++) beats.ask()
  await clock.advance(1)
  beats.ask()
  beats.ask()
  await clock.advance('10s')
  expect(atMs).toEqual([0, limits.shareBeatMs])
})

it('beats no more once it is stopped', async () => {
  const clock = new FakeClock()
  let count = 0
  const beats = new HurriedBeats(clock, async () => void count++)
  beats.ask()
  beats.stop()
  beats.ask()
  await clock.advance('10s')
  expect(count).toBe(0)
})
