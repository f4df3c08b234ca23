import { describe, expect, it } from 'vitest'
import { callers } from '../../test/support/calls.ts'
import { dependency } from './dependency.ts'

/** A node's state of a dependency of 100 calls a second, all of them lent to it. */
function limited() {
  const { clock, dependencies } = callers()
  const state = dependencies.of(dependency('bank', { rate: '100/s' }))
  state.lent(new Map([['rate:bank', 100]]))
  /** Begins as many as have room for so long; each calls at once, if it is told to. */
  const begins = async (ms: number, call: boolean) => {
    let count = 0
    for (let at = 0; at < ms; at += 5) {
      await clock.advance(5)
      while (state.hasRoom && count < ms) {
        const run = state.begin()
        count++
        if (call) void state.rate.take(1_000).then(() => state.waited(run, 0))
      }
    }
    return count
  }
  return { begins }
}

describe('runs begin for a rate', () => {
  it('G8: as many as it lets call, however long those that have called take', async () => {
    const { begins } = limited()
    const count = await begins(5_000, true)
    expect(count).toBeGreaterThanOrEqual(480)
    expect(count).toBeLessThanOrEqual(500)
  })

  it('but few that have not called yet: they hold slots of their node', async () => {
    const { begins } = limited()
    expect(await begins(5_000, false)).toBeLessThanOrEqual(5)
  })
})
