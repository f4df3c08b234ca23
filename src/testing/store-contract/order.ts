import assert from 'node:assert/strict'
import type { RunStatus } from '../../event/run-status.ts'
import { contractCases, manyNodes } from './contract-case.ts'
import { only, type Scene } from './scene.ts'

const ordered = (scene: Scene) => scene.accept({ orderKey: 'k' })

const holding: RunStatus[] = ['scheduled', 'waiting', 'parked', 'unknown', 'undoing', 'dead']

/** What holds an order key. */
export const orderCases = contractCases(
  'order',
  {
    'after a takeover every standing run of an event with an order key is named: it may hold its key (G7)': async (
      scene,
    ) => {
      const keys: string[] = []
      for (const status of holding) {
        const event = await scene.accept({ orderKey: 'customer-7', tenant: 'acme' })
        keys.push(event.key)
        await scene.settle(scene.settlement(event, { status }))
      }
      await scene.takeover()
      const { standing } = await scene.tail(scene.owned(0))
      assert.deepEqual(
        standing.map((one) => [one.event, one.state.status]).sort(),
        keys.map((key, index) => [key, holding[index]]).sort(),
      )
      assert.deepEqual(new Set(standing.map((one) => `${one.tenant} ${one.orderKey} ${one.tag}`)).size, 1)
      assert.deepEqual([standing[0]?.tenant, standing[0]?.orderKey], ['acme', 'customer-7'])
    },
    'it is named also where the low mark has passed it (G7)': async (scene) => {
      const event = await scene.accept({ orderKey: 'k' })
      await scene.settle(scene.settlement(event, { status: 'waiting' }))
      await scene.beat('one', { lowMarks: [{ ...scene.owned(0), position: event.position + 1 }] })
      await scene.takeover()
      assert.equal(only((await scene.tail(scene.owned(0))).standing).event, event.key)
    },
    'completed and cancelled runs hold nothing (G7)': async (scene) => {
      for (const status of ['completed', 'cancelled'] as const) {
        await scene.settle(scene.settlement(await scene.accept({ orderKey: 'k' }), { status }))
      }
      await scene.takeover()
      assert.deepEqual((await scene.tail(scene.owned(0))).standing, [])
    },
    'a run without an order key holds nothing': async (scene) => {
      await scene.settle(scene.settlement(await scene.accept(), { status: 'waiting' }))
      await scene.takeover()
      assert.deepEqual((await scene.tail(scene.owned(0))).standing, [])
    },
    'events of one key are read in the order of their receipts (G7)': async (scene) => {
      const stores = [scene.store, await scene.world.open()]
      const keys: string[] = []
      for (let index = 0; index < 10; index++) {
        const item = scene.item({ orderKey: 'k' })
        await scene.tryAccept(item, stores[index % 2])
        keys.push(item.key)
      }
      const page = await scene.tail(scene.owned(0))
      assert.deepEqual(
        page.events.map(({ event }) => event.key),
        keys,
      )
    },
    'an event with an order key is in its shard before its receipt, a duplicate included (G7)': async (scene) => {
      const other = await scene.world.open()
      const item = scene.item({ orderKey: 'k' })
      await Promise.race([scene.tryAccept(item), scene.tryAccept(scene.again(item), other)])
      assert.equal((await scene.tail(scene.owned(0))).events.length, 1)
    },
    'of standing runs it is named which had begun, in this generation (G7)': async (scene) => {
      const [ready, settled, begun, again] = [
        await ordered(scene),
        await ordered(scene),
        await ordered(scene),
        await ordered(scene),
      ]
      await scene.settle(scene.settlement(ready, { status: 'ready', attempt: 0, dueAt: 1 }))
      await scene.settle(scene.settlement(settled, { status: 'scheduled', attempt: 1, dueAt: 1 }))
      await scene.settle(scene.settlement(begun, { status: 'ready', attempt: 0, dueAt: 1 }))
      await scene.begin(scene.begun(begun))
      await scene.begin(scene.begun(again))
      await scene.settle(scene.settlement(again, { status: 'ready', attempt: 0, dueAt: 1, generation: 2 }))
      await scene.takeover()
      const { standing } = await scene.tail(scene.owned(0))
      const isBegun = new Map(standing.map((one) => [one.event, one.begun]))
      assert.deepEqual(
        [ready, settled, begun, again].map(({ key }) => isBegun.get(key)),
        [false, true, true, false],
      )
    },
    'a standing head that ended is no longer named': async (scene) => {
      const event = await scene.accept({ orderKey: 'k' })
      await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 1 }))
      await scene.settle(scene.settlement(event, { turn: 2 }))
      await scene.takeover()
      assert.deepEqual((await scene.tail(scene.owned(0))).standing, [])
    },
  },
  manyNodes,
)
