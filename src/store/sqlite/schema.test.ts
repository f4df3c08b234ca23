import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import { sqliteStore } from './index.ts'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-schema-'))
  path = join(folder, 'hapax.db')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What each version added, taken back: the last first. */
const undone = [
  'drop table processed_version',
  'drop table lent; drop table circuit; drop table dependency_limit',
  'drop table succession',
  'alter table pair drop column lacks',
]

/** Everything that a schema has, as SQLite wrote it down. */
function described(): unknown[] {
  const database = new DatabaseSync(path)
  const rows = database.prepare('select type, name, sql from sqlite_master order by type, name').all()
  database.close()
  return rows.map((row) => ({ ...row }))
}

test.for([4, 3, 2, 1])('a file of schema %i becomes what a new one is, and keeps what it holds', async (version) => {
  const made = await sqliteStore({ path, clock: systemClock, shards: 2 })
  await made.changeSetting({ verb: 'pause', what: 'source', name: 'shop', actor: 'me' })
  await made.close()
  const newest = described()
  const database = new DatabaseSync(path)
  for (const statement of undone.slice(0, 5 - version)) database.exec(statement)
  database.exec(`pragma user_version = ${version}`)
  database.close()
  expect(described()).not.toEqual(newest)
  await expect(sqliteStore({ path, clock: systemClock, migrate: 'check' })).rejects.toThrow(`its schema is ${version}`)

  const store = await sqliteStore({ path, clock: systemClock })
  try {
    const opens = { dependency: 'bank', seen: 0, state: 'open', reason: 'failures', actor: 'one' } as const
    expect((await store.turnCircuit(opens)).applied).toBe(true)
    const { paused, circuits, limits } = await store.settings()
    expect(paused).toMatchObject([{ what: 'source', name: 'shop' }])
    expect([circuits.length, limits.length]).toEqual([1, 0])
    expect(await store.raiseVersion({ tag: 't', tenant: 'default', key: 'k' }, 'n21')).toBe('n21')
  } finally {
    await store.close()
  }
  expect(described()).toEqual(newest)
})
