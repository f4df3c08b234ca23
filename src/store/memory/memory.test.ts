import { describe, expect, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { type ContractWorld, storeContract } from '../../testing/store-contract/index.ts'
import { type MemoryOptions, memoryStore, memoryWorld } from './index.ts'

const seed = 1

function contractWorld(options: Omit<MemoryOptions, 'clock'>): ContractWorld {
  const clock = new FakeClock()
  const shards = 16
  const world = memoryWorld({ clock, shards, ...options })
  return {
    open: async () => world.connect(),
    restart: async () => world.connect(),
    advance: (ms) => clock.advance(ms),
    shards,
    leaseMs: 1_000,
    seed,
  }
}

for (const acceptSpans of [true, false]) {
  describe(`memory store, acceptSpans ${acceptSpans}, seed ${seed}`, () => {
    const { abilities } = memoryStore({ clock: new FakeClock(), acceptSpans })
    for (const one of storeContract) {
      const reason = one.needs?.(abilities)
      const name = `${one.group}: ${one.name}${reason === undefined ? '' : ` (not held to it: ${reason})`}`
      it.skipIf(reason !== undefined)(name, () => one.run(contractWorld({ acceptSpans })))
    }
  })
}

describe('memory store', () => {
  it('moves an event to its shard later, where accepts do not span', async () => {
    const clock = new FakeClock()
    const store = memoryStore({ clock, shards: 2, acceptSpans: false })
    const { owned } = await store.own(nodeBeat({ node: 'one', group: 'pay', handlers: ['settle'], leaseMs: 1_000 }))
    const cursors = owned.map((grant) => ({ ...grant, cursor: 0 }))
    const works: number[] = []
    store.onWork(() => works.push(clock.now()))
    const item = acceptItem()
    const [{ accept }, [early]] = await Promise.all([
      store.commit({ accept: [item] }),
      store.tail({ cursors, limit: 10 }),
    ])
    expect(accept).toEqual([{ outcome: 'accepted', acceptedAt: clock.now(), position: undefined }])
    expect(early?.events).toEqual([])
    await clock.settle()
    const [page] = await store.tail({ cursors, limit: 10 })
    expect(page?.events.map(({ event }) => event.key)).toEqual([item.key])
    expect(works.length).toBeGreaterThan(0)
  })

  it('answers store_unavailable once it is closed', async () => {
    const store = memoryStore({ clock: new FakeClock() })
    await store.close()
    await expect(store.counts()).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})
