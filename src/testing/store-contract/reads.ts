import assert from 'node:assert/strict'
import type { EventQuery, RunQuery } from '../../store/store.ts'
import { contractCases } from './contract-case.ts'
import { only, type Scene } from './scene.ts'

async function allEvents(scene: Scene, query: Omit<EventQuery, 'limit'>, limit: number): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await scene.store.searchEvents({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) })
    assert.equal(page.events.length <= limit, true)
    ids.push(...page.events.map(({ id }) => id))
    cursor = page.next
  } while (cursor !== undefined)
  return ids
}

async function runsOf(scene: Scene, query: Omit<RunQuery, 'limit'> = {}): Promise<string[]> {
  const { runs } = await scene.store.searchRuns({ ...query, limit: 50 })
  return runs.map(({ identity }) => identity.id)
}

/** Reading for people. */
export const readCases = contractCases('reads', {
  'what is not there is undefined, or an empty list': async (scene) => {
    const { key } = scene.item()
    assert.equal(await scene.store.event(key), undefined)
    assert.equal(await scene.store.run(key, scene.tag), undefined)
    assert.equal(await scene.store.identity({ tenant: 'default', source: 'shop', id: 'none' }), undefined)
    assert.deepEqual(await scene.store.history(key), [])
  },
  'a run that left nothing is there with its event, without a state': async (scene) => {
    const event = await scene.accept()
    assert.deepEqual(await scene.record(event), {
      ...scene.run(event),
      state: undefined,
      checkpoints: [],
      begins: [],
      interventions: [],
      tried: [],
    })
  },
  'the ledger names the first event of an identity': async (scene) => {
    const event = await scene.accept()
    const { tenant, source, id, key, acceptedAt, fingerprint } = event
    await scene.tryAccept({ ...scene.item(), tenant, source, id })
    assert.deepEqual(await scene.store.identity({ tenant, source, id }), { key, acceptedAt, fingerprint })
  },
  'history has every record in commit order': async (scene) => {
    const event = await scene.accept()
    await scene.begin(scene.begun(event))
    await scene.checkpoint(scene.result(event, 'charge'))
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 1 }))
    const seenIntervention = await scene.asked(scene.ask(event, { verb: 'signal', name: 'paid' }))
    await scene.settle(scene.settlement(event, { turn: 2, seenIntervention }))
    assert.deepEqual(
      (await scene.store.history(event.key)).map(({ kind }) => kind),
      ['accepted', 'begin', 'checkpoint', 'settled', 'intervention', 'settled'],
    )
  },
  'the fold of the history is the state (G9)': async (scene) => {
    const event = await scene.accept()
    await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 1 }))
    await scene.settle(scene.settlement(event, { turn: 2, result: '7' }))
    const settled = (await scene.store.history(event.key)).flatMap((one) => (one.kind === 'settled' ? one.state : []))
    assert.deepEqual(settled.at(-1), (await scene.record(event)).state)
  },
  'events are found newest first, page by page, each once': async (scene) => {
    const ids: string[] = []
    for (let index = 0; index < 7; index++) ids.unshift((await scene.accept({ shard: index % 2 })).id)
    assert.deepEqual(await allEvents(scene, {}, 3), ids)
    assert.deepEqual(await allEvents(scene, {}, 7), ids)
  },
  'events are found by tenant, source, type, id and its beginning (G11)': async (scene) => {
    await scene.accept({ id: 'a-1', tenant: 'acme' })
    await scene.accept({ id: 'a-2', type: 'order.refunded' })
    await scene.accept({ id: 'b-1', source: 'bank' })
    await scene.accept({ id: 'A_1' })
    assert.deepEqual(await allEvents(scene, { tenant: 'acme' }, 9), ['a-1'])
    assert.deepEqual(await allEvents(scene, { type: 'order.refunded' }, 9), ['a-2'])
    assert.deepEqual(await allEvents(scene, { source: 'bank' }, 9), ['b-1'])
    assert.deepEqual(await allEvents(scene, { id: 'b-1' }, 9), ['b-1'])
    assert.deepEqual(await allEvents(scene, { idPrefix: 'a-' }, 9), ['a-2', 'a-1'])
    assert.deepEqual(await allEvents(scene, { idPrefix: 'A_' }, 9), ['A_1'])
    assert.deepEqual(await allEvents(scene, { idPrefix: '%' }, 9), [])
    assert.deepEqual(await allEvents(scene, { tenant: 'acme', source: 'bank' }, 9), [])
  },
  'events are found by when they were accepted: from after on, up to before': async (scene) => {
    const events = []
    for (let index = 0; index < 3; index++) {
      events.push(await scene.accept())
      await scene.world.advance(5)
    }
    const [, second] = events
    const at = second?.acceptedAt ?? 0
    assert.deepEqual(await allEvents(scene, { after: at }, 9), [events[2]?.id, events[1]?.id])
    assert.deepEqual(await allEvents(scene, { before: at }, 9), [events[0]?.id])
    assert.deepEqual(await allEvents(scene, { after: at, before: at + 1 }, 9), [events[1]?.id])
  },
  'unclaimed events have a list of their own': async (scene) => {
    await scene.accept({ id: 'taken' })
    await scene.accept({ id: 'left', unclaimed: true, source: 'elsewhere' })
    assert.deepEqual(await allEvents(scene, { unclaimed: true }, 9), ['left'])
    assert.deepEqual(await allEvents(scene, { unclaimed: false }, 9), ['taken'])
    assert.equal((await scene.store.counts()).unclaimed, 1)
  },
  'an event in a list has no body': async (scene) => {
    await scene.accept()
    assert.equal('body' in only((await scene.store.searchEvents({ limit: 1 })).events), false)
  },
  'runs are found by their latest settlement, newest first; one that never settled is not listed': async (scene) => {
    const events = [await scene.accept({ id: 'a' }), await scene.accept({ id: 'b' }), await scene.accept({ id: 'c' })]
    const [a, b] = events
    if (!a || !b) assert.fail()
    await scene.settle(scene.settlement(a, { status: 'dead' }))
    await scene.settle(scene.settlement(b, { status: 'scheduled' }))
    assert.deepEqual(await runsOf(scene), ['b', 'a'])
    assert.deepEqual(await runsOf(scene, { statuses: ['dead'] }), ['a'])
    assert.deepEqual(await runsOf(scene, { statuses: ['dead', 'scheduled'] }), ['b', 'a'])
    await scene.settle(scene.settlement(b, { status: 'completed', turn: 2 }))
    assert.deepEqual(await runsOf(scene, { statuses: ['scheduled'] }), [])
    assert.deepEqual(await runsOf(scene, { statuses: ['completed'] }), ['b'])
  },
  'runs are found by tenant, source, group and handler (G11)': async (scene) => {
    const event = await scene.accept({ id: 'a', tenant: 'acme' })
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    const finds = { tenant: 'acme', source: 'shop', group: 'pay', handler: 'settle' }
    assert.deepEqual(await runsOf(scene, finds), ['a'])
    for (const name of ['tenant', 'source', 'group', 'handler']) {
      assert.deepEqual(await runsOf(scene, { ...finds, [name]: 'other' }), [])
    }
  },
  'runs are found by when they settled, and by when their event was accepted': async (scene) => {
    const event = await scene.accept({ id: 'a' })
    const acceptedAt = only((await scene.store.searchEvents({ limit: 1 })).events).acceptedAt
    await scene.settle(scene.settlement(event, { status: 'dead' }))
    for (const statuses of [['dead'], ['dead', 'completed']] as const) {
      assert.deepEqual(await runsOf(scene, { statuses, acceptedAfter: acceptedAt }), ['a'])
      assert.deepEqual(await runsOf(scene, { statuses, acceptedAfter: acceptedAt + 1 }), [])
      assert.deepEqual(await runsOf(scene, { statuses, acceptedBefore: acceptedAt + 1 }), ['a'])
      assert.deepEqual(await runsOf(scene, { statuses, acceptedBefore: acceptedAt }), [])
      assert.deepEqual(await runsOf(scene, { statuses, after: acceptedAt }), ['a'])
      assert.deepEqual(await runsOf(scene, { statuses, before: acceptedAt }), [])
    }
  },
  'runs come page by page, each once': async (scene) => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await scene.settle(scene.settlement(await scene.accept({ id }), { status: 'dead' }))
    }
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await scene.store.searchRuns({
        statuses: ['dead'],
        limit: 2,
        ...(cursor === undefined ? {} : { cursor }),
      })
      found.push(...page.runs.map(({ identity }) => identity.id))
      cursor = page.next
    } while (cursor !== undefined)
    assert.deepEqual(found, ['e', 'd', 'c', 'b', 'a'])
  },
  'a cursor that no page gave is refused': async (scene) => {
    const refused = { code: 'invalid_cursor' }
    await assert.rejects(scene.store.searchEvents({ limit: 1, cursor: "x' or 1=1" }), refused)
    await assert.rejects(scene.store.searchRuns({ limit: 1, cursor: '{}' }), refused)
  },
  'counts what stands by status, and events': async (scene) => {
    for (const status of ['dead', 'dead', 'waiting', 'completed', 'cancelled'] as const) {
      await scene.settle(scene.settlement(await scene.accept(), { status }))
    }
    const { events, standing } = await scene.store.counts()
    assert.equal(events, 5)
    assert.deepEqual({ ...standing }, { dead: 2, waiting: 1 })
  },
  'a diagnosis, where there is one, names what it looked at, and says what to do about all that is not well': async (
    scene,
  ) => {
    await scene.settle(scene.settlement(await scene.accept(), { status: 'dead' }))
    const before = await scene.store.counts()
    const kept = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0 }
    const asked = scene.store.diagnose?.(kept) ?? Promise.resolve([])
    let isDone = false
    const done = () => {
      isDone = true
    }
    asked.then(done, done)
    // It may wait for what does not come.
    while (!isDone) await Promise.race([asked, scene.world.advance(scene.world.leaseMs / 4)])
    for (const { about, state, found, wanted, todo } of await asked) {
      assert.match(about, /^[a-z]+$/)
      assert.notEqual(found, '')
      assert.equal(wanted === undefined, state === 'ok', `${about}: ${found}`)
      assert.equal(todo === undefined, state === 'ok', `${about}: ${found}`)
    }
    assert.deepEqual(await scene.store.counts(), before)
  },
  'counts what was turned away, by source and code': async (scene) => {
    const rejected = { source: 'shop', code: 'signature_invalid', count: 2 }
    await scene.store.commit({ reject: [rejected, { source: 'bank', code: 'too_large', count: 1 }] })
    await scene.store.commit({ reject: [rejected] })
    const found = (await scene.store.counts()).rejected.map((one) => `${one.source} ${one.code} ${one.count}`)
    assert.deepEqual(found.sort(), ['bank too_large 1', 'shop signature_invalid 4'])
  },
})
