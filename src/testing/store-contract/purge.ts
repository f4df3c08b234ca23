import assert from 'node:assert/strict'
import type { EventRecord } from '../../event/event.ts'
import type { PurgeRequest } from '../../store/store.ts'
import { contractCases } from './contract-case.ts'
import { defined, type Scene } from './scene.ts'

const none: PurgeRequest = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100 }

/** Sweeps until a sweep drops nothing: a store may take several to reach a row. */
async function purgeAll(scene: Scene, request: Partial<PurgeRequest>): Promise<void> {
  for (let idle = 0, sweeps = 0; idle < 3 && sweeps < 50; sweeps++) {
    const { payloads, events, identities, more = false } = await scene.store.purge({ ...none, ...request })
    idle = payloads + events + identities === 0 && !more ? idle + 1 : 0
  }
}

/** From when on retention must have dropped it. */
function after(scene: Scene, event: EventRecord): number {
  return event.acceptedAt + 1 + (scene.world.rangeMs ?? 0)
}

async function completed(scene: Scene): Promise<EventRecord> {
  const event = await scene.accept()
  await scene.settle(scene.settlement(event))
  await scene.world.advance(5)
  return event
}

const retentionCases = contractCases('purge', {
  'drops the bodies of ended events, and keeps all else': async (scene) => {
    const event = await completed(scene)
    await purgeAll(scene, { payloadsBefore: after(scene, event) })
    const { body, ...rest } = defined(await scene.store.event(event.key))
    const { body: _body, ...kept } = event
    assert.equal(body, undefined)
    assert.deepEqual(rest, kept)
    assert.equal((await scene.store.history(event.key)).length, 2)
  },
  'drops ended events with their records; the identity still counts (G2)': async (scene) => {
    const event = await completed(scene)
    await purgeAll(scene, { journalBefore: after(scene, event) })
    assert.equal(await scene.store.event(event.key), undefined)
    assert.deepEqual(await scene.store.history(event.key), [])
    assert.equal(await scene.store.run(event.key, scene.tag), undefined)
    assert.equal((await scene.store.counts()).events, 0)
    const { tenant, source, id } = event
    const fingerprint = defined(event.fingerprint)
    const answer = await scene.tryAccept({ ...scene.item(), tenant, source, id, fingerprints: [fingerprint] })
    assert.deepEqual(answer, { outcome: 'duplicate', original: event.key, acceptedAt: event.acceptedAt })
  },
  'drops nothing that was accepted at the time that is named, or later': async (scene) => {
    const event = await completed(scene)
    const before = event.acceptedAt
    await purgeAll(scene, { payloadsBefore: before, journalBefore: before, identitiesBefore: before })
    assert.notEqual(defined(await scene.store.event(event.key)).body, undefined)
  },
  'never an event whose run never settled (G5)': async (scene) => {
    const event = await scene.accept()
    const before = after(scene, event)
    await purgeAll(scene, { payloadsBefore: before, journalBefore: before, identitiesBefore: before })
    assert.notEqual(defined(await scene.store.event(event.key)).body, undefined)
  },
  'never an event with a run that stands, a dead one included (G5)': async (scene) => {
    for (const status of ['scheduled', 'waiting', 'unknown', 'parked', 'dead'] as const) {
      const event = await scene.accept()
      await scene.settle(scene.settlement(event, { status }))
      const before = after(scene, event)
      await purgeAll(scene, { payloadsBefore: before, journalBefore: before, identitiesBefore: before })
      assert.notEqual(defined(await scene.store.event(event.key)).body, undefined, status)
    }
  },
  'a dead run that came to another end goes like any other': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    await scene.settle(scene.settlement(event, { status: 'completed', generation: 2, turn: 1 }))
    const before = after(scene, event)
    await scene.world.advance(5)
    await purgeAll(scene, { payloadsBefore: before })
    assert.equal(defined(await scene.store.event(event.key)).body, undefined)
    await purgeAll(scene, { journalBefore: before })
    assert.equal(await scene.store.event(event.key), undefined)
    assert.deepEqual({ ...(await scene.store.counts()).standing }, {})
  },
  'never an event of which one handler has not ended (G5)': async (scene) => {
    await scene.store.register('mail', 'mailer', [{ name: 'send', formerly: [], sources: ['*'], types: ['*'] }])
    const { version } = await scene.store.registry()
    const event = await scene.accept({ registryVersion: version })
    await scene.settle(scene.settlement(event))
    await purgeAll(scene, { journalBefore: after(scene, event) })
    assert.notEqual(await scene.store.event(event.key), undefined)
  },
  'an event that no handler took goes when it is old': async (scene) => {
    const event = await scene.accept({ unclaimed: true, source: 'elsewhere' })
    await scene.world.advance(5)
    await purgeAll(scene, { journalBefore: after(scene, event) })
    assert.equal(await scene.store.event(event.key), undefined)
    assert.equal((await scene.store.counts()).unclaimed, 0)
  },
  'never an identity whose event is kept (G2)': async (scene) => {
    const event = await completed(scene)
    await purgeAll(scene, { identitiesBefore: after(scene, event) })
    const { tenant, source, id } = event
    assert.equal((await scene.store.identity({ tenant, source, id }))?.key, event.key)
  },
  'an identity is remembered, by its latest event, while any event of it is kept (G2)': async (scene) => {
    const { leaseMs } = scene.world
    const item = scene.item({ windowMs: leaseMs })
    await scene.tryAccept(item)
    const kept = defined(await scene.store.event(item.key))
    await scene.world.advance(leaseMs * 2)
    const later = scene.again(item)
    assert.equal((await scene.tryAccept(later)).outcome, 'accepted')
    const latest = defined(await scene.store.event(later.key))
    await scene.beat('one')
    await scene.settle(scene.settlement(kept, { status: 'dead' }))
    await scene.settle(scene.settlement(latest))
    await scene.world.advance(5)
    const before = after(scene, latest)
    await purgeAll(scene, { journalBefore: before, identitiesBefore: before })
    assert.equal(await scene.store.event(later.key), undefined)
    assert.equal((await scene.store.identity(item))?.key, later.key)
    const { windowMs: _window, ...again } = scene.again(item)
    const answer = await scene.tryAccept(again)
    assert.equal(answer.outcome === 'duplicate' && answer.original, later.key)
    await scene.settle(scene.settlement(kept, { generation: 2 }))
    await purgeAll(scene, { journalBefore: before, identitiesBefore: before })
    assert.equal(await scene.store.identity(item), undefined)
    assert.equal((await scene.tryAccept(scene.again(again))).outcome, 'accepted')
  },
  'counts an identity once for each event that it had': async (scene) => {
    const { leaseMs } = scene.world
    const item = scene.item({ windowMs: leaseMs, source: 'elsewhere' })
    await scene.tryAccept(item)
    await scene.world.advance(leaseMs * 2)
    const later = scene.again(item)
    await scene.tryAccept(later)
    await scene.world.advance(5)
    const before = after(scene, defined(await scene.store.event(later.key)))
    let identities = 0
    for (let sweeps = 0; sweeps < 4; sweeps++) {
      const request = { ...none, journalBefore: before, identitiesBefore: before }
      identities += (await scene.store.purge(request)).identities
    }
    assert.equal(identities, 2)
  },
  'an identity whose event is gone goes when it is old; then its id is new': async (scene) => {
    const event = await completed(scene)
    const before = after(scene, event)
    await purgeAll(scene, { journalBefore: before })
    await purgeAll(scene, { journalBefore: before, identitiesBefore: before })
    const { tenant, source, id } = event
    assert.equal(await scene.store.identity({ tenant, source, id }), undefined)
    assert.equal((await scene.tryAccept({ ...scene.item(), tenant, source, id })).outcome, 'accepted')
  },
})

const stepCases = contractCases(
  'purge',
  {
    'drops at most so many rows of each kind in one call, and says how many': async (scene) => {
      for (let index = 0; index < 5; index++) await completed(scene)
      const last = await completed(scene)
      const request = { ...none, payloadsBefore: last.acceptedAt, rows: 2 }
      assert.equal((await scene.store.purge(request)).payloads, 2)
      assert.equal((await scene.store.purge(request)).payloads, 2)
      assert.equal((await scene.store.purge(request)).payloads, 1)
    },
  },
  ({ retention }) => (retention === 'exact' ? undefined : 'it drops whole ranges of time'),
)

/** What retention drops, and what it must not. */
export const purgeCases = [...retentionCases, ...stepCases]
