import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import type { Store } from '../store.ts'
import { sqliteStore } from './index.ts'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-index-'))
  path = join(folder, 'hapax.db')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Every file of the folder, with what is in it; of the log's index the name alone, since readers mark themselves there. */
function listing(): Record<string, string> {
  const hashOf = (name: string) =>
    name.endsWith('-shm')
      ? ''
      : createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')
  return Object.fromEntries(readdirSync(folder).map((name) => [name, hashOf(name)]))
}

function look(): Promise<Store> {
  return sqliteStore({ path, clock: systemClock, lookOnly: true })
}

async function made(): Promise<void> {
  const store = await sqliteStore({ path, clock: systemClock, shards: 3 })
  await store.changeSetting({ verb: 'pause', what: 'source', name: 'shop', actor: 'me' })
  await store.close()
}

test.for([
  ['no file', undefined],
  ['an empty file', ''],
  ['a file that is no database', 'x'.repeat(10_000)],
] as const)('%s is refused and left alone', async ([, content]) => {
  if (content !== undefined) writeFileSync(path, content)
  const before = listing()
  await expect(look()).rejects.toThrow(content ? 'not a database' : 'no file there: run hapax migrate')
  expect(listing()).toEqual(before)
})

test.for([
  [0, 'no store in this file: run hapax migrate'],
  [1, 'its schema is 1'],
  [999, 'newer Hapax'],
] as const)('a file of schema %i is refused and left alone', async ([version, reason]) => {
  await made()
  const database = new DatabaseSync(path)
  database.exec(`pragma user_version = ${version}`)
  database.close()
  const before = listing()
  await expect(look()).rejects.toThrow(reason)
  expect(listing()).toEqual(before)
})

test('a store is read and left as it was; every write is refused', async () => {
  await made()
  const before = listing()
  const store = await look()
  expect(store.shards).toBe(3)
  expect((await store.settings()).paused).toMatchObject([{ name: 'shop' }])
  expect((await store.counts()).events).toBe(0)
  const refused = { code: 'store_refused' }
  await expect(store.commit({})).rejects.toMatchObject(refused)
  await expect(store.secret('new', new Uint8Array(1))).rejects.toMatchObject(refused)
  await store.close()
  expect(listing()).toEqual(before)
  expect(Object.keys(before)).toEqual(['hapax.db'])
})

test('a log that a crash left is read, and stays as it is', async () => {
  await made()
  const holder = await sqliteStore({ path, clock: systemClock })
  await holder.changeSetting({ verb: 'pause', what: 'source', name: 'mail', actor: 'me' })
  const crashed = join(folder, 'crashed.db')
  for (const suffix of ['', '-wal', '-shm']) copyFileSync(path + suffix, crashed + suffix)
  await holder.close()
  for (const name of readdirSync(folder)) if (!name.startsWith('crashed')) rmSync(join(folder, name))
  path = crashed
  const before = listing()
  expect(Object.keys(before)).toContain('crashed.db-wal')
  const store = await look()
  expect((await store.settings()).paused).toHaveLength(2)
  await store.close()
  expect(listing()).toEqual(before)
})
