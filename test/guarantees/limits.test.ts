import { describe, expect } from 'vitest'
import { dependency, handler } from '../../src/index.ts'
import { testWorld } from '../../src/testing/index.ts'
import { on, order, promise } from './promise.ts'

/** Three nodes of one store, whose runs call a bank; and the bank, which counts. */
async function threeNodes(options: Parameters<typeof dependency>[1], takesMs: number, isDeclared = true) {
  const bank = dependency('bank', options)
  const there = { isUp: true, inside: 0, most: 0, calledAt: [] as number[] }
  const pay = handler('pay', { ...on, uses: isDeclared ? [bank] : [], retry: { attempts: 2 } }, (_event, run) =>
    run.step('pay', () =>
      bank.call(async () => {
        there.calledAt.push(world.clock.now())
        there.inside++
        there.most = Math.max(there.most, there.inside)
        await new Promise<void>((resolve) => void world.clock.setTimer(takesMs, resolve))
        there.inside--
        if (!there.isUp) throw Object.assign(new Error('unavailable'), { status: 503 })
      }),
    ),
  )
  const world = await testWorld({ handlers: [pay], shards: 6 })
  const nodes = [world.hapax, await world.node([pay]), await world.node([pay])]
  // Until each has its part of the shards and of the limits.
  await world.advance('30s')
  const accept = async (count: number) => {
    const receipts = []
    const from = there.calledAt.length
    // Each keeps to itself what it accepts: so all of them have work.
    for (let index = 0; index < count; index++) {
      const receipt = await nodes[index % nodes.length]?.accept(order(`${from}-${index}`))
      if (receipt) receipts.push(receipt)
    }
    return receipts
  }
  return { world, there, accept }
}

/** The most of these instants within any span of so long. */
const mostWithin = (instants: readonly number[], spanMs: number) =>
  Math.max(...instants.map((from) => instants.filter((at) => at >= from && at < from + spanMs).length))

describe('G8', () => {
  promise('Rates, concurrency and circuits are shared by all nodes', async () => {
    const rated = await threeNodes({ rate: '20/s' }, 0)
    await rated.accept(300)
    await rated.world.advance('10s')
    expect(mostWithin(rated.there.calledAt, 5_000)).toBeLessThanOrEqual(105)
    expect(rated.there.calledAt.length).toBeGreaterThan(120)
    await rated.world.close()

    // Whether runs wait in line, or their calls inside.
    for (const isDeclared of [true, false]) {
      const counted = await threeNodes({ concurrency: 4, wait: '1m' }, 300, isDeclared)
      await counted.accept(60)
      await counted.world.advance('20s')
      expect(counted.there).toMatchObject({ most: 4, inside: 0 })
      expect(counted.there.calledAt.length).toBe(60)
      await counted.world.close()
    }
  })

  promise(
    ['Parking,', '. Beside them are calls of nodes that have not heard yet that a circuit has opened, for a beat'],
    async () => {
      const circuit = { failures: 3, within: '10s', cooldown: '20s' } as const
      const { world, there, accept } = await threeNodes({ circuit, concurrency: 6 }, 10)
      there.isUp = false
      const receipts = await accept(100)
      await world.until(async () => (await world.hapax.controls.dependency('bank')).circuit === 'open')
      await world.advance('2100ms')
      const calls = there.calledAt.length
      await world.advance('17s')
      expect(there.calledAt.length).toBe(calls)
      // Of all three one probes.
      await world.advance('15s')
      expect(there.calledAt.length).toBe(calls + 1)
      there.isUp = true
      for (const receipt of receipts)
        expect(await world.ended(receipt, '3m')).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
      await world.close()
    },
  )
})
