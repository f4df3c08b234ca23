import { drizzle } from 'drizzle-orm/node-postgres'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { begun, item, ownAll } from '../../../test/support/postgres-work.ts'
import type { EventRecord } from '../../event/event.ts'
import { systemClock } from '../../kit/clock.ts'
import { systemRandom } from '../../kit/random.ts'
import type { AcceptItem, Owned, Store } from '../store.ts'
import { postgresStore } from './index.ts'

const url = inject('postgresUrl')
const schema = `transact_${process.pid}`
const random = systemRandom()
const pool = new pg.Pool({ connectionString: url, max: 4 })
const sql = postgres(url, { max: 2, onnotice: () => {} })
let store: Store
let owned: readonly Owned[]

beforeAll(async () => {
  await pool.query(`create schema ${schema}_own; create table ${schema}_own.ledger (amount integer not null)`)
  store = await open()
  owned = await ownAll(store)
})

afterEach(() => pool.query(`truncate ${schema}_own.ledger`))

afterAll(async () => {
  await store.close()
  await pool.query(`drop schema if exists ${schema} cascade; drop schema ${schema}_own cascade`)
  await pool.end()
  await sql.end()
})

function open(): Promise<Store> {
  return postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 4 })
}

/** An open transaction of each library, ended by what `body` says. */
const libraries: Record<
  string,
  (body: (transaction: unknown, insert: () => Promise<unknown>) => Promise<boolean>) => Promise<void>
> = {
  pg: async (body) => {
    const client = await pool.connect()
    await client.query('begin')
    const commits = await body(client, () => client.query(`insert into ${schema}_own.ledger values (1)`))
    await client.query(commits ? 'commit' : 'rollback')
    client.release()
  },
  'postgres.js': async (body) => {
    await ended(
      sql.begin(async (transaction) => {
        const commits = await body(transaction, () => transaction.unsafe(`insert into ${schema}_own.ledger values (1)`))
        if (!commits) throw new RolledBack()
      }),
    )
  },
  Kysely: async (body) => {
    const db = new Kysely<Record<string, { amount: number }>>({ dialect: new PostgresDialect({ pool }) })
    await ended(
      db.transaction().execute(async (transaction) => {
        const insert = () =>
          transaction.withSchema(`${schema}_own`).insertInto('ledger').values({ amount: 1 }).execute()
        if (!(await body(transaction, insert))) throw new RolledBack()
      }),
    )
  },
  Drizzle: async (body) => {
    await ended(
      drizzle(pool).transaction(async (transaction) => {
        const commits = await body(transaction, () =>
          transaction.execute(`insert into ${schema}_own.ledger values (1)`),
        )
        if (!commits) throw new RolledBack()
      }),
    )
  },
}

class RolledBack extends Error {}

async function ended(transaction: Promise<unknown>): Promise<void> {
  await transaction.catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error
  })
}

async function booked(): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(`select count(*) from ${schema}_own.ledger`)
  return Number(rows[0]?.count)
}

function accept(transaction: unknown, one: AcceptItem) {
  if (!store.acceptWithin) throw new Error('the store has no transactions')
  return store.acceptWithin(transaction, one)
}

describe.each(Object.keys(libraries))('an accept within a transaction of %s', (name) => {
  const within = libraries[name]
  if (!within) throw new Error(name)

  it('commits with what the caller does, byte by byte as it came', async () => {
    const one = item()
    await within(async (transaction, insert) => {
      await insert()
      expect(await accept(transaction, one)).toEqual({ outcome: 'pending' })
      expect(await store.event(one.key)).toBeUndefined()
      return true
    })
    const event = await store.event(one.key)
    expect(event).toMatchObject({ id: one.id, headers: one.headers, fingerprint: one.fingerprints[0] })
    expect(Buffer.from(event?.body ?? [])).toEqual(one.body)
    expect(await booked()).toBe(1)
  })

  it('leaves nothing where the caller rolls back', async () => {
    const one = item()
    await within(async (transaction, insert) => {
      await insert()
      await accept(transaction, one)
      return false
    })
    expect(await store.event(one.key)).toBeUndefined()
    expect(await booked()).toBe(0)
    expect((await store.commit({ accept: [one] })).accept[0]?.outcome).toBe('accepted')
  })

  it('says that an identity exists, and aborts nothing', async () => {
    const one = item()
    await store.commit({ accept: [one] })
    await within(async (transaction, insert) => {
      const again = { ...one, key: item().key }
      expect(await accept(transaction, again)).toEqual({ outcome: 'exists', key: one.key })
      await insert()
      return true
    })
    expect(await booked()).toBe(1)
  })
})

describe('an accept within a caller’s transaction', () => {
  it('holds up only another accept of the same identity, which is told so', async () => {
    const held = item()
    const [neighbour, again] = [item(), { ...held, key: item().key }]
    await libraries.pg?.(async (transaction) => {
      await accept(transaction, held)
      const { accept: answers } = await store.commit({ accept: [neighbour, again] })
      expect(answers.map(({ outcome }) => outcome)).toEqual(['accepted', 'in_flight'])
      await libraries.pg?.(async (second, insert) => {
        await expect(accept(second, again)).rejects.toMatchObject({ code: 'identity_in_flight' })
        await insert()
        return true
      })
      return true
    })
    expect(await booked()).toBe(1)
    expect((await store.commit({ accept: [again] })).accept[0]).toMatchObject({
      outcome: 'duplicate',
      original: held.key,
    })
  })

  it('comes by tail when it commits, also long after later ones were read, and holds up none of those', async () => {
    const pair = owned.find(({ shard }) => shard === 1)
    if (!pair) throw new Error('shard 1 is not owned')
    const late = item()
    const early = item()
    const read = async (cursor: number) => {
      const [page] = await store.tail({ cursors: [{ ...pair, cursor }], limit: 100 })
      if (!page) throw new Error('no page')
      return { keys: page.events.map(({ event }) => event.key), cursor: page.cursor }
    }
    let { cursor } = await read(0)
    await libraries.pg?.(async (transaction) => {
      await accept(transaction, late)
      await store.commit({ accept: [early] })
      const page = await read(cursor)
      expect(page.keys).toEqual([early.key])
      const mark = await store.own({
        node: 'n1',
        group: 'g',
        owns: true,
        handlers: ['h'],
        leaseMs: 600_000,
        release: [],
        lowMarks: [{ ...pair, position: page.cursor + 1 }],
      })
      expect(mark.owned).toContainEqual({ ...pair, graceful: true })
      expect((await read(page.cursor)).keys).toEqual([])
      cursor = page.cursor
      return true
    })
    const committed = (await store.event(late.key)) as EventRecord
    expect(committed.position).toBeLessThan(cursor)
    const page = await read(cursor)
    expect(page.keys).toEqual([late.key])
    expect((await read(page.cursor)).keys).toEqual([])
    // The low mark that was told in between does not lie above it.
    const [takeover] = await store.tail({ cursors: [pair], limit: 1_000 })
    expect(takeover?.events.map(({ event }) => event.key)).toContain(late.key)
  })

  it('is missed by no page, however small, of several that commit late in any order', async () => {
    const pair = owned.find(({ shard }) => shard === 2)
    if (!pair) throw new Error('shard 2 is not owned')
    const items = Array.from({ length: 9 }, () => item({ shard: 2 }))
    const found: string[] = []
    let cursor = 0
    const read = async () => {
      for (;;) {
        const [page] = await store.tail({ cursors: [{ ...pair, cursor }], limit: 2 })
        if (!page) throw new Error('no page')
        found.push(...page.events.map(({ event }) => event.key))
        cursor = page.cursor
        if (!page.more) return
      }
    }
    const [longest, middle] = [await pool.connect(), await pool.connect()]
    const [first, second, third, fourth, fifth, ...later] = items
    if (!first || !second || !third || !fourth || !fifth) throw new Error('items')
    try {
      await longest.query('begin')
      await accept(longest, first)
      await middle.query('begin')
      for (const one of [second, third, fourth]) await accept(middle, one)
      await store.commit({ accept: [fifth] })
      await read()
      await middle.query('commit')
      // Its three do not fit into one page of two, while the longest is still open below them.
      const [page] = await store.tail({ cursors: [{ ...pair, cursor }], limit: 2 })
      found.push(...(page?.events.map(({ event }) => event.key) ?? []))
      cursor = page?.cursor ?? 0
      await store.commit({ accept: later })
      await longest.query('commit')
      await read()
      await read()
      expect(found.sort()).toEqual(items.map(({ key }) => key).sort())
    } finally {
      // Thrown away, with what they may still hold open.
      longest.release(true)
      middle.release(true)
    }
  })

  it('refuses what is no transaction that it knows', async () => {
    for (const wrong of [pool, {}, 'begin', undefined, () => 1]) {
      await expect(accept(wrong, item())).rejects.toMatchObject({ code: 'store_refused' })
    }
  })
})

describe('run.transaction', () => {
  const transact: NonNullable<Store['transact']> = (...args) => {
    if (!store.transact) throw new Error('the store has no transactions')
    return store.transact(...args)
  }
  const book = (transaction: unknown) => {
    if (!(transaction instanceof pg.Client)) throw new Error('no client of pg')
    return transaction.query(`insert into ${schema}_own.ledger values (1)`)
  }

  it('commits effect and checkpoint together, once', async () => {
    const step = await begun(store, owned)
    const body = async (transaction: unknown) => {
      await book(transaction)
      return '"booked"'
    }
    expect(await transact(step, body)).toEqual({ outcome: 'written' })
    expect(await transact(step, body)).toMatchObject({ outcome: 'refused', checkpoint: { value: '"booked"' } })
    expect(await booked()).toBe(1)
  })

  it('rolls all back where the function throws, and throws that', async () => {
    const step = await begun(store, owned)
    const thrown = new Error('no funds')
    const body = async (transaction: unknown) => {
      await book(transaction)
      throw thrown
    }
    await expect(transact(step, body)).rejects.toBe(thrown)
    expect(await booked()).toBe(0)
    expect((await store.run(step.run.event, 'tag'))?.checkpoints).toEqual([])
  })

  it('rolls all back where the pair was lost meanwhile (G6)', async () => {
    const step = await begun(store, owned)
    const stale = { ...step, owned: { ...step.owned, epoch: step.owned.epoch + 1 } }
    expect(await transact(stale, async () => '1')).toEqual({ outcome: 'stale' })
    const body = async (transaction: unknown) => {
      await book(transaction)
      await pool.query(`update ${schema}.pair set epoch = epoch + 1 where shard = $1`, [step.owned.shard])
      return '1'
    }
    try {
      expect(await transact(step, body)).toEqual({ outcome: 'stale' })
    } finally {
      await pool.query(`update ${schema}.pair set epoch = epoch - 1 where shard = $1`, [step.owned.shard])
    }
    expect(await booked()).toBe(0)
  })

  it('calls the function again where another transaction was in the way', async () => {
    const step = await begun(store, owned)
    let calls = 0
    const body = async (transaction: unknown) => {
      await book(transaction)
      if (++calls === 1) throw Object.assign(new Error('could not serialize'), { code: '40001' })
      return '1'
    }
    expect(await transact(step, body)).toEqual({ outcome: 'written' })
    expect(calls).toBe(2)
    expect(await booked()).toBe(1)
  })

  it('tells a function that ends the transaction by itself', async () => {
    const step = await begun(store, owned)
    const body = async (transaction: unknown) => {
      await book(transaction)
      if (transaction instanceof pg.Client) await transaction.query('commit')
      return '1'
    }
    await expect(transact(step, body)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await store.run(step.run.event, 'tag'))?.checkpoints).toEqual([])
  })
})
