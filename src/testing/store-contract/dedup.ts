import assert from 'node:assert/strict'
import type { AcceptAnswer } from '../../store/store.ts'
import { contractCases } from './contract-case.ts'
import { defined } from './scene.ts'

const other = [{ keyId: 1, hash: 'other content' }] as const

/** One identity, one event. */
export const dedupCases = contractCases('dedup', {
  'the same identity and content is a duplicate, with the original named (G2)': async (scene) => {
    const item = scene.item()
    const first = await scene.tryAccept(item)
    await scene.world.advance(10)
    const answer = await scene.tryAccept(scene.again(item, { shard: 1 }))
    assert.partialDeepStrictEqual(answer, {
      outcome: 'duplicate',
      original: item.key,
      acceptedAt: acceptedAtOf(first),
    })
  },
  'the same identity with other content is a conflict, and the first stands (G2)': async (scene) => {
    const item = scene.item()
    const first = await scene.tryAccept(item)
    const answer = await scene.tryAccept(scene.again(item, { fingerprints: other }))
    assert.partialDeepStrictEqual(answer, {
      outcome: 'conflict',
      original: item.key,
      acceptedAt: acceptedAtOf(first),
    })
    assert.deepEqual(defined(await scene.store.event(item.key)).fingerprint, item.fingerprints[0])
  },
  "a repeat tells what the first event's runs came to, or leaves it to be asked (G2)": async (scene) => {
    const event = await scene.accept()
    const { tenant, source, id } = event
    const again = async () => {
      const answer = await scene.tryAccept({
        ...scene.item(),
        tenant,
        source,
        id,
        fingerprints: [defined(event.fingerprint)],
      })
      assert.equal(answer.outcome, 'duplicate')
      return answer.outcome === 'duplicate' ? answer.statuses : undefined
    }
    const before = await again()
    if (before === undefined) return
    assert.deepEqual(before, {})
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 7 }))
    assert.deepEqual(await again(), { [scene.tag]: 'scheduled' })
    await scene.settle(scene.settlement(event, { turn: 2 }))
    assert.deepEqual(await again(), { [scene.tag]: 'completed' })
  },
  'repeats of one batch are each told of their own first event (G2)': async (scene) => {
    const [settled, waiting, fresh] = [scene.item(), scene.item(), scene.item()]
    const event = await scene.accept(settled)
    await scene.tryAccept(waiting)
    await scene.settle(scene.settlement(event))
    const again = [scene.again(waiting), fresh, scene.again(settled), scene.again(waiting, { fingerprints: other })]
    const { accept } = await scene.store.commit({ accept: [...again, scene.again(settled)] })
    const told = accept.map((answer) => {
      if (answer.outcome !== 'duplicate' && answer.outcome !== 'conflict') return [answer.outcome]
      const { outcome, original, statuses = original === settled.key ? { [scene.tag]: 'completed' } : {} } = answer
      return [outcome, original, statuses]
    })
    const ofSettled = ['duplicate', settled.key, { [scene.tag]: 'completed' }]
    assert.deepEqual(told, [
      ['duplicate', waiting.key, {}],
      ['accepted'],
      ofSettled,
      ['conflict', waiting.key, {}],
      ofSettled,
    ])
  },
  'of two items of one identity in a batch the first is accepted (G2)': async (scene) => {
    const item = scene.item()
    const { accept } = await scene.store.commit({ accept: [item, scene.again(item)] })
    assert.deepEqual(
      accept.map((answer) => answer.outcome),
      ['accepted', 'duplicate'],
    )
  },
  'tenant, source and id together are the identity, and nothing runs together at their seams (G2, G11)': async (
    scene,
  ) => {
    const items = [
      scene.item({ tenant: 'a', source: 'shop', id: 'bc' }),
      scene.item({ tenant: 'ab', source: 'shop', id: 'c' }),
      scene.item({ tenant: 'a', source: 'shopb', id: 'c' }),
      scene.item({ tenant: 'a', source: 'shop', id: 'BC' }),
    ]
    const { accept } = await scene.store.commit({ accept: items })
    assert.deepEqual(new Set(accept.map((answer) => answer.outcome)), new Set(['accepted']))
  },
  'content is the same where any of the fingerprints is the one that was kept': async (scene) => {
    const item = scene.item({ fingerprints: [{ keyId: 1, hash: 'under key 1' }] })
    await scene.tryAccept(item)
    const rotated = [
      { keyId: 2, hash: 'under key 2' },
      { keyId: 1, hash: 'under key 1' },
    ] as const
    assert.equal((await scene.tryAccept(scene.again(item, { fingerprints: rotated }))).outcome, 'duplicate')
  },
  'the first of the fingerprints is kept': async (scene) => {
    const fingerprints = [
      { keyId: 2, hash: 'under key 2' },
      { keyId: 1, hash: 'under key 1' },
    ] as const
    const event = await scene.accept({ fingerprints })
    assert.deepEqual(event.fingerprint, fingerprints[0])
  },
  'a fingerprint counts under its own key alone': async (scene) => {
    const item = scene.item({ fingerprints: [{ keyId: 1, hash: 'h' }] })
    await scene.tryAccept(item)
    const answer = await scene.tryAccept(scene.again(item, { fingerprints: [{ keyId: 2, hash: 'h' }] }))
    assert.equal(answer.outcome, 'conflict')
  },
  'every repeat is on record at the original, once for each key': async (scene) => {
    const item = scene.item()
    const [same, conflicting] = [scene.again(item), scene.again(item, { fingerprints: other })]
    await scene.tryAccept(item)
    await scene.tryAccept(same)
    await scene.tryAccept(same)
    await scene.tryAccept(conflicting)
    const history = await scene.store.history(item.key)
    assert.deepEqual(
      history.map((entry) => entry.kind),
      ['accepted', 'duplicate', 'conflict'],
    )
    const { events } = await scene.store.searchEvents({ id: item.id, limit: 10 })
    assert.deepEqual(
      events.map(({ key, duplicates, conflicts }) => ({ key, duplicates, conflicts })),
      [{ key: item.key, duplicates: 1, conflicts: 1 }],
    )
  },
  'an identity counts for its window alone, where one is given': async (scene) => {
    const { leaseMs } = scene.world
    const item = scene.item({ windowMs: leaseMs * 4 })
    await scene.tryAccept(item)
    await scene.world.advance(leaseMs)
    assert.equal((await scene.tryAccept(scene.again(item))).outcome, 'duplicate')
    await scene.world.advance(leaseMs * 4)
    const later = scene.again(item)
    assert.equal((await scene.tryAccept(later)).outcome, 'accepted')
    const answer = await scene.tryAccept(scene.again(item))
    assert.equal(answer.outcome === 'duplicate' && answer.original, later.key)
  },
  'an event whose window has passed keeps its own answer: a key is judged before an identity': async (scene) => {
    const { leaseMs } = scene.world
    const item = scene.item({ windowMs: leaseMs })
    const first = await scene.tryAccept(item)
    await scene.world.advance(leaseMs * 2)
    assert.equal((await scene.tryAccept(scene.again(item))).outcome, 'accepted')
    assert.deepEqual(await scene.tryAccept(item), first)
    const { windowMs: _window, ...forGood } = item
    assert.deepEqual(await scene.tryAccept(forGood), first)
  },
  'without a window an identity counts as long as it is kept': async (scene) => {
    const item = scene.item()
    await scene.tryAccept(item)
    await scene.world.advance(scene.world.leaseMs * 20)
    assert.equal((await scene.tryAccept(scene.again(item))).outcome, 'duplicate')
  },
  'a new id that is not signed, with content seen in the window, is a duplicate that says so (G2)': async (scene) => {
    const contentWindowMs = scene.world.leaseMs * 10
    const item = scene.item({ idSigned: false, contentWindowMs })
    await scene.tryAccept(item)
    const answer = await scene.tryAccept(scene.again(item, { id: 'replayed', idSigned: false }))
    assert.equal(answer.outcome, 'duplicate')
    assert.equal(answer.outcome === 'duplicate' && answer.reason, 'same_signed_content')
    assert.equal(answer.outcome === 'duplicate' && answer.original, item.key)
    assert.equal((await scene.store.history(item.key)).at(-1)?.kind, 'duplicate')
  },
  'after that window the content is new': async (scene) => {
    const { leaseMs } = scene.world
    const item = scene.item({ idSigned: false, contentWindowMs: leaseMs })
    await scene.tryAccept(item)
    await scene.world.advance(leaseMs * 2)
    assert.equal((await scene.tryAccept(scene.again(item, { id: 'later' }))).outcome, 'accepted')
  },
  'where ids are not signed the id still decides first: other content is a conflict': async (scene) => {
    const contentWindowMs = scene.world.leaseMs * 10
    const item = scene.item({ idSigned: false, contentWindowMs })
    await scene.tryAccept(item)
    const answer = await scene.tryAccept(scene.again(item, { fingerprints: other }))
    assert.equal(answer.outcome, 'conflict')
    assert.equal(answer.outcome === 'conflict' && answer.reason, undefined)
  },
  'content is compared within one tenant and source (G11)': async (scene) => {
    const contentWindowMs = scene.world.leaseMs * 10
    const item = scene.item({ idSigned: false, contentWindowMs })
    await scene.tryAccept(item)
    assert.equal((await scene.tryAccept(scene.again(item, { id: 'b', tenant: 'other' }))).outcome, 'accepted')
    assert.equal((await scene.tryAccept(scene.again(item, { id: 'c', source: 'other' }))).outcome, 'accepted')
  },
  'equal content under signed ids is two events': async (scene) => {
    const item = scene.item()
    await scene.tryAccept(item)
    assert.equal((await scene.tryAccept(scene.again(item, { id: 'another' }))).outcome, 'accepted')
  },
})

function acceptedAtOf(answer: AcceptAnswer): number {
  return answer.outcome === 'accepted' ? answer.acceptedAt : assert.fail(`expected accepted, found ${answer.outcome}`)
}
