import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { type Log, silentLog } from '../../src/kit/log.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import type { Store } from '../../src/store/store.ts'
import { begun, item, ownAll, random } from '../support/postgres-work.ts'
import { type Pooler, poolerUnavailable, startPooler, statementsUnavailable } from '../support/services/pgbouncer.ts'

const server = inject('postgresUrl')
const schema = `pooler_${process.pid}`
const unavailable = poolerUnavailable()
const admin = new pg.Pool({ connectionString: server, max: 1 })

beforeAll(() => admin.query(`create schema ${schema}_own; create table ${schema}_own.ledger (amount integer)`))

afterAll(async () => {
  await admin.query(`drop schema if exists ${schema} cascade; drop schema ${schema}_own cascade`)
  await admin.end()
})

function open(url: string, over: { readonly log?: Log; readonly connections?: number } = {}): Promise<Store> {
  const options = { schema, clock: systemClock, random, log: silentLog, shards: 4, connections: 3, ...over }
  return postgresStore({ url, migrate: 'auto', ...options })
}

/** Says what it says to a list. */
function listed(said: string[]): Log {
  const say = (message: string) => said.push(message)
  return { debug: say, info: say, warn: say, error: say }
}

const title = (name: string, reason: string | undefined) =>
  name + (reason === undefined ? '' : ` (unavailable: ${reason})`)

describe.skipIf(unavailable !== undefined)(title('through PgBouncer in transaction mode', unavailable), () => {
  let pooler: Pooler

  beforeAll(async () => {
    pooler = await startPooler({ before: server, statements: 0 })
  })

  afterAll(() => pooler?.stop())

  it('commits also where a connection does not know its statement, and says once that it names none', async () => {
    const own = await startPooler({ before: server, statements: 0 })
    const said: string[] = []
    const store = await open(own.url, { log: listed(said), connections: 1 })
    const hand = new pg.Client({ connectionString: own.url })
    await hand.connect()
    expect((await store.commit({ accept: [item()] })).accept[0]?.outcome).toBe('accepted')
    // The one connection that knows it is busy: another is made.
    await hand.query('begin')
    expect((await store.commit({ accept: [item()] })).accept[0]?.outcome).toBe('accepted')
    expect((await store.commit({ accept: [item()] })).accept[0]?.outcome).toBe('accepted')
    expect(said.filter((message) => message.includes('unnamed'))).toHaveLength(1)
    await hand.end()
    await store.close()
    await own.stop()
  })

  it('commits effect and checkpoint together, in a transaction of one connection', async () => {
    const store = await open(pooler.url)
    const owned = await ownAll(store)
    const steps = await Promise.all(Array.from({ length: 5 }, () => begun(store, owned)))
    const answers = await Promise.all(
      steps.map((step, index) =>
        store.transact?.(step, async (transaction) => {
          if (!(transaction instanceof pg.Client)) throw new Error('no client of pg')
          await transaction.query(`insert into ${schema}_own.ledger values ($1)`, [index])
          const { rows } = await transaction.query(
            `select sum(amount)::integer as sum from ${schema}_own.ledger where amount = $1`,
            [index],
          )
          return JSON.stringify(rows[0])
        }),
      ),
    )
    expect(answers).toEqual(steps.map(() => ({ outcome: 'written' })))
    const { rows } = await admin.query(`select amount from ${schema}_own.ledger order by amount`)
    expect(rows.map(({ amount }) => amount)).toEqual([0, 1, 2, 3, 4])
    await store.close()
  })

  it('finds by tail what another node accepted, where no notification is heard', async () => {
    const [one, other] = [await open(pooler.url), await open(pooler.url)]
    const owned = await ownAll(one)
    const stop = one.onWork(() => undefined)
    const late = item()
    await other.commit({ accept: [late] })
    const pages = await one.tail({ cursors: owned.map((pair) => ({ ...pair, cursor: 0 })), limit: 1_000 })
    expect(pages.flatMap(({ events }) => events.map(({ event }) => event.key))).toContain(late.key)
    stop()
    await Promise.all([one.close(), other.close()])
  })

  it('says that the store is unavailable while the pooler is away, and goes on when it is back', async () => {
    const own = await startPooler({ before: server, statements: 0 })
    const store = await open(own.url)
    const one = item()
    await store.commit({ accept: [one] })
    await own.stop()
    const other = item()
    await expect(store.commit({ accept: [other] })).rejects.toMatchObject({ code: 'store_unavailable' })
    const back = await startPooler({ before: server, statements: 0, port: Number(new URL(own.url).port) })
    expect((await store.commit({ accept: [other] })).accept[0]?.outcome).toBe('accepted')
    await store.close()
    await back.stop()
  })
})

const withoutStatements = unavailable ?? statementsUnavailable()

describe.skipIf(withoutStatements !== undefined)(
  title('through PgBouncer that keeps named statements', withoutStatements),
  () => {
    it('names statements, and never goes without', async () => {
      const pooler = await startPooler({ before: server, statements: 200 })
      const said: string[] = []
      const store = await open(pooler.url, { log: listed(said), connections: 1 })
      const hand = new pg.Client({ connectionString: pooler.url })
      await hand.connect()
      expect((await store.commit({ accept: [item()] })).accept[0]?.outcome).toBe('accepted')
      await hand.query('begin')
      expect((await store.commit({ accept: [item()] })).accept[0]?.outcome).toBe('accepted')
      expect(said.filter((message) => message.includes('unnamed'))).toEqual([])
      await hand.end()
      await store.close()
      await pooler.stop()
    })
  },
)
