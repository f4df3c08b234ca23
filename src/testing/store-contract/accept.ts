import assert from 'node:assert/strict'
import { contractCases } from './contract-case.ts'
import { defined, textOfBody } from './scene.ts'

/** Accepting one event. */
export const acceptCases = contractCases('accept', {
  'answers accepted, and then the event is there with all its attributes (G1)': async (scene) => {
    const item = scene.item({
      shard: 1,
      subject: 'order 7',
      time: '2026-01-01T00:00:00Z',
      orderKey: 'customer-7',
      contentType: 'application/cloudevents+json',
      idSigned: false,
      headers: { 'x-request-id': '7', 'ce-trace': 'a b' },
      body: new Uint8Array([0, 255, 10, 13, 34]),
    })
    const answer = await scene.tryAccept(item)
    assert.equal(answer.outcome, 'accepted')
    const { fingerprints, body, unclaimed: _unclaimed, ...given } = item
    const { position, acceptedAt, body: kept, ...event } = defined(await scene.store.event(item.key))
    assert.deepEqual(event, { ...given, fingerprint: fingerprints[0] })
    assert.deepEqual([...defined(kept)], [...body])
    assert.equal(Number.isSafeInteger(position), true)
    assert.equal(answer.outcome === 'accepted' && answer.acceptedAt, acceptedAt)
  },
  'names the position where accept spans identity and shard, else leaves it out': async (scene) => {
    const item = scene.item()
    const answer = await scene.tryAccept(item)
    assert.equal(answer.outcome, 'accepted')
    const position = answer.outcome === 'accepted' ? answer.position : undefined
    const { acceptSpans } = scene.store.abilities
    assert.equal(position, acceptSpans ? defined(await scene.store.event(item.key)).position : undefined)
  },
  'the same key again answers the same, and counts once (G1)': async (scene) => {
    const item = scene.item()
    const first = await scene.tryAccept(item)
    await scene.world.advance(10)
    assert.deepEqual(await scene.tryAccept(item), first)
    assert.equal((await scene.store.counts()).events, 1)
    assert.equal((await scene.store.history(item.key)).length, 1)
  },
  'the same key twice in one batch is accepted twice and counts once': async (scene) => {
    const item = scene.item()
    const { accept } = await scene.store.commit({ accept: [item, item] })
    assert.deepEqual(accept[0], accept[1])
    assert.equal(accept[0]?.outcome, 'accepted')
    assert.equal((await scene.store.counts()).events, 1)
  },
  'keeps bytes as they came, whatever the caller does with them after': async (scene) => {
    const body = new TextEncoder().encode('{"a":1}')
    const item = scene.item({ body })
    await scene.tryAccept(item)
    body.fill(0)
    assert.equal(textOfBody(defined(await scene.store.event(item.key))), '{"a":1}')
  },
  'keeps an empty body apart from a dropped one': async (scene) => {
    const event = await scene.accept({ body: new Uint8Array(0) })
    assert.equal(defined(event.body).length, 0)
  },
  'keeps any text in ids, order keys and headers': async (scene) => {
    const id = 'o\'brien\u2028\u{1F600}%_\\"é'
    const event = await scene.accept({ id, orderKey: id, subject: id, headers: { 'x-any': id } })
    assert.deepEqual([event.id, event.orderKey, event.subject, event.headers['x-any']], [id, id, id, id])
    const { tenant, source } = event
    assert.equal((await scene.store.identity({ tenant, source, id }))?.key, event.key)
  },
  'answers a batch item by item, in its order': async (scene) => {
    const known = scene.item()
    await scene.tryAccept(known)
    const fresh = scene.item()
    const other = scene.again(known, { fingerprints: [{ keyId: 1, hash: 'other' }] })
    const { accept } = await scene.store.commit({ accept: [scene.again(known), fresh, other] })
    assert.deepEqual(
      accept.map((answer) => answer.outcome),
      ['duplicate', 'accepted', 'conflict'],
    )
  },
  'an empty commit answers empty lists': async (scene) => {
    const result = await scene.store.commit({})
    assert.deepEqual(Object.values(result).flat(), [])
  },
  'anyone may append to any shard: an accept needs no epoch': async (scene) => {
    const store = await scene.world.open()
    await scene.world.advance(scene.world.leaseMs * 2)
    assert.equal((await scene.tryAccept(scene.item({ shard: 1 }), store)).outcome, 'accepted')
  },
  'never answers within its own call': async (scene) => {
    let answered = false
    const commit = scene.store.commit({ accept: [scene.item()] }).then(() => {
      answered = true
    })
    await Promise.resolve()
    assert.equal(answered, false)
    await commit
  },
})
