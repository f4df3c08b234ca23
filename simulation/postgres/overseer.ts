import pg from 'pg'
import { systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import { wallStartMs } from '../node-clock.ts'

/** Settings of the server that simulations run on: what it does of its own accord would be in no seed. */
export const simulatedSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_connections: '200',
  deadlock_timeout: '5ms',
} as const

/** So much shorter are the waits for locks in truth: an open commit would hold up each seed for seconds. */
export const waitsShorter = 5

/** Waits of a sweep for a table are shorter: it tries in passing. */
const leastLockTimeoutMs = 200

/** Schemas that are dropped before the catalogue is swept. */
const vacuumEvery = 4

/** Two connections beside all nodes, for many worlds one after the other. */
export class Overseer {
  readonly url: string
  readonly #client: pg.Client
  #dropped = 0
  /** Takes locks, for as long as a cancel needs them. */
  readonly #locker: pg.Client

  private constructor(url: string, client: pg.Client, locker: pg.Client) {
    this.url = url
    this.#client = client
    this.#locker = locker
  }

  static async of(url: string): Promise<Overseer> {
    const [client, locker] = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })]
    await Promise.all([client.connect(), locker.connect()])
    return new Overseer(url, client, locker)
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.end(), this.#locker.end()])
  }

  /** A fresh schema, whose server's clock is a sequence: that is no transaction's, and everybody sees it at once. */
  async makeSchema(schema: string, shards: number): Promise<void> {
    const options = { url: this.url, schema, clock: systemClock, random: seededRandom(1), connections: 1, shards }
    const store = await postgresStore({ ...options, now: () => wallStartMs, migrate: 'auto' })
    await store.close()
    await this.#client.query(`
      create unlogged sequence ${schema}.simulated_clock;
      create or replace function ${schema}.now_1(p_now double precision) returns double precision language sql as $$
        select last_value::double precision from ${schema}.simulated_clock
      $$`)
  }

  async dropSchema(schema: string): Promise<void> {
    await this.#client.query(`set client_min_messages = error; drop schema ${schema} cascade`)
    // Nobody else sweeps up: with the catalogue rows of 250 schemas a seed took the server six times as long.
    if (++this.#dropped % vacuumEvery === 0)
      await this.#client.query(
        'vacuum pg_class, pg_attribute, pg_attrdef, pg_proc, pg_depend, pg_shdepend, pg_type, pg_index, pg_constraint, pg_inherits, pg_partitioned_table, pg_sequence',
      )
  }

  /**
   * Makes the waits for locks in the schema's functions shorter, and says how long they were: by the name of each function that has
   * such a limit, or calls one that has.
   */
  async shortenWaits(schema: string): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#client.query<{ name: string; ms: number; alter: string | null }>(`
      with recursive own as (
        select p.oid, p.proname, p.prosrc, extract(epoch from substr(c, 14)::interval) * 1000 as ms
        from pg_proc p cross join unnest(p.proconfig) c
        where p.pronamespace = '${schema}'::regnamespace and c like 'lock_timeout=%'),
      limited as (
        select oid, proname, prosrc, ms from own where ms >= ${leastLockTimeoutMs}
        union
        select p.oid, p.proname, p.prosrc, l.ms
        from limited l join pg_proc p on position('.' || l.proname || '(' in p.prosrc) > 0
        where p.pronamespace = '${schema}'::regnamespace)
      select regexp_replace(l.proname, '_[0-9]+$', '') as name, max(l.ms)::integer as ms,
        max('alter function ' || o.oid::regprocedure || ' set lock_timeout = ' || (o.ms / ${waitsShorter})::integer) as alter
      from limited l left join own o on o.oid = l.oid group by 1`)
    for (const { alter } of rows) if (alter !== null) await this.#client.query(alter)
    return new Map(rows.map(({ name, ms }) => [name, ms]))
  }

  async tellTime(schema: string, at: number): Promise<void> {
    await this.#locker.query(`select setval('${schema}.simulated_clock', ${at})`)
  }

  /** Which of these processes wait for a lock that another one holds. */
  async blocked(pids: readonly number[]): Promise<ReadonlySet<number>> {
    const { rows } = await this.#client.query<{ pid: number }>({
      name: 'blocked',
      text: 'select p.pid from unnest($1::integer[]) p(pid) where cardinality(pg_blocking_pids(p.pid)) > 0',
      values: [pids],
    })
    return new Set(rows.map(({ pid }) => pid))
  }

  async terminate(pid: number): Promise<void> {
    await this.#locker.query('select pg_terminate_backend($1)', [pid])
  }

  /**
   * Has a statement wait for a lock on the events, and cancels it there. Does nothing where another transaction holds
   * one, or where the statement needs none.
   */
  async cancelled(schema: string, pid: number, give: () => void, isAnswered: () => boolean): Promise<void> {
    await this.#locker.query('begin')
    const isLocked = await this.#locker
      .query(`lock table ${schema}.event, ${schema}.settlement in access exclusive mode nowait`)
      .then(
        () => true,
        () => false,
      )
    give()
    while (isLocked && !isAnswered()) {
      if (!(await this.blocked([pid])).has(pid)) continue
      await this.#client.query('select pg_cancel_backend($1)', [pid])
      break
    }
    await this.#locker.query('rollback')
  }
}
