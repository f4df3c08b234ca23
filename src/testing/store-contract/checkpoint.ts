import assert from 'node:assert/strict'
import type { StepAddress } from '../../event/run.ts'
import { contractCases } from './contract-case.ts'
import { defined, only, step } from './scene.ts'

/** Steps' results. */
export const checkpointCases = contractCases('checkpoint', {
  'a step has at most one result: the first stays, another attempt gets it (G3)': async (scene) => {
    const event = await scene.accept()
    assert.deepEqual(await scene.checkpoint(scene.result(event, 'charge', { value: '"c1"' })), { outcome: 'written' })
    const answer = await scene.checkpoint(scene.result(event, 'charge', { value: '"c2"', attempt: 2 }))
    assert.equal(answer.outcome, 'refused')
    assert.equal(answer.outcome === 'refused' && answer.checkpoint.value, '"c1"')
    assert.equal(answer.outcome === 'refused' && answer.checkpoint.attempt, 1)
    assert.equal(only((await scene.record(event)).checkpoints).value, '"c1"')
  },
  'the same item again is written again, and counts once (G3)': async (scene) => {
    const event = await scene.accept()
    const item = scene.result(event, 'charge')
    const { checkpoint } = await scene.store.commit({ checkpoint: [item, item] })
    assert.deepEqual(checkpoint, [{ outcome: 'written' }, { outcome: 'written' }])
    assert.equal((await scene.record(event)).checkpoints.length, 1)
    assert.equal((await scene.store.history(event.key)).length, 2)
  },
  'keeps all that it was given': async (scene) => {
    const event = await scene.accept()
    const item = scene.result(event, 'wait', {
      step: { kind: 'waitFor', name: 'wait', of: 'a/b' },
      error: { code: 'wait_timeout', message: 'none came', step: 'wait' },
      until: 7_000,
      signal: event.key,
      undoable: true,
    })
    await scene.checkpoint(item)
    const { epoch, order, ...kept } = only((await scene.record(event)).checkpoints)
    const { owned, run: _run, ...given } = item
    assert.deepEqual(kept, given)
    assert.equal(epoch, owned.epoch)
    assert.equal(Number.isSafeInteger(order), true)
  },
  'a result may be absent, null or long': async (scene) => {
    const event = await scene.accept()
    const { value: _value, ...absent } = scene.result(event, 'absent')
    const long = JSON.stringify('é'.repeat(200_000))
    await scene.store.commit({
      checkpoint: [
        absent,
        scene.result(event, 'null', { value: 'null' }),
        scene.result(event, 'long', { value: long }),
      ],
    })
    const { checkpoints } = await scene.record(event)
    assert.deepEqual(
      checkpoints.map(({ value }) => value),
      [undefined, 'null', long],
    )
  },
  'kind, name and loop item together name a step, and nothing runs together at their seams': async (scene) => {
    const event = await scene.accept()
    const steps: StepAddress[] = [
      step('a'),
      step('a', 'b'),
      step('a/b'),
      step('a', 'B'),
      { kind: 'undo', name: 'a', of: '' },
      { kind: 'sleep', name: 'a', of: '' },
    ]
    const items = steps.map((address, index) => scene.result(event, 'a', { step: address, value: String(index) }))
    const { checkpoint } = await scene.store.commit({ checkpoint: items })
    assert.deepEqual(new Set(checkpoint.map(({ outcome }) => outcome)), new Set(['written']))
    const { checkpoints } = await scene.record(event)
    assert.deepEqual(
      checkpoints.map((one) => one.step),
      steps,
    )
  },
  'order grows in commit order': async (scene) => {
    const event = await scene.accept()
    for (const name of ['z', 'a', 'm']) await scene.checkpoint(scene.result(event, name))
    const { checkpoints } = await scene.record(event)
    assert.deepEqual(
      checkpoints.map((one) => one.step.name),
      ['z', 'a', 'm'],
    )
    const orders = checkpoints.map(({ order }) => order)
    assert.deepEqual(
      orders,
      [...orders].sort((a, b) => a - b),
    )
    assert.equal(new Set(orders).size, 3)
  },
  'follow-up events are committed with it (G4)': async (scene) => {
    const event = await scene.accept()
    const emitted = scene.item()
    await scene.checkpoint(scene.result(event, 'emit', { emits: [emitted] }))
    assert.equal(defined(await scene.store.event(emitted.key)).id, emitted.id)
  },
  'a checkpoint asked again emits once (G4)': async (scene) => {
    const event = await scene.accept()
    const item = scene.result(event, 'emit', { emits: [scene.item()] })
    await scene.checkpoint(item)
    await scene.checkpoint(item)
    assert.equal((await scene.store.counts()).events, 2)
  },
  'a refused checkpoint emits nothing (G4)': async (scene) => {
    const event = await scene.accept()
    await scene.checkpoint(scene.result(event, 'emit'))
    const item = scene.result(event, 'emit', { attempt: 2, emits: [scene.item()] })
    assert.equal((await scene.checkpoint(item)).outcome, 'refused')
    assert.equal((await scene.store.counts()).events, 1)
  },
  'what a checkpoint emits is deduplicated as any accept: another run of the step makes no second event (G2, G4)':
    async (scene) => {
      const event = await scene.accept()
      const emitted = scene.item()
      await scene.checkpoint(scene.result(event, 'one', { emits: [emitted] }))
      assert.deepEqual(await scene.checkpoint(scene.result(event, 'two', { emits: [scene.again(emitted)] })), {
        outcome: 'written',
      })
      assert.equal((await scene.store.counts()).events, 2)
      assert.equal((await scene.store.history(emitted.key)).at(-1)?.kind, 'duplicate')
    },
  'runs of two handlers at one event keep their steps apart': async (scene) => {
    const event = await scene.accept()
    const other = { ...scene.run(event), tag: 'zzzzzzzz' }
    await scene.checkpoint(scene.result(event, 'charge', { value: '1' }))
    await scene.checkpoint(scene.result(event, 'charge', { value: '2', run: other }))
    assert.equal(only((await scene.record(event)).checkpoints).value, '1')
    assert.equal(only(defined(await scene.store.run(event.key, 'zzzzzzzz')).checkpoints).value, '2')
  },
  'a begin says what an undo and a doubt need to know of its step (G4)': async (scene) => {
    const event = await scene.accept()
    const safety = { undoable: true, guard: 'confirm' } as const
    await scene.store.commit({ begin: [scene.begun(event, { step: step('charge'), ...safety }), scene.begun(event)] })
    const { begins } = await scene.record(event)
    assert.deepEqual(
      begins.map(({ step: address, undoable, guard }) => [address?.name, undoable, guard]),
      [
        ['charge', true, 'confirm'],
        [undefined, undefined, undefined],
      ],
    )
  },
  'a settlement keeps what its tried steps are and failed with, and when a verb set the run going (G4)': async (
    scene,
  ) => {
    const event = await scene.accept()
    const error = { code: 'TypeError', message: 'connection reset' }
    const tried = [
      { step: step('charge'), firstTriedAt: 1, doubt: true, undoable: true, guard: 'once' as const, error },
    ]
    const settlement = scene.settlement(event, { status: 'scheduled', openedAt: 2_500 })
    assert.equal(await scene.settle({ ...settlement, tried }), 'settled')
    const record = await scene.record(event)
    assert.deepEqual(record.tried, tried)
    assert.equal(record.state?.openedAt, 2_500)
  },
  'begin is named by generation, attempt and step, and counts once': async (scene) => {
    const event = await scene.accept()
    const items = [
      scene.begun(event),
      scene.begun(event),
      scene.begun(event, { step: step('charge') }),
      scene.begun(event, { attempt: 2 }),
    ]
    const { begin } = await scene.store.commit({ begin: items })
    assert.deepEqual(begin, ['written', 'written', 'written', 'written'])
    const { begins } = await scene.record(event)
    assert.deepEqual(
      begins.map((one) => [one.attempt, one.step?.name, one.at]),
      [
        [1, undefined, 1_500],
        [1, 'charge', 1_500],
        [2, undefined, 1_500],
      ],
    )
  },
})
