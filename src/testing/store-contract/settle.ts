import assert from 'node:assert/strict'
import { contractCases } from './contract-case.ts'
import { defined, step } from './scene.ts'

/** How a run stands. */
export const settleCases = contractCases('settle', {
  'keeps the state as it was given, whole': async (scene) => {
    const event = await scene.accept()
    const state = scene.state({
      status: 'scheduled',
      reason: 'retry',
      attempt: 3,
      failures: 2,
      losses: 1,
      failuresInAll: 4,
      dueAt: 9_000,
      waitingFor: ['paid'],
      result: '{"a":[1,null]}',
      error: { code: 'step_timeout', message: 'took long', stack: 'at charge', step: 'charge' },
      undoBegun: 'cancel',
      keySeries: 2,
      handlerVersion: '1.2.3',
      seenIntervention: 1,
    })
    assert.equal(await scene.settle(scene.settlement(event, state)), 'settled')
    assert.deepEqual((await scene.record(event)).state, state)
  },
  'the same settlement again is settled, and counts once (G6)': async (scene) => {
    const event = await scene.accept()
    const item = scene.settlement(event, {}, { attemptedAt: 4_000 })
    const { settle } = await scene.store.commit({ settle: [item, item] })
    assert.deepEqual(settle, ['settled', 'settled'])
    assert.equal(await scene.settle(item), 'settled')
    assert.equal((await scene.store.history(event.key)).length, 2)
  },
  'the same settlement again is settled even when later turns have passed (G6)': async (scene) => {
    const event = await scene.accept()
    const first = scene.settlement(event, { status: 'scheduled', dueAt: 1 })
    await scene.settle(first)
    await scene.settle(scene.settlement(event, { turn: 2 }))
    assert.equal(await scene.settle(first), 'settled')
    assert.equal((await scene.record(event)).state?.turn, 2)
  },
  'a turn that another settlement took is finished': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 1 }))
    assert.equal(await scene.settle(scene.settlement(event, { status: 'waiting' })), 'finished')
    assert.equal((await scene.record(event)).state?.status, 'scheduled')
  },
  'a generation that has ended never moves (G5)': async (scene) => {
    for (const status of ['completed', 'dead', 'cancelled'] as const) {
      const event = await scene.accept()
      await scene.settle(scene.settlement(event, { status }))
      assert.equal(await scene.settle(scene.settlement(event, { status: 'scheduled', turn: 2 })), 'finished')
      assert.equal((await scene.record(event)).state?.status, status)
    }
  },
  'a turn before the latest is finished': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', turn: 3 }))
    assert.equal(await scene.settle(scene.settlement(event, { status: 'waiting', turn: 2 })), 'finished')
  },
  'a new generation opens after one that ended, and the one before is finished': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    assert.equal(await scene.settle(scene.settlement(event, { status: 'ready', generation: 2 })), 'settled')
    assert.equal(await scene.settle(scene.settlement(event, { status: 'scheduled', turn: 2 })), 'finished')
    const { state } = await scene.record(event)
    assert.deepEqual([state?.generation, state?.status], [2, 'ready'])
  },
  'an intervention that the settlement did not see is answered look_again': async (scene) => {
    const event = await scene.accept()
    const position = await scene.asked(scene.ask(event))
    assert.equal(await scene.settle(scene.settlement(event)), 'look_again')
    assert.equal((await scene.record(event)).state, undefined)
    assert.equal(await scene.settle(scene.settlement(event, { seenIntervention: position })), 'settled')
  },
  'an intervention in the same commit counts as committed before': async (scene) => {
    const event = await scene.accept()
    const { settle } = await scene.store.commit({
      settle: [scene.settlement(event)],
      intervene: [scene.ask(event)],
    })
    assert.deepEqual(settle, ['look_again'])
  },
  'an intervention for another run does not count': async (scene) => {
    const [event, other] = [await scene.accept(), await scene.accept()]
    await scene.asked(scene.ask(event, { tag: 'zzzzzzzz' }))
    await scene.asked(scene.ask(other))
    assert.equal(await scene.settle(scene.settlement(event)), 'settled')
  },
  'where the generation has ended, an unseen intervention does not hide it: finished': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event))
    await scene.asked(scene.ask(event))
    assert.equal(await scene.settle(scene.settlement(event, { status: 'scheduled', turn: 2 })), 'finished')
  },
  'the same settlement again is settled, whatever was asked of the run since (G6)': async (scene) => {
    const event = await scene.accept()
    const item = scene.settlement(event, { status: 'waiting' })
    await scene.settle(item)
    await scene.asked(scene.ask(event))
    assert.equal(await scene.settle(item), 'settled')
  },
  'a new generation keeps the checkpoints unless told': async (scene) => {
    const event = await scene.accept()
    await scene.checkpoint(scene.result(event, 'charge', { value: '"c1"' }))
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    await scene.settle(scene.settlement(event, { status: 'ready', generation: 2 }))
    const { checkpoints } = await scene.record(event)
    assert.deepEqual(
      checkpoints.map(({ value, generation }) => ({ value, generation })),
      [{ value: '"c1"', generation: 2 }],
    )
    const again = scene.result(event, 'charge', { generation: 2, value: '"c2"' })
    assert.equal((await scene.checkpoint(again)).outcome, 'refused')
  },
  'a replay starts empty where it keeps none': async (scene) => {
    const event = await scene.accept()
    await scene.checkpoint(scene.result(event, 'charge'))
    await scene.settle(scene.settlement(event))
    const state = { status: 'ready', generation: 2 } as const
    await scene.settle(scene.settlement(event, state, { keepCheckpoints: 'none' }))
    assert.deepEqual((await scene.record(event)).checkpoints, [])
    const again = scene.result(event, 'charge', { generation: 2 })
    assert.equal((await scene.checkpoint(again)).outcome, 'written')
  },
  'a replay from a step drops it and those checkpointed after it': async (scene) => {
    const event = await scene.accept()
    for (const name of ['reserve', 'charge', 'book']) await scene.checkpoint(scene.result(event, name))
    await scene.settle(scene.settlement(event))
    const state = { status: 'ready', generation: 2 } as const
    await scene.settle(scene.settlement(event, state, { keepCheckpoints: { before: step('charge') } }))
    const { checkpoints } = await scene.record(event)
    assert.deepEqual(
      checkpoints.map((one) => one.step.name),
      ['reserve'],
    )
  },
  'what is carried over goes on into later generations, and stays out of the history': async (scene) => {
    const event = await scene.accept()
    await scene.checkpoint(scene.result(event, 'charge'))
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    await scene.settle(scene.settlement(event, { status: 'dead', generation: 2 }))
    await scene.settle(scene.settlement(event, { status: 'ready', generation: 3 }))
    assert.equal((await scene.record(event)).checkpoints.length, 1)
    const history = await scene.store.history(event.key)
    assert.deepEqual(
      history.map(({ kind }) => kind),
      ['accepted', 'checkpoint', 'settled', 'settled', 'settled'],
    )
  },
  'begins and tried steps are of the generation that the run is in': async (scene) => {
    const event = await scene.accept()
    const tried = [{ step: step('charge'), firstTriedAt: 1_000, doubt: true }]
    await scene.begin(scene.begun(event))
    await scene.settle(scene.settlement(event, { status: 'dead' }, { tried }))
    assert.deepEqual((await scene.record(event)).tried, tried)
    await scene.settle(scene.settlement(event, { status: 'ready', generation: 2 }))
    const { begins, tried: after } = await scene.record(event)
    assert.deepEqual([begins, after], [[], []])
  },
  "a later settlement's entry for a tried step replaces the earlier; a checkpoint ends it": async (scene) => {
    const event = await scene.accept()
    const first = { step: step('charge'), firstTriedAt: 1_000, doubt: true }
    const second = { step: step('charge'), firstTriedAt: 1_000, doubt: false }
    const other = { step: step('book'), firstTriedAt: 2_000, doubt: false, undoable: true }
    await scene.settle(scene.settlement(event, { status: 'scheduled' }, { tried: [first, other] }))
    await scene.settle(scene.settlement(event, { status: 'scheduled', turn: 2 }, { tried: [second] }))
    assert.deepEqual(new Set((await scene.record(event)).tried), new Set([second, other]))
    await scene.checkpoint(scene.result(event, 'charge'))
    assert.deepEqual((await scene.record(event)).tried, [other])
  },
  'checkpoint and settlement of one commit stand together': async (scene) => {
    const event = await scene.accept()
    const result = await scene.store.commit({
      settle: [scene.settlement(event)],
      checkpoint: [scene.result(event, 'charge')],
    })
    assert.deepEqual(result.settle, ['settled'])
    const run = await scene.record(event)
    assert.deepEqual([run.state?.status, run.checkpoints.length], ['completed', 1])
  },
  'an event that no handler took is claimed by a settlement': async (scene) => {
    const event = await scene.accept({ unclaimed: true, source: 'elsewhere' })
    assert.equal((await scene.store.counts()).unclaimed, 1)
    await scene.settle(scene.settlement(event, { status: 'ready', dueAt: 0 }))
    assert.equal((await scene.store.counts()).unclaimed, 0)
    assert.equal((await scene.store.searchEvents({ unclaimed: true, limit: 10 })).events.length, 0)
    assert.equal((await scene.store.due([scene.owned(0)], 0, 10)).runs.length, 1)
  },
  'history names the hand: handler, attempt and intervention': async (scene) => {
    const event = await scene.accept()
    const ask = scene.ask(event)
    const seenIntervention = await scene.asked(ask)
    const state = { status: 'cancelled', seenIntervention } as const
    await scene.settle(scene.settlement(event, state, { attemptedAt: 4_000, intervention: ask.key }))
    const entry = defined((await scene.store.history(event.key)).at(-1))
    assert.equal(entry.kind, 'settled')
    if (entry.kind !== 'settled') return
    assert.deepEqual(
      [entry.tag, entry.handler, entry.attemptedAt, entry.intervention, entry.epoch],
      [scene.tag, 'settle', 4_000, ask.key, scene.owned(0).epoch],
    )
  },
})
