import assert from 'node:assert/strict'
import { contractCases, manyNodes } from './contract-case.ts'
import { defined } from './scene.ts'

/** A stale node changes nothing. */
export const epochCases = contractCases(
  'epochs',
  {
    'after a takeover every decision of the old owner is stale, and nothing of it is written (G6)': async (scene) => {
      const event = await scene.accept()
      const ask = scene.ask(event)
      await scene.asked(ask)
      const begin = scene.begun(event)
      const checkpoint = scene.result(event, 'charge', { emits: [scene.item({ id: 'emitted' })] })
      const settle = scene.settlement(event, { seenIntervention: Number.MAX_SAFE_INTEGER })
      const answer = { owned: scene.owned(0), intervention: ask.key, outcome: 'applied' } as const
      await scene.takeover()
      const before = await scene.store.history(event.key)
      const result = await scene.store.commit({
        begin: [begin],
        checkpoint: [checkpoint],
        settle: [settle],
        answer: [answer],
      })
      assert.deepEqual(result.begin, ['stale'])
      assert.deepEqual(result.checkpoint, [{ outcome: 'stale' }])
      assert.deepEqual(result.settle, ['stale'])
      assert.deepEqual(result.answer, ['stale'])
      assert.deepEqual(await scene.store.history(event.key), before)
      assert.equal((await scene.store.counts()).events, 1)
    },
    'one stale item spoils no other of its batch (G6)': async (scene) => {
      const [one, two] = [await scene.accept(), await scene.accept()]
      const stale = scene.settlement(one)
      await scene.takeover()
      const { settle } = await scene.store.commit({ settle: [stale, scene.settlement(two)] })
      assert.deepEqual(settle, ['stale', 'settled'])
    },
    'a decision committed before the takeover answers the same when it is asked after it (G6)': async (scene) => {
      const event = await scene.accept()
      const batch = {
        begin: [scene.begun(event)],
        checkpoint: [scene.result(event, 'charge')],
        settle: [scene.settlement(event)],
      }
      const first = await scene.store.commit(batch)
      await scene.takeover()
      assert.deepEqual(await scene.store.commit(batch), first)
    },
    'an epoch that was never granted is stale': async (scene) => {
      const event = await scene.accept()
      for (const epoch of [0, scene.owned(0).epoch + 1]) {
        const owned = { ...scene.owned(0), epoch }
        assert.equal(await scene.settle(scene.settlement(event, {}, { owned })), 'stale')
      }
      const owned = { ...scene.owned(0), group: 'nobody' }
      assert.equal(await scene.settle(scene.settlement(event, {}, { owned })), 'stale')
    },
    'tail of a stale pair says so and brings nothing (G6)': async (scene) => {
      await scene.accept()
      const { before } = await scene.takeover()
      const page = await scene.tail(defined(before.find((owned) => owned.shard === 0)))
      assert.equal(page.stale, true)
      assert.deepEqual([page.events, page.interventions, page.standing], [[], [], []])
    },
    'due leaves stale pairs out (G6)': async (scene) => {
      const event = await scene.accept()
      await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 1 }))
      const { before } = await scene.takeover()
      assert.deepEqual((await scene.store.due(before, 2, 10)).runs, [])
      assert.equal((await scene.store.due([scene.owned(0)], 2, 10)).runs.length, 1)
    },
    "another owner's result of the same step and attempt number is refused, not taken for its own (G3, G6)": async (
      scene,
    ) => {
      const event = await scene.accept()
      await scene.checkpoint(scene.result(event, 'charge', { value: '"first"' }))
      await scene.takeover()
      const answer = await scene.checkpoint(scene.result(event, 'charge', { value: '"second"' }))
      assert.equal(answer.outcome, 'refused')
      assert.equal(answer.outcome === 'refused' && answer.checkpoint.value, '"first"')
    },
    'low marks of a stale owner count for nothing (G5)': async (scene) => {
      const event = await scene.accept()
      const { before } = await scene.takeover()
      const old = defined(before.find((owned) => owned.shard === 0))
      await scene.beat('one', { lowMarks: [{ ...old, position: event.position + 1_000 }] })
      await scene.takeover('three')
      const page = await scene.tail(scene.owned(0))
      assert.deepEqual(
        page.events.map((one) => one.event.key),
        [event.key],
      )
    },
  },
  manyNodes,
)
