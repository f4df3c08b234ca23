import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { mintEventKey } from '../../event/event-key.ts'
import type { RunState } from '../../event/run.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { seededRandom, systemRandom } from '../../kit/random.ts'
import type { AcceptItem, Owned, Store } from '../store.ts'
import { ledgerDefaults } from './compaction.ts'
import { type SqliteStoreOptions, sqliteStore } from './index.ts'
import { WriterLink } from './writer-link.ts'

const random = systemRandom()
const folders: string[] = []
const stores: Store[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(stores.splice(0).map((store) => store.close()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-sqlite-'))
  folders.push(folder)
  return join(folder, 'hapax.db')
}

async function open(path: string, options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
  const store = await sqliteStore({ path, clock: systemClock, ...options })
  stores.push(store)
  return store
}

function acceptItem(id: string, more: Partial<AcceptItem> = {}): AcceptItem {
  const shard = more.shard ?? 3
  return {
    key: mintEventKey(systemClock.now(), shard, random),
    shard,
    tenant: 'default',
    source: 'stripe',
    id,
    idSigned: true,
    type: 'payment',
    subject: undefined,
    time: undefined,
    contentType: 'application/json',
    orderKey: undefined,
    registryVersion: 0,
    headers: {},
    fingerprints: [{ keyId: 1, hash: 'same content' }],
    body: Buffer.from(`{"id":"${id}"}`),
    unclaimed: false,
    ...more,
  }
}

function stateOf(more: Partial<RunState> = {}): RunState {
  return {
    status: 'completed',
    reason: undefined,
    since: 1,
    generation: 1,
    turn: 1,
    attempt: 1,
    failures: 0,
    losses: 0,
    dueAt: undefined,
    waitingFor: undefined,
    result: undefined,
    error: undefined,
    undoBegun: false,
    keySeries: 0,
    failuresInAll: 0,
    handlerVersion: undefined,
    seenIntervention: 0,
    openedAt: undefined,
    ...more,
  }
}

/** Takes every pair of a new group. */
async function ownAll(store: Store): Promise<readonly Owned[]> {
  const beat = { node: 'n1', group: 'g', owns: true, handlers: ['h'], leaseMs: 60_000, release: [], lowMarks: [] }
  return (await store.own(beat)).owned
}

function pairOf(owned: readonly Owned[], shard: number): Owned {
  const pair = owned.find((one) => one.shard === shard)
  if (!pair) throw new Error(`shard ${shard} is not owned`)
  return pair
}

async function acceptOne(store: Store, item: AcceptItem): Promise<number> {
  const [answer] = (await store.commit({ accept: [item] })).accept
  if (answer?.outcome !== 'accepted') throw new Error(`not accepted: ${answer?.outcome}`)
  return answer.position ?? 0
}

/** A process of its own that accepts ids from a list in groups, and prints each answer as a line of JSON. */
function acceptingChild(path: string, ids: readonly string[], group: number): ChildProcess {
  const here = new URL('.', import.meta.url)
  const script = `
    import { createInterface } from 'node:readline'
    import { sqliteStore } from '${new URL('index.ts', here)}'
    import { mintEventKey } from '${new URL('../../event/event-key.ts', here)}'
    import { systemClock } from '${new URL('../../kit/clock.ts', here)}'
    import { systemRandom } from '${new URL('../../kit/random.ts', here)}'
    const random = systemRandom()
    const store = await sqliteStore({ path: ${JSON.stringify(path)}, clock: systemClock, ledger: { sealEntries: 200, mergeCount: 3, sliceRows: 64 } })
    console.log('"ready"')
    for await (const line of createInterface({ input: process.stdin })) {
      const ids = JSON.parse(line)
      const accept = ids.map((id) => ({ key: mintEventKey(Date.now(), 1, random), shard: 1, tenant: 'default', source: 'stripe', id, idSigned: true,
        type: 't', subject: undefined, time: undefined, contentType: 'application/json', orderKey: undefined, registryVersion: 0, headers: {},
        fingerprints: [{ keyId: 1, hash: 'f' }], body: Buffer.alloc(200), unclaimed: false }))
      const { accept: answers } = await store.commit({ accept })
      console.log(JSON.stringify(answers.map((answer, index) => ({ id: ids[index], outcome: answer.outcome, key: answer.original ?? accept[index].key }))))
    }
    await store.close()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  for (let at = 0; at < ids.length; at += group) child.stdin?.write(`${JSON.stringify(ids.slice(at, at + group))}\n`)
  child.stdin?.end()
  return child
}

interface ChildAnswer {
  readonly id: string
  readonly outcome: string
  readonly key: string
}

async function answersOf(child: ChildProcess): Promise<ChildAnswer[]> {
  const answers: ChildAnswer[] = []
  if (!child.stdout) return answers
  for await (const line of createInterface({ input: child.stdout })) {
    const parsed: unknown = JSON.parse(line)
    if (Array.isArray(parsed)) answers.push(...parsed)
  }
  return answers
}

/** The same shuffle for the same seed. */
function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const { fraction } = seededRandom(seed)
  return items
    .map((item) => ({ item, place: fraction() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item)
}

describe('several processes on one file', () => {
  test('of all accepts of an identity exactly one is accepted (G2), through seals and merges', async () => {
    const path = newPath()
    await (await open(path)).close()
    const ids = Array.from({ length: 3_000 }, (_, index) => `evt_${index}`)
    const processes = [1, 2, 3].map((seed) => acceptingChild(path, shuffled(ids, seed), 16))
    const answers = (await Promise.all(processes.map(answersOf))).flat()

    expect(answers).toHaveLength(9_000)
    const accepted = new Map(answers.filter(({ outcome }) => outcome === 'accepted').map(({ id, key }) => [id, key]))
    expect(answers.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(3_000)
    expect(accepted.size).toBe(3_000)
    for (const { id, outcome, key } of answers) {
      if (outcome !== 'accepted')
        expect({ id, outcome, key }).toEqual({ id, outcome: 'duplicate', key: accepted.get(id) })
    }
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('select count(*) as n from ledger_generation').get()?.n).toBeGreaterThan(1)
    expect(database.prepare('select count(*) as n, count(distinct identity) as d from event').get()).toMatchObject({
      n: 3_000,
      d: 3_000,
    })
    database.close()
  }, 60_000)

  test('what was acknowledged is there after the process was killed (G1)', async () => {
    const path = newPath()
    await (await open(path)).close()
    const ids = Array.from({ length: 60_000 }, (_, index) => `evt_${index}`)
    const child = acceptingChild(path, ids, 50)
    const acknowledged: ChildAnswer[] = []
    if (child.stdout) {
      for await (const line of createInterface({ input: child.stdout })) {
        const parsed: unknown = JSON.parse(line)
        if (Array.isArray(parsed)) acknowledged.push(...parsed)
        if (acknowledged.length >= 2_000 && !child.killed) child.kill('SIGKILL')
      }
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(2_000)
    expect(acknowledged.length).toBeLessThan(60_000)

    const store = await open(path)
    const asked = acknowledged.map(({ id }) => acceptItem(id))
    const { accept } = await store.commit({ accept: asked })
    expect(accept.map((answer) => ('original' in answer ? answer.original : answer.outcome))).toEqual(
      acknowledged.map(({ key }) => key),
    )
  }, 60_000)

  test('a tail sees what another process accepted, and not again what was handed over here', async () => {
    const path = newPath()
    const store = await open(path)
    const owned = await ownAll(store)
    const pair = pairOf(owned, 3)
    const [start] = await store.tail({ cursors: [pair], limit: 10 })
    await acceptOne(store, acceptItem('own', { handedTo: pair }))
    const other = await open(path)
    await acceptOne(other, acceptItem('foreign'))
    await acceptOne(store, acceptItem('own too', { handedTo: pair }))
    const [page] = await store.tail({ cursors: [{ ...pair, cursor: start?.cursor ?? 0 }], limit: 10 })
    expect(page?.events.map(({ event }) => event.id)).toEqual(['foreign'])
    const [next] = await store.tail({ cursors: [{ ...pair, cursor: page?.cursor ?? 0 }], limit: 10 })
    expect(next?.events).toEqual([])
  })
})

describe('the identity ledger', () => {
  const tiny = { sealEntries: 20, mergeCount: 3, sliceRows: 7 }

  test('finds every identity in memory, in sealed and in merged generations, and after a restart', async () => {
    const path = newPath()
    let store = await open(path, { ledger: tiny })
    const { fraction } = seededRandom(7)
    const model = new Map<string, string>()
    for (let round = 0; round < 120; round++) {
      const items = Array.from({ length: 8 }, () => acceptItem(`evt_${Math.floor(fraction() * 600)}`))
      const { accept } = await store.commit({ accept: items })
      for (const [index, item] of items.entries()) {
        const first = model.get(item.id)
        const answer = accept[index]
        if (first === undefined) expect(answer).toMatchObject({ outcome: 'accepted' })
        else expect(answer).toMatchObject({ outcome: 'duplicate', original: first })
        if (first === undefined) model.set(item.id, item.key)
      }
      if (round % 40 === 39) {
        await store.close()
        store = await open(path, { ledger: tiny })
      }
    }
    for (const [id, key] of model) {
      expect(await store.identity({ tenant: 'default', source: 'stripe', id })).toMatchObject({ key })
    }
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('select max(tier) as tier from ledger_generation').get()?.tier).toBeGreaterThan(0)
    database.close()
  })

  test('an identity outlives its event, and is forgotten when its own time has come', async () => {
    const store = await open(newPath(), { ledger: tiny })
    const item = acceptItem('evt_1')
    await acceptOne(store, item)
    const never = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100 }
    const all = systemClock.now() + 60_000
    expect(await store.purge({ ...never, identitiesBefore: all })).toMatchObject({ identities: 0 })
    expect(await store.purge({ ...never, journalBefore: all })).toMatchObject({ events: 1 })
    expect(await store.event(item.key)).toBeUndefined()
    const [again] = (await store.commit({ accept: [acceptItem('evt_1')] })).accept
    expect(again).toMatchObject({ outcome: 'duplicate', original: item.key })
    expect(await store.purge({ ...never, identitiesBefore: all })).toMatchObject({ identities: 1 })
    const [fresh] = (await store.commit({ accept: [acceptItem('evt_1')] })).accept
    expect(fresh).toMatchObject({ outcome: 'accepted' })
  })

  test('content seen within its window makes a new unsigned id a duplicate, also when sealed', async () => {
    const store = await open(newPath(), { ledger: tiny })
    const window = { contentWindowMs: 60_000, idSigned: false }
    const first = acceptItem('guid_1', { ...window, fingerprints: [{ keyId: 1, hash: 'body' }] })
    await acceptOne(store, first)
    for (let index = 0; index < 60; index++) await acceptOne(store, acceptItem(`filler_${index}`))
    const second = acceptItem('guid_2', { ...window, fingerprints: [{ keyId: 1, hash: 'body' }] })
    const [answer] = (await store.commit({ accept: [second] })).accept
    expect(answer).toMatchObject({ outcome: 'duplicate', original: first.key, reason: 'same_signed_content' })
  })
})

describe('what goes wrong below', () => {
  test('a full disk refuses the commit, keeps nothing of it, and the next one that fits is taken', async () => {
    const store = await open(newPath(), { maxPages: 120 })
    const large = acceptItem('large', { body: new Uint8Array(2_000_000) })
    await expect(store.commit({ accept: [acceptItem('with it'), large] })).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    const [answer] = (await store.commit({ accept: [acceptItem('with it')] })).accept
    expect(answer).toMatchObject({ outcome: 'accepted', position: 1 })
  })

  test('a transaction held elsewhere is store_busy, and the same commit is taken afterwards', async () => {
    const path = newPath()
    const store = await open(path, { waitMs: 20 })
    const holder = new DatabaseSync(path)
    holder.exec('begin immediate')
    const item = acceptItem('evt_1')
    await expect(store.commit({ accept: [item] })).rejects.toMatchObject({ code: 'store_busy' })
    holder.exec('rollback')
    holder.close()
    expect(await acceptOne(store, item)).toBe(1)
  })

  test('a writer that dies rejects what was asked, and the next question starts another', async () => {
    const path = newPath()
    await (await open(path)).close()
    const start = { path, shards: 16, ledger: ledgerDefaults, maxPages: undefined, waitMs: 200 }
    const link = new WriterLink(start, systemClock, silentLog)
    await link.call('secret', ['a', Buffer.from('one')])
    // The writer is at the file's lock when it dies: it cannot have answered.
    const holder = new DatabaseSync(path)
    holder.exec('begin immediate')
    const asked = link.call('secret', ['b', Buffer.from('two')])
    const rejected = expect(asked).rejects.toMatchObject({ code: 'store_unavailable' })
    const crashed = link.crash()
    await Promise.all([rejected, crashed])
    holder.close()
    expect(Buffer.from(await link.call('secret', ['a', Buffer.from('other')])).toString()).toBe('one')
    await link.close()
  })

  test('a file of a newer schema is refused', async () => {
    const path = newPath()
    await (await open(path)).close()
    const database = new DatabaseSync(path)
    database.exec('pragma user_version = 999')
    database.close()
    await expect(open(path)).rejects.toMatchObject({ code: 'schema_too_new' })
  })

  test('a path that cannot be opened is store_refused', async () => {
    await expect(open('/no/such/folder/hapax.db')).rejects.toMatchObject({ code: 'store_refused' })
  })

  test('the file is readable by its owner alone', async () => {
    const path = newPath()
    await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('what was asked before close is answered, and close may be called twice', async () => {
    const store = await open(newPath())
    const asked = store.commit({ accept: [acceptItem('evt_1')] })
    await Promise.all([store.close(), store.close()])
    expect((await asked).accept[0]).toMatchObject({ outcome: 'accepted' })
    await expect(store.commit({})).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('transactions in the main thread', () => {
  async function prepared() {
    const path = newPath()
    const store = await open(path)
    const owned = pairOf(await ownAll(store), 3)
    const event = acceptItem('evt_1')
    const run = { event: event.key, position: await acceptOne(store, event), tag: 'abcdefgh' }
    const step = { kind: 'transaction', name: 'ledger', of: '' } as const
    const item = { owned, run, generation: 1, attempt: 1, step, startedAt: 1, endedAt: 2, firstTriedAt: 1 }
    if (!store.transact || !store.acceptWithin) throw new Error('the store has transactions')
    return { path, store, item, transact: store.transact.bind(store), acceptWithin: store.acceptWithin.bind(store) }
  }

  test('effect and checkpoint commit together, once', async () => {
    const { path, store, item, transact } = await prepared()
    let calls = 0
    const body = (tx: unknown) => {
      calls++
      if (tx instanceof DatabaseSync) tx.exec('create table if not exists booked (n); insert into booked values (1)')
      return '"done"'
    }
    expect(await transact(item, body)).toEqual({ outcome: 'written' })
    expect(await transact({ ...item, attempt: 2 }, body)).toMatchObject({
      outcome: 'refused',
      checkpoint: { value: '"done"' },
    })
    expect(calls).toBe(1)
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('select count(*) as n from booked').get()?.n).toBe(1)
    database.close()
    expect(await acceptOne(store, acceptItem('after it'))).toBeGreaterThan(item.run.position)
  })

  test('a transaction of another library is refused', async () => {
    const { item, transact } = await prepared()
    const begin = () => expect.unreachable()
    await expect(transact(item, () => expect.unreachable(), begin)).rejects.toMatchObject({ code: 'store_refused' })
  })

  test('an error of the body rolls everything back; a stale epoch never calls it', async () => {
    const { store, item, transact } = await prepared()
    const failure = new Error('no')
    await expect(
      transact(item, (tx) => {
        if (tx instanceof DatabaseSync) tx.exec('create table booked (n)')
        throw failure
      }),
    ).rejects.toBe(failure)
    expect((await store.run(item.run.event, item.run.tag))?.checkpoints).toEqual([])
    const stale = { ...item, owned: { ...item.owned, epoch: 99 } }
    expect(await transact(stale, () => expect.unreachable())).toEqual({ outcome: 'stale' })
    const promised = (async () => '1') as unknown as () => string
    await expect(transact(item, promised)).rejects.toMatchObject({ code: 'transaction_async' })
  })

  test("an event accepted within the caller's transaction comes by tail, or not at all", async () => {
    const { path, store, acceptWithin, item } = await prepared()
    const cursor = (await store.tail({ cursors: [item.owned], limit: 10 }))[0]?.cursor ?? 0
    const caller = new DatabaseSync(path)
    caller.exec('begin')
    expect(acceptWithin(caller, acceptItem('lost'))).toEqual({ outcome: 'pending' })
    caller.exec('rollback')
    caller.exec('begin')
    expect(acceptWithin(caller, acceptItem('kept'))).toEqual({ outcome: 'pending' })
    expect(acceptWithin(caller, acceptItem('kept'))).toMatchObject({ outcome: 'exists' })
    expect(acceptWithin(caller, acceptItem('evt_1'))).toEqual({ outcome: 'exists', key: item.run.event })
    caller.exec('commit')
    caller.close()
    const [page] = await store.tail({ cursors: [{ ...item.owned, cursor }], limit: 10 })
    expect(page?.events.map(({ event }) => event.id)).toEqual(['kept'])
    const [again] = (await store.commit({ accept: [acceptItem('kept')] })).accept
    expect(again).toMatchObject({ outcome: 'duplicate' })
    expect(() => acceptWithin({}, acceptItem('x'))).toThrow(expect.objectContaining({ code: 'store_refused' }))
  })
})

test('a settlement asked again after a takeover is answered as before, and any other is stale', async () => {
  const store = await open(newPath())
  const owned = pairOf(await ownAll(store), 3)
  const event = acceptItem('evt_1')
  const run = { event: event.key, position: await acceptOne(store, event), tag: 'abcdefgh' }
  const settle = { owned, run, state: stateOf(), handler: 'h' }
  expect((await store.commit({ settle: [settle] })).settle).toEqual(['settled'])
  const beat = { group: 'g', owns: true, handlers: ['h'], leaseMs: 60_000, lowMarks: [] }
  await store.own({ ...beat, node: 'n1', owns: false, release: [owned] })
  const taken = pairOf((await store.own({ ...beat, node: 'n2', release: [] })).owned, 3)
  expect(taken.epoch).toBe(owned.epoch + 1)
  const later = { ...settle, state: stateOf({ generation: 2 }) }
  expect((await store.commit({ settle: [settle, later] })).settle).toEqual(['settled', 'stale'])
})

test('the process may end while a store is open', async () => {
  const path = newPath()
  const script = `
    import { sqliteStore } from '${new URL('index.ts', import.meta.url)}'
    import { systemClock } from '${new URL('../../kit/clock.ts', import.meta.url)}'
    const store = await sqliteStore({ path: ${JSON.stringify(path)}, clock: systemClock })
    await store.secret('name', new Uint8Array(3))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  children.push(child)
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
})
