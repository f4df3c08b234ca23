import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { mintEventKey } from '../../event/event-key.ts'
import { silentLog } from '../../kit/log.ts'
import { seededRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import type { AcceptItem } from '../store.ts'
import { connect } from './connection.ts'
import { packCommit } from './items.ts'
import { migrateSchema } from './schema.ts'
import { SqliteStore } from './sqlite-store.ts'
import { Writing } from './writing.ts'

const windowMs = 10_000
const ledger = { sealEntries: 8, mergeCount: 3, sliceRows: 1_000 }

let clock = new FakeClock()
let folder = ''
let path = ''
const opened: { close(): unknown }[] = []
const random = seededRandom(1)

beforeEach(() => {
  clock = new FakeClock()
  folder = mkdtempSync(join(tmpdir(), 'hapax-ledger-'))
  path = join(folder, 'hapax.db')
  const database = connect({ path, cacheKib: 1_024 })
  migrateSchema(database, 1)
  database.close()
})

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The writer of one of several processes on the file, in the test's own thread: nothing happens but what is asked. */
function newProcess(): Writing {
  const writing = new Writing({ path, shards: 1, ledger, maxPages: undefined, waitMs: 0 })
  opened.push(writing)
  return writing
}

function accepted(id: string, more: Partial<AcceptItem> = {}): AcceptItem {
  return acceptItem({ key: mintEventKey(clock.now(), 0, random), id, windowMs, ...more })
}

function moment() {
  return { now: clock.now(), monotonicMs: clock.monotonicMs(), boot: 'boot' }
}

/** The key of the event that this accept counts as. */
function accept(process: Writing, item: AcceptItem): string {
  const { others } = process.commit(packCommit({ accept: [item] }), moment())
  return others[0]?.key ?? item.key
}

let fillers = 0

/** Accepts others until a generation is full, and writes it whole. */
function seal(process: Writing): void {
  for (let left = ledger.sealEntries; left > 0; left--) accept(process, accepted(`filler ${fillers++}`))
  while (process.idle());
}

function read(sql: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = database.prepare(sql).all()
  database.close()
  return rows.map((row) => Object.values(row)[0])
}

const never = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100 }

/** Drops all that was accepted until now, with its identities, but the newest event. */
function purgeAllBut(process: Writing): void {
  const before = clock.now() + 1
  accept(process, accepted(`newest ${fillers++}`))
  for (let sweeps = 0; sweeps < 8; sweeps++) {
    process.purge({ ...never, journalBefore: before, identitiesBefore: before })
  }
}

describe('a process that another one overtook by a whole generation', () => {
  test('takes the newer of two events of an identity with a window (G2)', async () => {
    const [slow, busy] = [newProcess(), newProcess()]
    const first = accepted('twice')
    expect(accept(slow, first)).toBe(first.key)
    await clock.advance(windowMs + 1)
    const second = accepted('twice')
    expect(accept(busy, second)).toBe(second.key)
    seal(busy)
    expect(read('select watermark from progress')[0]).toBeGreaterThan(2)

    expect(accept(slow, accepted('twice'))).toBe(second.key)
  })

  test('takes the newer one also while the next generation is being written', async () => {
    const [slow, busy] = [newProcess(), newProcess()]
    accept(slow, accepted('twice'))
    await clock.advance(windowMs + 1)
    const second = accepted('twice')
    accept(busy, second)
    seal(busy)
    for (let left = ledger.sealEntries; left > 0; left--) accept(busy, accepted(`filler ${fillers++}`))
    busy.idle()
    expect(read("select generation from ledger_generation where state = 'sealing'")).toHaveLength(1)

    expect(accept(slow, accepted('twice'))).toBe(second.key)
  })

  test('takes the newer one in a transaction of the main thread', async () => {
    const busy = newProcess()
    const store = new SqliteStore({
      start: { path, shards: 1, ledger, maxPages: undefined, waitMs: 0 },
      reader: connect({ path, cacheKib: 1_024, readOnly: true }),
      clock,
      log: silentLog,
      boot: 'boot',
    })
    opened.push(store)
    const outbox = (item: AcceptItem) => {
      const caller = new DatabaseSync(path)
      caller.exec('begin')
      const answer = store.acceptWithin(caller, item)
      caller.exec('commit')
      caller.close()
      return answer
    }
    expect(outbox(accepted('twice'))).toEqual({ outcome: 'pending' })
    expect(outbox(accepted('another'))).toEqual({ outcome: 'pending' })
    await clock.advance(windowMs + 1)
    const second = accepted('twice')
    expect(accept(busy, second)).toBe(second.key)
    seal(busy)

    expect(outbox(accepted('twice'))).toEqual({ outcome: 'exists', key: second.key })
  })

  test('never takes the filter of a generation that was dropped for that of a later one (G2)', async () => {
    const [slow, busy] = [newProcess(), newProcess()]
    seal(busy)
    accept(slow, accepted('before'))
    purgeAllBut(busy)
    expect(read('select count(*) from ledger')).toEqual([0])
    const item = accepted('once')
    accept(busy, item)
    seal(busy)

    expect(accept(slow, accepted('once'))).toBe(item.key)
  })
})

test('the number of a generation is never given twice', () => {
  const process = newProcess()
  const given = new Set<unknown>()
  for (let round = 0; round < 4; round++) {
    seal(process)
    const [newest] = read("select max(generation) from ledger_generation where state = 'sealed'")
    expect(given).not.toContain(newest)
    given.add(newest)
    purgeAllBut(process)
  }
})
