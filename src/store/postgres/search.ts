import { HapaxError } from '../../errors/hapax-error.ts'
import { type RunStatus, runStatuses } from '../../event/run-status.ts'
import { limits } from '../../kit/limits.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import { runSummaryOf, standingStatuses } from '../sql/lists.ts'
import { eventOf, type Row } from '../sql/rows.ts'
import type { EventQuery, EventSummary, RunQuery, RunSummary, StoreCounts } from '../store.ts'
import { keyArray, textArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import type { LateFingerprints } from './late-fingerprint.ts'
import type { Param } from './params.ts'
import { jsonRow } from './read.ts'
import type { Naming } from './schema.ts'

/** Beyond so many rows a count of all events is the planner's estimate: to count them would read them all. */
const countedExactly = 100_000

/** Reading for people: newest first. */
export class Searches {
  readonly #connections: Connections
  readonly #naming: Naming
  readonly #late: LateFingerprints

  constructor(connections: Connections, naming: Naming, late: LateFingerprints) {
    this.#connections = connections
    this.#late = late
    this.#naming = naming
  }

  async events(query: EventQuery): Promise<{ events: EventSummary[]; next: string | undefined }> {
    const where = new Where([query.limit + 1, below(query.cursor)])
    where.equal('e.tenant', query.tenant)
    where.equal('e.source', query.source)
    where.equal('e.type', query.type)
    where.equal('e.id', query.id)
    if (query.idPrefix !== undefined) where.add((prefix) => `starts_with(e.id, ${prefix})`, query.idPrefix)
    if (query.after !== undefined) where.add((after) => `e.accepted_at >= ${after}::double precision`, query.after)
    if (query.before !== undefined) where.add((before) => `e.accepted_at < ${before}::double precision`, query.before)
    if (query.unclaimed === false) {
      where.text += ' and not exists (select from :s.unclaimed u where u.position = e.position)'
    }
    const found = await this.#list(query.unclaimed ? ofUnclaimed(where.text) : ofAll(where.text), where.values)
    const rows = found.slice(0, query.limit)
    await this.#late.complete(rows)
    const repeats = await this.#repeats(rows)
    const events = rows.map((row) => {
      const { body: _, ...event } = eventOf(row)
      return { ...event, ...(repeats.get(event.key) ?? { duplicates: 0, conflicts: 0 }) }
    })
    return { events, next: nextOf(found, rows, 'position') }
  }

  async runs(query: RunQuery): Promise<{ runs: RunSummary[]; next: string | undefined }> {
    const where = new Where([query.limit + 1, below(query.cursor)])
    where.equal('e.tenant', query.tenant)
    where.equal('e.source', query.source)
    where.equal('s.group_name', query.group)
    where.equal('s.handler', query.handler)
    const time = (condition: string, at: number | undefined) => {
      if (at !== undefined) where.add((value) => `${condition} ${value}::double precision`, at)
    }
    time('s.at >=', query.after)
    time('s.at <', query.before)
    time('e.accepted_at >=', query.acceptedAfter)
    time('e.accepted_at <', query.acceptedBefore)
    const statuses = query.statuses ?? runStatuses
    const numbers = statuses.map((status) => runStatuses.indexOf(status)).join(', ')
    const columns = 's.*, e.position, e.tenant, e.source, e.id, e.type'
    // Where only troubled runs are asked for, the healthy are not looked at.
    const troubled = statuses.every((status) => standingStatuses.includes(status))
    const found = await this.#list(
      troubled
        ? `select ${columns} from :s.standing t
           join :s.settlement s on s.key = t.key and s.tag = t.tag and s.generation = t.generation and s.turn = t.turn
           join :s.event e on e.key = t.key
           where t.seq < ($1)[2]::bigint and t.status = any(array[${numbers}]::integer[]) ${where.text}
           order by t.seq desc limit ($1)[1]::integer`
        : `select ${columns} from :s.settlement s join :s.event e on e.key = s.key
           where s.seq < ($1)[2]::bigint and s.status = any(array[${numbers}]::integer[]) ${where.text}
             and not exists (select from :s.settlement l where l.key = s.key and l.tag = s.tag and l.seq > s.seq)
           order by s.seq desc limit ($1)[1]::integer`,
      where.values,
    )
    const rows = found.slice(0, query.limit)
    return { runs: rows.map(runSummaryOf), next: nextOf(found, rows, 'seq') }
  }

  async counts(): Promise<StoreCounts> {
    const [counted] = await this.#rows(
      `select (select count(*) from (select from :s.unclaimed) u) as unclaimed,
        (select count(*) from (select from :s.event limit ${countedExactly}) e) as events,
        (select sum(greatest(c.reltuples, 0))::bigint from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = to_regclass(':s.event')) as estimated`,
      [],
    )
    const standing: Partial<Record<RunStatus, number>> = {}
    for (const row of await this.#rows('select status, count(*) as count from :s.standing group by status', [])) {
      const status = runStatuses[numberIn(row, 'status')]
      if (status) standing[status] = numberIn(row, 'count')
    }
    const events = numberIn(counted, 'events')
    const rejected = await this.#rows('select * from :s.rejected order by source, code', [])
    return {
      events: events < countedExactly ? events : Math.max(events, numberIn(counted, 'estimated')),
      unclaimed: numberIn(counted, 'unclaimed'),
      standing,
      rejected: rejected.map((row) => {
        return { source: textIn(row, 'source'), code: textIn(row, 'code'), count: numberIn(row, 'count') }
      }),
    }
  }

  async #repeats(rows: readonly Row[]): Promise<Map<string, { duplicates: number; conflicts: number }>> {
    const counts = new Map<string, { duplicates: number; conflicts: number }>()
    if (rows.length === 0) return counts
    const found = await this.#rows('select * from :s.repeat_counts_1($1)', [
      keyArray(rows.map((row) => textIn(row, 'key'))),
    ])
    for (const row of found) {
      counts.set(textIn(row, 'key'), { duplicates: numberIn(row, 'duplicates'), conflicts: numberIn(row, 'conflicts') })
    }
    return counts
  }

  async #list(text: string, values: readonly Param[]): Promise<Row[]> {
    const list = [this.#naming.sql(text), textArray(values.map(String))]
    return (await this.#rows('select l."row" from :s.list_1($1, $2) l', list)).map(jsonRow)
  }

  #rows(text: string, values: readonly Param[]): Promise<Row[]> {
    return this.#connections.rows(this.#naming.sql(text), values, limits.storeWorkMs)
  }
}

/** Each shard's newest, merged: the index of a shard is in the order that is asked for. */
function ofAll(conditions: string): string {
  return `select e.* from :s.meta m cross join generate_series(0, m.shards - 1) n
    cross join lateral (
      select e.* from :s.event e where e.shard = n and e.position < ($1)[2]::bigint ${conditions}
      order by e.position desc limit ($1)[1]::integer) e
    order by e.position desc limit ($1)[1]::integer`
}

/** From their own list: among all events, each start of a node would look for a few new ones through the whole history. */
function ofUnclaimed(conditions: string): string {
  return `select e.* from :s.unclaimed u
    cross join lateral (select e.* from :s.event e where e.key = u.key offset 0) e
    where u.position < ($1)[2]::bigint ${conditions}
    order by u.position desc limit ($1)[1]::integer`
}

class Where {
  text = ''
  readonly values: Param[]

  constructor(first: readonly Param[]) {
    this.values = [...first]
  }

  add(condition: (value: string) => string, value: Param): void {
    this.values.push(value)
    this.text += ` and ${condition(`($1)[${this.values.length}]`)}`
  }

  equal(column: string, value: string | undefined): void {
    if (value !== undefined) this.add((text) => `${column} = ${text}`, value)
  }
}

function nextOf(found: readonly Row[], rows: readonly Row[], column: string): string | undefined {
  if (found.length === rows.length) return undefined
  return Buffer.from(String(numberIn(rows.at(-1), column))).toString('base64url')
}

function below(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER
  const text = Buffer.from(cursor, 'base64url').toString()
  if (!/^\d{1,16}$/.test(text)) throw new HapaxError('invalid_cursor')
  return Number(text)
}
