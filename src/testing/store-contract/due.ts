import assert from 'node:assert/strict'
import type { DuePlace } from '../../store/store.ts'
import { contractCases } from './contract-case.ts'
import { only } from './scene.ts'

/** Scheduled work whose time comes. */
export const dueCases = contractCases('due', {
  'brings standing runs whose time has come, oldest first, with event and steps (G5)': async (scene) => {
    const events = [await scene.accept(), await scene.accept({ shard: 1 }), await scene.accept()]
    for (const [index, event] of events.entries()) {
      await scene.checkpoint(scene.result(event, 'charge'))
      await scene.settle(scene.settlement(event, { status: 'scheduled', reason: 'retry', dueAt: 300 - index * 100 }))
    }
    const page = await scene.store.due([scene.owned(0), scene.owned(1)], 250, 10)
    assert.deepEqual(
      page.runs.map(({ event }) => event.key),
      [events[2]?.key, events[1]?.key],
    )
    const [first] = page.runs
    assert.equal(first?.run.state?.reason, 'retry')
    assert.equal(first?.run.checkpoints.length, 1)
    assert.deepEqual(first?.owned, scene.owned(0))
    assert.equal(page.nextDueAt, 300)
  },
  'a run is due at its very time': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 500 }))
    assert.equal((await scene.store.due([scene.owned(0)], 499, 10)).runs.length, 0)
    assert.equal((await scene.store.due([scene.owned(0)], 500, 10)).runs.length, 1)
  },
  'a page that was cut names when the next one is due': async (scene) => {
    for (const dueAt of [10, 20, 30]) {
      await scene.settle(scene.settlement(await scene.accept(), { status: 'scheduled', dueAt }))
    }
    const page = await scene.store.due([scene.owned(0)], 100, 2)
    assert.deepEqual(
      page.runs.map(({ run }) => run.state?.dueAt),
      [10, 20],
    )
    assert.equal(page.nextDueAt, 30)
  },
  'goes on after a place, also between two runs of one event': async (scene) => {
    const event = await scene.accept()
    const other = { ...scene.run(event), tag: 'zzzzzzzz' }
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    await scene.settle({ ...scene.settlement(event, { status: 'scheduled', dueAt: 10 }), run: other })
    await scene.settle(scene.settlement(await scene.accept(), { status: 'scheduled', dueAt: 20 }))
    const places: string[] = []
    let after: DuePlace | undefined
    do {
      const { runs } = await scene.store.due([scene.owned(0)], 100, 1, after)
      after = undefined
      for (const { run } of runs) {
        places.push(`${run.state?.dueAt} ${run.tag === 'zzzzzzzz'}`)
        after = { dueAt: run.state?.dueAt ?? 0, position: run.position, tag: run.tag }
      }
    } while (after)
    assert.deepEqual(places, ['10 false', '10 true', '20 false'])
  },
  'a run that settled again stands by its latest settlement alone': async (scene) => {
    const [later, ended] = [await scene.accept(), await scene.accept()]
    for (const event of [later, ended]) {
      await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    }
    await scene.settle(scene.settlement(later, { status: 'scheduled', dueAt: 90, turn: 2 }))
    await scene.settle(scene.settlement(ended, { turn: 2 }))
    assert.deepEqual(await scene.store.due([scene.owned(0)], 50, 10), { runs: [], nextDueAt: 90 })
  },
  'a wait without a time limit is never due': async (scene) => {
    await scene.settle(scene.settlement(await scene.accept(), { status: 'waiting', waitingFor: ['paid'] }))
    assert.deepEqual(await scene.store.due([scene.owned(0)], Number.MAX_SAFE_INTEGER, 10), {
      runs: [],
      nextDueAt: undefined,
    })
  },
  'only of the pairs that are named': async (scene) => {
    const event = await scene.accept({ shard: 1 })
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    assert.deepEqual(await scene.store.due([scene.owned(0)], 100, 10), { runs: [], nextDueAt: undefined })
  },
  'a run of another group is due there alone': async (scene) => {
    await scene.beat('mailer', { group: 'mail', handlers: ['send'] })
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    assert.equal((await scene.store.due([scene.owned(0, 'mail')], 100, 10)).runs.length, 0)
    assert.equal((await scene.store.due([scene.owned(0)], 100, 10)).runs.length, 1)
  },
  'it keeps coming until it is settled: reading takes nothing': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    for (let reads = 0; reads < 2; reads++) {
      assert.equal(only((await scene.store.due([scene.owned(0)], 100, 10)).runs).event.key, event.key)
    }
  },
})
