import { describe, expect, it } from 'vitest'
import { FakeClock } from './fake-clock.ts'

describe('fake clock', () => {
  it('fires timers in the order of their time, and runs what each wakes before the next', async () => {
    const clock = new FakeClock(0)
    const log: string[] = []
    clock.setTimer(20, () => log.push(`b ${clock.now()}`))
    clock.setTimer(10, () => {
      log.push(`a ${clock.now()}`)
      clock.turn(() => {
        log.push(`turn ${clock.now()}`)
        clock.setTimer(5, () => log.push(`c ${clock.now()}`))
      })
    })
    clock.setTimer(30, () => log.push('never')).cancel()
    await clock.advance('100ms')
    expect(log).toEqual(['a 10', 'turn 10', 'c 15', 'b 20'])
    expect(clock.now()).toBe(100)
  })

  it('keeps the monotonic clock when the wall clock jumps', () => {
    const clock = new FakeClock(5_000)
    const before = clock.monotonicMs()
    clock.jump(-3_000)
    expect(clock.now()).toBe(2_000)
    expect(clock.monotonicMs()).toBe(before)
  })
})
