import { describe, expect, it } from 'vitest'
import { Aborts } from './aborts.ts'

describe('the signals of an attempt', () => {
  it('abort with it, its own and those of calls under way', () => {
    const aborts = new Aborts()
    const { signal } = aborts
    const call = aborts.begin()
    expect([signal.aborted, call.signal.aborted]).toEqual([false, false])
    aborts.abort()
    expect([signal.aborted, call.signal.aborted]).toEqual([true, true])
    expect(signal).toBe(aborts.signal)
  })

  it('are left alone once the call has settled', () => {
    const aborts = new Aborts()
    const call = aborts.begin()
    aborts.end(call)
    aborts.abort()
    expect(call.signal.aborted).toBe(false)
  })

  it('are aborted from the first where they are asked for after the end', () => {
    const aborts = new Aborts()
    aborts.abort()
    expect([aborts.signal.aborted, aborts.begin().signal.aborted]).toEqual([true, true])
  })
})
