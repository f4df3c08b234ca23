import { describe, expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import { dependency } from '../flow/dependency.ts'
import type { Instant } from '../kit/clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

/** A service that is up or down, and counts who calls when. */
function service(now: () => Instant) {
  const calls: { readonly at: Instant; readonly id: string; readonly wasUp: boolean }[] = []
  return {
    calls,
    isUp: true,
    answer(id: string) {
      calls.push({ at: now(), id, wasUp: this.isUp })
      if (!this.isUp) throw Object.assign(new Error('unavailable'), { status: 503 })
      return `${id} done`
    },
  }
}

describe('an outage', () => {
  it('G8: parks runs at no cost of attempts, probes, and brings them back in waves, the oldest first', async () => {
    const bank = dependency('bank', { circuit: { failures: 3, within: '10s', cooldown: '5s' } })
    let now = () => 0
    const there = service(() => now())
    const pay = handler('pay', { ...on, uses: [bank], retry: { attempts: 2 } }, (event, run) =>
      run.step('pay', () => bank.call(() => there.answer(event.id))),
    )
    const world = await testWorld({ handlers: [pay], shards: 1 })
    now = () => world.clock.now()
    there.isUp = false
    const receipts = []
    for (let id = 0; id < 60; id++) {
      receipts.push(await world.hapax.accept(order(String(id))))
      await world.advance('100ms')
    }
    const whileDown = there.calls.length
    await world.advance('20s')
    // Three that opened it, what was under way with them, and probes: one each cooldown.
    expect(whileDown).toBeLessThan(8)
    expect(there.calls.length - whileDown).toBeLessThanOrEqual(4)
    expect(await world.hapax.runs.get(receipts[40]?.runs[0]?.id ?? '')).toMatchObject({
      status: 'parked',
      held: { reason: 'circuit_open', by: 'bank' },
      state: undefined,
    })
    there.isUp = true
    for (const receipt of receipts) {
      const view = await world.ended(receipt, '1m')
      expect(view).toMatchObject({ status: 'completed', state: { failures: 0, failuresInAll: 0 } })
    }
    const never = receipts.slice(20)
    const order_ = there.calls.filter(({ wasUp }) => wasUp).map(({ id }) => Number(id))
    expect(order_.filter((id) => id >= 20)).toEqual(never.map((_, index) => index + 20))
    await world.close()
  })
})
