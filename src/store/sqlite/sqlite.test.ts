import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { accepted, acceptOne, newPath, open, ownAll, pairOf } from '../../../test/support/sqlite-file.ts'
import { seededRandom } from '../../kit/random.ts'
import type { Store } from '../store.ts'

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

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
      const accept = ids.map((id) => ({ key: mintEventKey(Date.now(), 1, random), shard: 1, tenant: 'default', source: 'shop', id, idSigned: true,
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
    const asked = acknowledged.map(({ id }) => accepted(id))
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
    await acceptOne(store, accepted('own', { handedTo: pair }))
    const other = await open(path)
    await acceptOne(other, accepted('foreign'))
    await acceptOne(store, accepted('own too', { handedTo: pair }))
    const [page] = await store.tail({ cursors: [{ ...pair, cursor: start?.cursor ?? 0 }], limit: 10 })
    expect(page?.events.map(({ event }) => event.id)).toEqual(['foreign'])
    const [next] = await store.tail({ cursors: [{ ...pair, cursor: page?.cursor ?? 0 }], limit: 10 })
    expect(next?.events).toEqual([])
  })
})

describe('what goes wrong below', () => {
  test('a full disk refuses the commit, keeps nothing of it, and the next one that fits is taken', async () => {
    const store = await open(newPath(), { maxPages: 120 })
    const large = accepted('large', { body: new Uint8Array(2_000_000) })
    await expect(store.commit({ accept: [accepted('with it'), large] })).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    const [answer] = (await store.commit({ accept: [accepted('with it')] })).accept
    expect(answer).toMatchObject({ outcome: 'accepted', position: 1 })
  })

  test('a transaction held elsewhere is store_busy, and the same commit is taken afterwards', async () => {
    const path = newPath()
    const store = await open(path, { waitMs: 20 })
    const holder = new DatabaseSync(path)
    holder.exec('begin immediate')
    const item = accepted('evt_1')
    await expect(store.commit({ accept: [item] })).rejects.toMatchObject({ code: 'store_busy' })
    holder.exec('rollback')
    holder.close()
    expect(await acceptOne(store, item)).toBe(1)
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

  test('the log begins anew also while two nodes write without a pause', async () => {
    const path = newPath()
    const stores = [await open(path), await open(path)]
    const body = Buffer.alloc(100_000)
    const write = async (store: Store) => {
      for (let commits = 0; commits < 400; commits++) {
        const accept = Array.from({ length: 5 }, () => acceptItem({ body }))
        await store.commit({ accept })
      }
    }
    await Promise.all(stores.map(write))
    // 400 MB went through it. How soon a moment comes in which neither writes is the machine's to say.
    expect(statSync(`${path}-wal`).size).toBeLessThan(300_000_000)
  })

  test('the file is readable by its owner alone', async () => {
    const path = newPath()
    await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('what was asked before close is answered, and close may be called twice', async () => {
    const store = await open(newPath())
    const asked = store.commit({ accept: [accepted('evt_1')] })
    await Promise.all([store.close(), store.close()])
    expect((await asked).accept[0]).toMatchObject({ outcome: 'accepted' })
    await expect(store.commit({})).rejects.toMatchObject({ code: 'store_unavailable' })
  })
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
