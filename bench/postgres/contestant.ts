import pg from 'pg'
import { type Measured, perSecond } from '../measure.ts'
import { CostMeter } from './cost.ts'
import { SpanProfile } from './profile.ts'
import { withDatabaseName } from './server.ts'

/** What is measured on PostgreSQL. */
export const workNames = [
  'accept',
  'whole life',
  'drain',
  'three steps',
  'half duplicates',
  'latency',
  'one step',
  'one step with limits',
  'keyed',
  'ordered',
  'one node',
  'two nodes',
  'four nodes',
  'takeover',
  'tidy',
  'tidy half',
  'held',
  'open accept',
] as const
export type WorkName = (typeof workNames)[number]

/** A node reads filters of what is remembered from its first commit on: 1 to 2 s for 20,000,000 identities (decision 20). */
const filtersReadMs = 4_000

/** One side of the PostgreSQL rows: its module exports its works as `works`; what is missing, it does not offer. */
export type Works = Partial<Record<WorkName, (bench: Bench) => Promise<Measured>>>

/** What there is beside a database. */
export interface BenchOptions {
  /** The postmaster's; undefined where it cannot be known. */
  readonly serverPid: number | undefined
  /** The database is a stored set: nothing of it is analysed. */
  readonly stored: boolean
  /** How long something is held open. */
  readonly heldMs: number
  /** So many windows of that, before and during. */
  readonly pairs: number
  /** What is measured is looked at closely, which costs time: its rate is compared with nothing. */
  readonly profile: boolean
}

/** What a side is given: an empty database, how much to do, and the meter. */
export class Bench {
  readonly url: string
  /** Events that are measured. */
  readonly count: number
  /** Events before them, so that no plan is cached against an empty table and no code runs for the first time. */
  readonly warmUp: number
  readonly options: BenchOptions
  readonly #admin: pg.Client
  readonly #own: pg.Client
  readonly #meter: CostMeter

  private constructor(
    url: string,
    count: number,
    admin: pg.Client,
    own: pg.Client,
    meter: CostMeter,
    options: BenchOptions,
  ) {
    this.url = url
    this.options = options
    this.count = count
    this.warmUp = Math.max(100, Math.ceil(count / 10))
    this.#admin = admin
    this.#own = own
    this.#meter = meter
  }

  static async open(url: string, count: number, options: BenchOptions): Promise<Bench> {
    const admin = new pg.Client({ connectionString: withDatabaseName(url, 'postgres') })
    const own = new pg.Client({ connectionString: url })
    await admin.connect()
    await own.connect()
    const database = new URL(url).pathname.slice(1)
    return new Bench(url, count, admin, own, new CostMeter(admin, database, options.serverPid), options)
  }

  /** For what the measured work itself does not ask: how many are left. */
  async number(text: string): Promise<number> {
    const { rows } = await this.#own.query<{ number: string }>(`select (${text}) as number`)
    return Number(rows[0]?.number)
  }

  /** Rows of a question that is none of the measured work's. */
  async rows<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#own.query<Row>(text, [...values])).rows
  }

  /** The same in another database, so that it is not among what is counted. */
  async adminRows<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#admin.query<Row>(text, [...values])).rows
  }

  /** Statements of a side's preparation. */
  async run(text: string): Promise<void> {
    await this.#own.query(text)
  }

  /**
   * After the warm-up: statistics as a table that is in use has them, and no checkpoint soon. One just passed, so that the first
   * change of each page is logged whole. A stored set keeps its stale statistics; it is vacuumed all the same, or whoever first
   * reads what was prepared pays for that: 1.2 kB of log an event. Nor is a node of it measured while it reads its filters.
   */
  async settle(): Promise<void> {
    if (this.options.stored) await new Promise((resolve) => setTimeout(resolve, filtersReadMs))
    await this.#own.query(this.options.stored ? 'vacuum' : 'vacuum analyze')
    await this.#own.query('checkpoint')
  }

  /** Measures the rate of `work`, which handles {@link count} events, and what they cost. */
  measure(work: () => Promise<unknown>): Promise<Measured> {
    return this.around(() => perSecond(this.count, work))
  }

  /** Measures what `work` cost, which measures itself. */
  async around(work: () => Promise<Measured>): Promise<Measured> {
    const profile = this.options.profile ? await SpanProfile.begin(this.#own) : undefined
    const { walBytes, cpuSeconds, statements, ...measured } = await this.#meter.around(work)
    return {
      ...measured,
      ...(await profile?.end(this.count)),
      walBytesPerEvent: (walBytes ?? Number.NaN) / this.count,
      cpuSecondsPer1000: ((cpuSeconds ?? Number.NaN) * 1_000) / this.count,
      statementsPerEvent: (statements ?? Number.NaN) / this.count,
    }
  }

  async close(): Promise<void> {
    await this.#admin.end()
    await this.#own.end()
  }
}
