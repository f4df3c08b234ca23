import assert from 'node:assert/strict'
import { contractCases } from './contract-case.ts'
import { defined, only, textOfBody } from './scene.ts'

/** What was answered is there after the process is gone. */
export const crashCases = contractCases('crash', {
  'a receipt means that the event is there after a restart (G1)': async (scene) => {
    const item = scene.item()
    await scene.tryAccept(item)
    const store = await scene.world.restart()
    const event = defined(await store.event(item.key))
    assert.equal(textOfBody(event), new TextDecoder().decode(item.body))
    assert.equal((await scene.tryAccept(scene.again(item), store)).outcome, 'duplicate')
  },
  'a commit without a reply may be asked again after a restart, and counts once (G1, G6)': async (scene) => {
    const event = await scene.accept()
    const batch = {
      accept: [scene.item()],
      intervene: [scene.ask(event, { tag: 'zzzzzzzz' })],
      begin: [scene.begun(event)],
      checkpoint: [scene.result(event, 'charge', { emits: [scene.item()] })],
      settle: [scene.settlement(event)],
    }
    const first = await scene.store.commit(batch)
    const history = await scene.store.history(event.key)
    const store = await scene.world.restart()
    assert.deepEqual(await store.commit(batch), first)
    assert.deepEqual(await store.history(event.key), history)
    assert.equal((await store.counts()).events, 3)
  },
  'a commit cut off by a crash is there whole or not at all, item by item': async (scene) => {
    const event = await scene.accept()
    const emitted = scene.item()
    const cut = scene.store.commit({ checkpoint: [scene.result(event, 'emit', { emits: [emitted] })] })
    cut.catch(() => {})
    const store = await scene.world.restart()
    const written = defined(await store.run(event.key, scene.tag)).checkpoints.length
    assert.equal((await store.event(emitted.key)) === undefined ? 0 : 1, written)
  },
  'leases, epochs and low marks outlive the process: its successor takes over with a higher epoch (G6)': async (
    scene,
  ) => {
    const event = await scene.accept()
    const before = scene.owned(0)
    scene.store = await scene.world.restart()
    await scene.world.advance(scene.world.leaseMs + 1)
    const { owned } = await scene.beat('two', {}, scene.store)
    const grant = defined(owned.find((one) => one.shard === 0))
    assert.deepEqual([grant.epoch, grant.graceful], [before.epoch + 1, false])
    assert.equal(await scene.settle(scene.settlement(event, {}, { owned: before })), 'stale')
    assert.equal(only((await scene.tail(scene.owned(0))).events).event.key, event.key)
  },
  'standing runs are due, and unanswered interventions come, after a restart (G5)': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 10 }))
    const ask = scene.ask(event)
    await scene.asked(ask)
    scene.store = await scene.world.restart()
    await scene.world.advance(scene.world.leaseMs + 1)
    await scene.beat('two', {}, scene.store)
    assert.equal(only((await scene.store.due([scene.owned(0)], 10, 10)).runs).event.key, event.key)
    assert.equal(only((await scene.tail(scene.owned(0))).interventions).key, ask.key)
  },
  'registry, secrets and settings are kept': async (scene) => {
    await scene.store.secret('key', new Uint8Array([7]))
    const settings = await scene.store.changeSetting({ verb: 'pause', what: 'handler', name: 'settle', actor: 'ann' })
    const registry = await scene.store.registry()
    const store = await scene.world.restart()
    assert.deepEqual(await store.registry(), registry)
    assert.deepEqual(await store.settings(), settings)
    assert.deepEqual([...(await store.secret('key', new Uint8Array([8])))], [7])
  },
  'positions go on growing after a restart': async (scene) => {
    const event = await scene.accept()
    scene.store = await scene.world.restart()
    assert.equal((await scene.accept()).position > event.position, true)
  },
  'migrate may be called again, and by several at once': async (scene) => {
    const event = await scene.accept()
    await Promise.all([scene.store.migrate(), scene.store.migrate()])
    assert.equal((await scene.store.event(event.key))?.key, event.key)
  },
  'close waits for commits under way, and may be called twice': async (scene) => {
    const item = scene.item()
    const commit = scene.tryAccept(item)
    await scene.store.close()
    assert.equal((await commit).outcome, 'accepted')
    await scene.store.close()
    const store = await scene.world.restart()
    assert.equal((await store.event(item.key))?.key, item.key)
  },
})
