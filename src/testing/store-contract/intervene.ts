import assert from 'node:assert/strict'
import { contractCases } from './contract-case.ts'
import { defined, only } from './scene.ts'

/** What people and callers ask of a run. */
export const interveneCases = contractCases('intervene', {
  'is kept whole, needs no epoch, and stands at its run': async (scene) => {
    const event = await scene.accept()
    await scene.world.advance(scene.world.leaseMs * 2)
    const ask = scene.ask(event, { id: 'i1', verb: 'signal', name: 'paid', detail: '{"by":"ann"}', reason: 'asked' })
    const position = await scene.asked(ask)
    const { at, ...kept } = only((await scene.record(event)).interventions)
    assert.deepEqual(kept, { ...ask, position, answer: undefined })
    assert.equal(at >= event.acceptedAt, true)
  },
  'the same key again answers the same, and counts once': async (scene) => {
    const event = await scene.accept()
    const ask = scene.ask(event)
    const { intervene } = await scene.store.commit({ intervene: [ask, ask] })
    assert.deepEqual(intervene[0], intervene[1])
    assert.deepEqual(await scene.intervene(ask), intervene[0])
    assert.equal((await scene.record(event)).interventions.length, 1)
  },
  'the same id again, for the same run and verb, is a duplicate': async (scene) => {
    const event = await scene.accept()
    const first = scene.ask(event, { id: 'i1', verb: 'signal', name: 'paid' })
    await scene.asked(first)
    const again = scene.ask(event, { id: 'i1', verb: 'signal', name: 'paid', detail: '{"other":1}' })
    assert.deepEqual(await scene.intervene(again), { outcome: 'duplicate', original: first.key })
    assert.equal((await scene.record(event)).interventions.length, 1)
  },
  'the same id for another verb, run or event is another intervention': async (scene) => {
    const [event, other] = [await scene.accept(), await scene.accept()]
    await scene.asked(scene.ask(event, { id: 'i1', verb: 'signal', name: 'paid' }))
    await scene.asked(scene.ask(event, { id: 'i1', verb: 'cancel' }))
    await scene.asked(scene.ask(event, { id: 'i1', verb: 'signal', name: 'paid', tag: 'zzzzzzzz' }))
    await scene.asked(scene.ask(other, { id: 'i1', verb: 'signal', name: 'paid' }))
  },
  'without an id every one is kept': async (scene) => {
    const event = await scene.accept()
    await scene.asked(scene.ask(event, { verb: 'signal', name: 'paid' }))
    await scene.asked(scene.ask(event, { verb: 'signal', name: 'paid' }))
    assert.equal((await scene.record(event)).interventions.length, 2)
  },
  'for an event that is not there: not_found': async (scene) => {
    const event = await scene.accept()
    const missing = { ...scene.ask(event), event: scene.item().key }
    assert.deepEqual(await scene.intervene(missing), { outcome: 'not_found' })
  },
  'finds an event accepted in the same commit': async (scene) => {
    const item = scene.item()
    const ask = { ...scene.ask(await scene.accept()), event: item.key }
    const { intervene } = await scene.store.commit({ accept: [item], intervene: [ask] })
    assert.equal(intervene[0]?.outcome, 'written')
  },
  'positions grow in commit order, above the event': async (scene) => {
    const event = await scene.accept()
    const positions = [await scene.asked(scene.ask(event)), await scene.asked(scene.ask(event))]
    const [first, second] = positions
    assert.equal(event.position < defined(first) && defined(first) < defined(second), true)
  },
  'the first answer stays': async (scene) => {
    const event = await scene.accept()
    const ask = scene.ask(event)
    await scene.asked(ask)
    assert.equal(await scene.answer(ask, scene.owned(0), 'refused', 'completed'), 'written')
    assert.equal(await scene.answer(ask, scene.owned(0), 'applied'), 'written')
    const { answer } = only((await scene.record(event)).interventions)
    assert.deepEqual(answer, { outcome: 'refused', reason: 'completed' })
  },
  'history shows it with its answer, in its place': async (scene) => {
    const event = await scene.accept()
    const ask = scene.ask(event)
    await scene.asked(ask)
    await scene.begin(scene.begun(event))
    await scene.answer(ask, scene.owned(0))
    const history = await scene.store.history(event.key)
    assert.deepEqual(
      history.map(({ kind }) => kind),
      ['accepted', 'intervention', 'begin'],
    )
    const [, entry] = history
    assert.equal(entry?.kind === 'intervention' && entry.answer?.outcome, 'applied')
  },
  'signals that came before anything ran are there when it runs (G5)': async (scene) => {
    const event = await scene.accept()
    await scene.asked(scene.ask(event, { verb: 'signal', name: 'paid', detail: '7' }))
    const [found] = (await scene.tail(scene.owned(0))).events
    assert.equal(only(found?.runs ?? []).interventions[0]?.detail, '7')
  },
})
