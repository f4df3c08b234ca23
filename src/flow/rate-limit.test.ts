import { describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { RateLimit } from './rate-limit.ts'

describe('a pause', () => {
  it('lets none pass until it is over, with a rate and without one; and then as before', async () => {
    for (const perSecond of [undefined, 10]) {
      const clock = new FakeClock()
      const rate = new RateLimit(clock)
      rate.set(perSecond)
      await clock.advance('1s')
      rate.pause(3_000)
      expect([rate.tryTake(), rate.inMs, rate.pausedMs]).toEqual([false, 3_000, 3_000])
      const went: number[] = []
      const from = clock.monotonicMs()
      for (let each = 0; each < 3; each++) {
        void rate.take(5_000).then((given) => given && went.push(clock.monotonicMs() - from))
      }
      await clock.advance('5s')
      expect(went).toEqual(perSecond ? [3_000, 3_080, 3_180] : [3_000, 3_000, 3_000])
    }
  })

  it('is not shortened by a shorter one', () => {
    const rate = new RateLimit(new FakeClock())
    rate.pause(3_000)
    rate.pause(1_000)
    expect(rate.pausedMs).toBe(3_000)
  })

  it('is not waited for by who cannot wait so long', async () => {
    const clock = new FakeClock()
    const rate = new RateLimit(clock)
    rate.pause(3_000)
    expect(await rate.take(3_000)).toBe(false)
  })
})
