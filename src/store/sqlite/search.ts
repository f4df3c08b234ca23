import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { HapaxError } from '../../errors/hapax-error.ts'
import { type RunStatus, runStatuses } from '../../event/run-status.ts'
import type { Clock } from '../../kit/clock.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import { runSummaryOf, standingStatuses } from '../sql/lists.ts'
import { eventOf, type Row } from '../sql/rows.ts'
import type { EventQuery, EventSummary, RejectItem, RunQuery, RunSummary, StoreCounts } from '../store.ts'

/** Numbers of the sequence looked at before the event loop has its turn: some 3 ms. */
const windowRows = 4_000

/** Reading for people: newest first, in windows, so that a search over millions holds neither event loop nor writer. */
export class Searches {
  readonly #database: DatabaseSync
  readonly #clock: Clock
  readonly #repeats: StatementSync
  readonly #lastSeq: StatementSync

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database
    this.#clock = clock
    this.#repeats = database.prepare('select kind, count(*) as count from repeat where position = ? group by kind')
    this.#lastSeq = database.prepare('select last_seq, events from progress')
  }

  async events(query: EventQuery): Promise<{ events: EventSummary[]; next: string | undefined }> {
    const where = new Where()
    where.equal('tenant', query.tenant)
    where.equal('source', query.source)
    where.equal('type', query.type)
    where.equal('id', query.id)
    if (query.idPrefix !== undefined) where.add('substr(id, 1, length(?)) = ?', query.idPrefix, query.idPrefix)
    if (query.after !== undefined) where.add('accepted_at >= ?', query.after)
    if (query.before !== undefined) where.add('accepted_at < ?', query.before)
    if (query.unclaimed === false) where.add('event.position not in (select position from unclaimed)')
    // Of what nobody claimed there is little: all nodes of a group look for it again and again while a deploy spreads.
    const table = query.unclaimed ? 'unclaimed' : 'event'
    const from = query.unclaimed ? 'unclaimed join event on event.position = unclaimed.position' : 'event'
    const sql = `select event.* from ${from} where ${table}.position > ? and ${table}.position <= ? ${where.text}
      order by ${table}.position desc limit ?`
    const { rows, next } = await this.#windows(sql, where.values, query, 'position', table, 'position')
    return { events: rows.map((row) => this.#summary(row)), next }
  }

  async runs(query: RunQuery): Promise<{ runs: RunSummary[]; next: string | undefined }> {
    const where = new Where()
    where.equal('event.tenant', query.tenant)
    where.equal('event.source', query.source)
    where.equal('settlement.group_name', query.group)
    where.equal('settlement.handler', query.handler)
    if (query.after !== undefined) where.add('settlement.at >= ?', query.after)
    if (query.before !== undefined) where.add('settlement.at < ?', query.before)
    if (query.acceptedAfter !== undefined) where.add('event.accepted_at >= ?', query.acceptedAfter)
    if (query.acceptedBefore !== undefined) where.add('event.accepted_at < ?', query.acceptedBefore)
    const statuses = query.statuses ?? runStatuses
    const numbers = statuses.map((status) => runStatuses.indexOf(status))
    where.add(`settlement.status in (${numbers.join(', ')})`)
    const columns = 'settlement.*, event.key, event.tenant, event.source, event.id, event.type'
    const event = 'join event on event.position = settlement.position'
    // Where only troubled runs are asked for, the healthy are not looked at.
    const troubled = statuses.every((status) => standingStatuses.includes(status))
    const sql = troubled
      ? `select ${columns} from standing join settlement on settlement.seq = standing.seq ${event}
         where standing.seq > ? and standing.seq <= ? and standing.status in (${numbers.join(', ')}) ${where.text}
         order by standing.seq desc limit ?`
      : `select ${columns} from settlement ${event}
         where settlement.seq > ? and settlement.seq <= ? ${where.text}
           and not exists (select 1 from settlement later where later.position = settlement.position
             and later.tag = settlement.tag and later.seq > settlement.seq)
         order by settlement.seq desc limit ?`
    const { rows, next } = await this.#windows(
      sql,
      where.values,
      query,
      'seq',
      troubled ? 'standing' : 'settlement',
      'seq',
    )
    return { runs: rows.map(runSummaryOf), next }
  }

  async counts(): Promise<StoreCounts> {
    const standing: Partial<Record<RunStatus, number>> = {}
    // One status after the other: a million that stand are counted in an index, in turns of the event loop.
    for (const status of standingStatuses) {
      const count = await this.#count('standing', 'seq', `and status = ${runStatuses.indexOf(status)}`)
      if (count > 0) standing[status] = count
    }
    const rejected = this.#database.prepare('select * from rejected order by source, code').all()
    return {
      events: numberIn(this.#lastSeq.get(), 'events'),
      unclaimed: await this.#count('unclaimed', 'position', ''),
      standing,
      rejected: rejected.map(
        (row): RejectItem => ({
          source: textIn(row, 'source'),
          code: textIn(row, 'code'),
          count: numberIn(row, 'count'),
        }),
      ),
    }
  }

  async #count(table: string, column: string, filter: string): Promise<number> {
    const page = this.#database.prepare(
      `select count(*) as count, max(${column}) as last from
         (select ${column} from ${table} where ${column} > ? ${filter} order by ${column} limit 20000)`,
    )
    let total = 0
    let after = 0
    for (;;) {
      const row = page.get(after)
      const count = numberIn(row, 'count')
      total += count
      if (count < 20_000) return total
      after = numberIn(row, 'last')
      await this.#turn()
    }
  }

  /** Walks down the numbers of a table in windows that grow while they are empty of rows. */
  async #windows(
    sql: string,
    values: readonly SQLInputValue[],
    query: { readonly limit: number; readonly cursor?: string },
    named: string,
    table: string,
    column: string,
  ): Promise<{ rows: Row[]; next: string | undefined }> {
    const page = this.#database.prepare(sql)
    const below = this.#database.prepare(
      `select min(number) as number from
         (select ${column} as number from ${table} where ${column} <= ? order by ${column} desc limit ${windowRows})`,
    )
    let high = query.cursor === undefined ? numberIn(this.#lastSeq.get(), 'last_seq') : cursorNumber(query.cursor)
    const rows: Row[] = []
    for (;;) {
      const low = below.get(high)?.number
      if (typeof low !== 'number') return { rows, next: undefined }
      for (const row of page.all(low - 1, high, ...values, query.limit - rows.length + 1)) {
        if (rows.length === query.limit) return { rows, next: cursorText(numberIn(rows.at(-1), named) - 1) }
        rows.push(row)
      }
      high = low - 1
      await this.#turn()
    }
  }

  #summary(row: Row): EventSummary {
    const { body: _, ...event } = eventOf(row)
    let duplicates = 0
    let conflicts = 0
    for (const repeats of this.#repeats.all(event.position)) {
      if (textIn(repeats, 'kind') === 'duplicate') duplicates = numberIn(repeats, 'count')
      else conflicts = numberIn(repeats, 'count')
    }
    return { ...event, duplicates, conflicts }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#clock.turn(resolve))
  }
}

class Where {
  text = ''
  readonly values: SQLInputValue[] = []

  add(condition: string, ...values: SQLInputValue[]): void {
    this.text += ` and ${condition}`
    this.values.push(...values)
  }

  equal(column: string, value: string | undefined): void {
    if (value !== undefined) this.add(`${column} = ?`, value)
  }
}

function cursorText(number: number): string {
  return Buffer.from(String(number)).toString('base64url')
}

function cursorNumber(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (!/^\d{1,15}$/.test(text)) throw new HapaxError('invalid_cursor')
  return Number(text)
}
