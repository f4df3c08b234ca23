import { limits } from '../../kit/limits.ts'
import type { Log, LogFields } from '../../kit/log.ts'
import { numberIn, optionalNumberIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { PurgeRequest } from '../store.ts'
import { keyArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { hasEnded } from './ended.ts'
import { keyUuid } from './key-bytes.ts'
import type { Now } from './now.ts'
import { rangedRelations } from './range-functions.ts'
import { rangeWidthMs } from './range-widths.ts'
import type { Registers } from './registry.ts'
import type { Naming } from './schema.ts'

/** Events whose records are moved out of a range before it is dropped, at most: all others wait while that is done. */
const mostThatStay = 5_000

/** How long a change of a table waits for those who use it, and they for it. */
const waitMs = 100

/** After how long a range of which too much would stay is looked at again. */
const againMs = 3_600_000

/** A range that could not be dropped for so long is told of. */
const overdueMs = 86_400_000

/** How ranges are kept. */
export interface RangeOptions {
  readonly now: Now
  readonly log: Log
  /** Width of new ranges. Default: as the journal's retention asks. */
  readonly widthMs: number | undefined
}

/** A range as `journal_range` has it. */
interface Range {
  readonly relation: string
  readonly lowAt: number
  readonly highAt: number
  /** When more stayed in it than is moved at once. */
  readonly triedAt: number | undefined
}

/** What became of ranges in one step. */
export interface RangesTended {
  readonly payloads: number
  readonly events: number
  /** A range is being looked through, or the next one can be dropped. */
  readonly more: boolean
}

interface Found {
  readonly now: number
  readonly ranges: readonly Range[]
  /** Keys lie beside the ranges although they are of their time, or later. */
  readonly strays: boolean
  /** One has twice the rows that its statistics were made of. */
  readonly hasGrown: boolean
}

/** Makes the journal's ranges ahead, has them analysed, and drops those that retention is through with. */
export class Ranges {
  readonly #connections: Connections
  readonly #registers: Registers
  readonly #options: RangeOptions
  readonly #sql: Record<'look' | 'make' | 'analyse' | 'scan' | 'page' | 'judged' | 'drop' | 'orphans', string>
  /** What was told and has not been mended since. */
  readonly #told = new Set<string>()

  constructor(connections: Connections, naming: Naming, registers: Registers, options: RangeOptions) {
    this.#connections = connections
    this.#registers = registers
    this.#options = options
    this.#sql = {
      look: naming.sql(`
        select :s.now_1($1::double precision) as now, r.relation, r.low_at, r.high_at, r.tried_at,
          exists (select from :s.event_default e where e.key >= :s.edge_1(
            (select max(f.low_at) from :s.journal_range f
             where f.relation = 'event' and f.low_at <= :s.now_1($1::double precision)))) as strays,
          :s.grown_range_1() is not null as has_grown
        from (select) one left join :s.journal_range r on true order by r.low_at`),
      make: naming.sql('select :s.make_ranges_1($1, $2, $3, $4) as made'),
      analyse: naming.sql('select :s.analyse_range_1() as name'),
      scan: naming.sql('select * from :s.range_scan_1($1, $2, $3)'),
      page: naming.sql('select * from :s.range_page_1($1, $2, $3::uuid, $4)'),
      judged: naming.sql(
        'select :s.range_judged_1($1, $2, $3::uuid, $4::uuid, $5, $6::uuid[], $7::uuid[]) as is_first',
      ),
      drop: naming.sql('select * from :s.drop_range_1($1, $2, $3, $4, $5)'),
      orphans: naming.sql(`
        with unclaimed_ as (
          delete from :s.unclaimed u where u.key >= :s.edge_1($1) and u.key < :s.edge_1($2)
            and not exists (select from :s.event e where e.key = u.key)),
        unfingerprinted_ as (
          delete from :s.unfingerprinted w where w.key >= :s.edge_1($1) and w.key < :s.edge_1($2)
            and not exists (select from :s.event e where e.key = w.key))
        delete from :s.intervention i where i.event >= :s.edge_1($1) and i.event < :s.edge_1($2)
          and not exists (select from :s.event e where e.key = i.event)`),
    }
  }

  /** One step of upkeep: short, on any node, at any time. */
  async tend({ payloadsBefore, journalBefore, rows }: PurgeRequest): Promise<RangesTended> {
    const found = await this.#look()
    await this.#ahead(found, found.now - journalBefore)
    this.#tell(
      'strays',
      found.strays,
      'events lie beside the ranges of their time: clocks are ahead, or ranges came late',
      {},
    )
    if (found.hasGrown) await this.#connections.rows(this.#sql.analyse, [], limits.storeWorkMs)
    const payloads = await this.#tendOne('body', found, payloadsBefore, rows)
    const journal = await this.#tendOne('event', found, journalBefore, rows)
    await this.#follow(journal.isGone ? await this.#look() : found, journalBefore)
    return { payloads: payloads.dropped, events: journal.dropped, more: journal.more || payloads.more }
  }

  async #look(): Promise<Found> {
    const rows = await this.#connections.rows(this.#sql.look, [this.#options.now()])
    const ranges = rows.filter(({ relation }) => relation !== null).map(rangeOf)
    return {
      now: numberIn(rows[0], 'now'),
      ranges,
      strays: rows[0]?.strays === true,
      hasGrown: rows[0]?.has_grown === true,
    }
  }

  async #ahead({ now, ranges }: Found, keptMs: number): Promise<void> {
    const widthMs = this.#options.widthMs ?? rangeWidthMs(keptMs)
    for (const relation of rangedRelations) {
      const readyTo = Math.max(0, ...ranges.filter((one) => one.relation === relation).map(({ highAt }) => highAt))
      if (readyTo > now + 2 * widthMs) continue
      let reason = 'keys of their time lie in the default already'
      try {
        const { made } = await this.#connections.row(this.#sql.make, [this.#options.now(), relation, widthMs, waitMs])
        if (typeof made === 'number' && made > 0) continue
      } catch (error) {
        reason = String(error)
      }
      const isLate = readyTo <= now + widthMs
      this.#tell(`ahead ${relation}`, isLate, 'no range is ready for what comes next', { relation, readyTo, reason })
    }
  }

  /** Looks a page of the oldest range through, of those that are wholly older; drops it where that was the last page. */
  async #tendOne(
    relation: 'event' | 'body',
    { now, ranges }: Found,
    before: number,
    rows: number,
  ): Promise<{ readonly dropped: number; readonly more: boolean; readonly isGone: boolean }> {
    const none = { dropped: 0, more: false, isGone: false }
    const old = ranges.filter((one) => one.relation === relation && one.highAt <= before && isToBeTried(one, now))
    const next = old[0]
    if (!next) return none
    const scan = await this.#connections.row(this.#sql.scan, [relation, next.lowAt, next.highAt])
    if (scan.is_through !== true && !(await this.#page(relation, next, scan, before, rows)))
      return { ...none, more: true }
    const { outcome, dropped } = await this.#drop(next, before)
    const isGone = outcome === 'dropped'
    return { dropped, more: isGone && old.length > 1, isGone }
  }

  /** @returns whether that was the last page. */
  async #page(relation: string, range: Range, scan: Row, before: number, rows: number): Promise<boolean> {
    const from = keyUuid(textIn(scan, 'after'))
    const registry = await this.#registers.registry()
    const page = await this.#connections.rows(this.#sql.page, [range.lowAt, range.highAt, from, rows])
    const goes = page.filter((row) => numberIn(row, 'accepted_at') < before && hasEnded(row, registry))
    const stays = page.filter((row) => !goes.includes(row))
    const isThrough = page.length < rows
    const last = page.at(-1)
    const { is_first } = await this.#connections.row(this.#sql.judged, [
      relation,
      range.lowAt,
      from,
      last ? keyUuid(textIn(last, 'key')) : from,
      isThrough,
      keyArray(stays.map((row) => textIn(row, 'key'))),
      keyArray(goes.map((row) => textIn(row, 'key'))),
    ])
    return is_first === true && isThrough
  }

  /** Of events that are gone, all else goes too. */
  async #follow({ now, ranges }: Found, before: number): Promise<void> {
    const events = ranges.filter(({ relation }) => relation === 'event')
    const left = ranges.filter(
      (one) =>
        one.relation !== 'event' &&
        one.highAt <= before &&
        isToBeTried(one, now) &&
        !events.some(({ lowAt, highAt }) => lowAt < one.highAt && highAt > one.lowAt),
    )
    for (const range of left) {
      await this.#connections.rows(this.#sql.orphans, [range.lowAt, range.highAt], limits.storeWorkMs)
      const { outcome } = await this.#drop(range, before)
      if (outcome === 'busy') return
    }
  }

  async #drop(range: Range, before: number): Promise<{ readonly outcome: string; readonly dropped: number }> {
    const { relation, lowAt, highAt } = range
    const values = [this.#options.now(), relation, lowAt, mostThatStay, waitMs]
    const row = await this.#connections.row(this.#sql.drop, values, limits.storeWorkMs)
    const outcome = textIn(row, 'outcome')
    const name = `drop ${relation} ${lowAt}`
    this.#tell(
      `${name} much`,
      outcome === 'much',
      'a range of the journal stays: too many of its events are unfinished or dead',
      {
        relation,
        from: lowAt,
        to: highAt,
        most: mostThatStay,
      },
    )
    const isOverdue = outcome === 'busy' && before - highAt > overdueMs
    this.#tell(
      `${name} busy`,
      isOverdue,
      'a range of the journal could not be dropped: a long transaction holds its table',
      {
        relation,
        from: lowAt,
        to: highAt,
      },
    )
    return { outcome, dropped: numberIn(row, 'dropped') }
  }

  /** Once, until it is mended. */
  #tell(name: string, isSo: boolean, text: string, detail: LogFields): void {
    if (isSo && !this.#told.has(name)) this.#options.log.warn(text, detail)
    if (isSo) this.#told.add(name)
    else this.#told.delete(name)
  }
}

function isToBeTried({ triedAt }: Range, now: number): boolean {
  return triedAt === undefined || now < triedAt || now - triedAt > againMs
}

function rangeOf(row: Row): Range {
  return {
    relation: textIn(row, 'relation'),
    lowAt: numberIn(row, 'low_at'),
    highAt: numberIn(row, 'high_at'),
    triedAt: optionalNumberIn(row, 'tried_at'),
  }
}
