import { drizzle } from 'drizzle-orm/node-postgres'
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createHapax, handler } from '../../src/index.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import type { Owned, Store, TransactionBegin } from '../../src/store/store.ts'
import { begun, item, ownAll, random } from '../support/postgres-work.ts'
import { schemaUrl } from '../support/services/postgres.ts'
import { generatedPrisma, type Prisma, type PrismaTransaction } from './prisma.ts'

const url = inject('postgresUrl')
const schema = `libraries_${process.pid}`
const own = `${schema}_own`
const pool = new pg.Pool({ connectionString: url, max: 4 })
const sql = postgres(url, { max: 2, onnotice: () => {} })
const kysely = new Kysely<{ ledger: { amount: number } }>({ dialect: new PostgresDialect({ pool }) })
const db = drizzle(pool)
type DrizzleTransaction = Parameters<Parameters<typeof db.transaction>[0]>[0]
let store: Store
let owned: readonly Owned[]
let prisma: Prisma
let removePrisma = () => {}

beforeAll(async () => {
  await pool.query(`create schema ${own}; create table ${own}.ledger (id serial primary key, amount integer not null)`)
  const made = await generatedPrisma(url, own)
  prisma = made.prisma
  removePrisma = made.remove
  store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 4 })
  owned = await ownAll(store)
})

afterEach(() => pool.query(`truncate ${own}.ledger`))

afterAll(async () => {
  await store?.close()
  await prisma?.$disconnect()
  removePrisma()
  await pool.query(`drop schema if exists ${schema} cascade; drop schema ${own} cascade`)
  await pool.end()
  await sql.end()
})

async function booked(): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(`select count(*) from ${own}.ledger`)
  return Number(rows[0]?.count)
}

function transact(...args: Parameters<NonNullable<Store['transact']>>) {
  if (!store.transact) throw new Error('the store has no transactions')
  return store.transact(...args)
}

describe('an accept within a transaction of Prisma', () => {
  const within = (body: (transaction: PrismaTransaction) => Promise<unknown>) => prisma.$transaction(body)

  it('commits with what the caller does, byte by byte as it came', async () => {
    const one = item()
    await within(async (transaction) => {
      await transaction.ledger.create({ data: { amount: 1 } })
      expect(await store.acceptWithin?.(transaction, one)).toEqual({ outcome: 'pending' })
      expect(await store.event(one.key)).toBeUndefined()
    })
    const event = await store.event(one.key)
    expect(event).toMatchObject({ id: one.id, headers: one.headers, fingerprint: one.fingerprints[0] })
    expect(Buffer.from(event?.body ?? [])).toEqual(one.body)
    expect(await booked()).toBe(1)
  })

  it('leaves nothing where the caller rolls back', async () => {
    const one = item()
    const body = within(async (transaction) => {
      await transaction.ledger.create({ data: { amount: 1 } })
      await store.acceptWithin?.(transaction, one)
      throw new Error('no')
    })
    await expect(body).rejects.toThrow('no')
    expect(await store.event(one.key)).toBeUndefined()
    expect(await booked()).toBe(0)
  })

  it('says that an identity exists, and aborts nothing', async () => {
    const one = item()
    await store.commit({ accept: [one] })
    await within(async (transaction) => {
      const again = { ...one, key: item().key }
      expect(await store.acceptWithin?.(transaction, again)).toEqual({ outcome: 'exists', key: one.key })
      await transaction.ledger.create({ data: { amount: 1 } })
    })
    expect(await booked()).toBe(1)
  })

  it('is told of another transaction that holds the identity, and goes on', async () => {
    const one = item()
    await within(async (holder) => {
      await store.acceptWithin?.(holder, one)
      await within(async (transaction) => {
        const again = store.acceptWithin?.(transaction, { ...one, key: item().key })
        await expect(again).rejects.toMatchObject({ code: 'identity_in_flight' })
        await transaction.ledger.create({ data: { amount: 1 } })
      })
    })
    expect(await booked()).toBe(1)
  })
})

/** How a library books within a run's transaction: on the store's own client, or in a transaction that it opens itself. */
const ways: Record<string, { readonly begin?: TransactionBegin; readonly book: (tx: never) => Promise<unknown> }> = {
  'the client of pg': {
    book: (tx: pg.PoolClient) => tx.query(`insert into ${own}.ledger (amount) values ($1)`, [1]),
  },
  'Drizzle on it': {
    book: (tx: pg.PoolClient) => drizzle(tx).execute(`insert into ${own}.ledger (amount) values (1)`),
  },
  'Kysely on it': {
    book: (tx: pg.PoolClient) => {
      const lent = { connect: async () => tx, end: async () => {} }
      const onIt = new Kysely<{ ledger: { amount: number } }>({ dialect: new PostgresDialect({ pool: lent }) })
      return onIt.withSchema(own).insertInto('ledger').values({ amount: 1 }).execute()
    },
  },
  'pg’s own pool': {
    begin: async (work) => {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await work(client)
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
    book: (tx: pg.PoolClient) => tx.query(`insert into ${own}.ledger (amount) values ($1)`, [1]),
  },
  'postgres.js': {
    begin: (work) => sql.begin(work),
    book: (tx: postgres.TransactionSql) => tx`insert into ${tx(own)}.ledger (amount) values (${1})`,
  },
  Kysely: {
    begin: (work) => kysely.transaction().execute(work),
    book: (tx: Transaction<{ ledger: { amount: number } }>) =>
      tx.withSchema(own).insertInto('ledger').values({ amount: 1 }).execute(),
  },
  Drizzle: {
    begin: (work) => db.transaction(work),
    book: (tx: DrizzleTransaction) => tx.execute(`insert into ${own}.ledger (amount) values (1)`),
  },
  Prisma: {
    begin: (work) => prisma.$transaction(work),
    book: (tx: PrismaTransaction) => tx.ledger.create({ data: { amount: 1 } }),
  },
}

describe.each(Object.entries(ways))('run.transaction through %s', (_name, { begin, book }) => {
  // Each way's `begin` gives what its `book` takes.
  const booking = (transaction: unknown) => book(transaction as never)

  it('commits effect and checkpoint together, once', async () => {
    const step = await begun(store, owned)
    const value = JSON.stringify({ text: `it's \\ $1 ? :a "ünï"` })
    const body = async (transaction: unknown) => {
      await booking(transaction)
      return value
    }
    expect(await transact(step, body, begin)).toEqual({ outcome: 'written' })
    expect(await transact(step, body, begin)).toMatchObject({ outcome: 'refused', checkpoint: { value } })
    expect(await booked()).toBe(1)
  })

  it('rolls all back where the function throws, and throws that', async () => {
    const step = await begun(store, owned)
    const thrown = new Error('no funds')
    const body = async (transaction: unknown) => {
      await booking(transaction)
      throw thrown
    }
    await expect(transact(step, body, begin)).rejects.toBe(thrown)
    expect(await booked()).toBe(0)
    expect((await store.run(step.run.event, 'tag'))?.checkpoints).toEqual([])
  })

  it('rolls all back where the pair was lost meanwhile (G6)', async () => {
    const step = await begun(store, owned)
    const { shard } = step.owned
    const body = async (transaction: unknown) => {
      await booking(transaction)
      await pool.query(`update ${schema}.pair set epoch = epoch + 1 where shard = $1`, [shard])
      return '1'
    }
    try {
      expect(await transact(step, body, begin)).toEqual({ outcome: 'stale' })
    } finally {
      await pool.query(`update ${schema}.pair set epoch = epoch - 1 where shard = $1`, [shard])
    }
    expect(await booked()).toBe(0)
  })

  it('calls the function again where another transaction was in the way', async () => {
    const step = await begun(store, owned)
    let calls = 0
    const body = async (transaction: unknown) => {
      await booking(transaction)
      if (++calls === 1) throw new Error('wrapped', { cause: Object.assign(new Error('deadlock'), { code: '40P01' }) })
      return '1'
    }
    expect(await transact(step, body, begin)).toEqual({ outcome: 'written' })
    expect(calls).toBe(2)
    expect(await booked()).toBe(1)
  })
})

describe('run.transaction', () => {
  it('takes each library in one handler, each transaction once', async () => {
    const amounts: number[] = []
    const book = handler(
      'book',
      { source: 'books', on: '*', needs: ['transaction'], retry: { attempts: 3, min: '1ms', max: '1ms' } },
      async (_event, run) => {
        await run.transaction('pg', async (tx: pg.PoolClient) => {
          await tx.query(`insert into ${own}.ledger (amount) values (1)`)
        })
        await run.transaction(
          'postgres.js',
          async (tx: postgres.TransactionSql) => {
            await tx`insert into ${tx(own)}.ledger (amount) values (2)`
          },
          { begin: (work) => sql.begin(work) },
        )
        await run.transaction(
          'Kysely',
          async (tx: Transaction<{ ledger: { amount: number } }>) => {
            await tx.withSchema(own).insertInto('ledger').values({ amount: 3 }).execute()
          },
          { begin: (work) => kysely.transaction().execute(work) },
        )
        await run.transaction(
          'Drizzle',
          async (tx: DrizzleTransaction) => {
            await tx.execute(`insert into ${own}.ledger (amount) values (4)`)
          },
          { begin: (work) => db.transaction(work) },
        )
        const { amount } = await run.transaction(
          'Prisma',
          (tx: PrismaTransaction) => tx.ledger.create({ data: { amount: 5 } }),
          {
            begin: (work) => prisma.$transaction(work),
          },
        )
        amounts.push(amount)
        if (amounts.length === 1) throw new Error('once more')
      },
    )
    await using hapax = await createHapax({ store: schemaUrl(url, schema), handlers: [book] })
    await hapax.start()
    const receipt = await hapax.accept({ source: 'books', id: '1', type: 'x', data: {} })
    const id = receipt.runs.find((one) => one.handler === 'book')?.id ?? ''
    await hapax.runs.result(id, { timeout: '20s' })
    const { rows } = await pool.query(`select amount from ${own}.ledger order by amount`)
    expect(rows.map(({ amount }) => amount)).toEqual([1, 2, 3, 4, 5])
    expect(amounts).toEqual([5, 5])
  })

  it('leaves its client in its transaction, whatever a library gives back', async () => {
    const step = await begun(store, owned)
    await transact(step, async (transaction) => {
      const client = transaction as pg.PoolClient
      client.release()
      const others = Array.from({ length: 20 }, () => item())
      await Promise.all(others.map((one) => store.commit({ accept: [one] })))
      await client.query(`insert into ${own}.ledger (amount) values (1)`)
      return '1'
    })
    expect(await booked()).toBe(1)
  })

  it.each<[string, TransactionBegin]>([
    ['calls nothing', async () => undefined],
    [
      'hides that its function rejected',
      (work) => kysely.transaction().execute((tx) => work(tx).catch(() => undefined)),
    ],
    ['gives no transaction that is known', (work) => work({})],
    ['gives a pool', (work) => work(pool)],
  ])('refuses a begin that %s', async (_what, begin) => {
    const step = await begun(store, owned)
    const body = async () => {
      throw new Error('no')
    }
    await expect(transact(step, body, begin)).rejects.toMatchObject({ code: 'store_refused' })
  })

  it('tells a begin that opens no transaction', async () => {
    const step = await begun(store, owned)
    const begin: TransactionBegin = (work) => work(kysely)
    await expect(transact(step, async () => '1', begin)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await store.run(step.run.event, 'tag'))?.checkpoints).toEqual([])
  })
})
