import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { handlersOf, type Registry } from '../../event/handler-record.ts'
import type { Instant } from '../../kit/clock.ts'
import { numberIn, optionalNumberIn, textIn } from '../sql/columns.ts'
import { eventOf, interventionOf, type Row, stateOf } from '../sql/rows.ts'
import type { DuePage, DuePlace, Owned, OwnedCursor, StandingRun, TailEvent, TailPage, TailRequest } from '../store.ts'
import type { Reads } from './read.ts'
import { RegistryReads } from './registry.ts'
import type { Seen } from './seen.ts'

/** Events looked at for one page: a takeover passes over what is settled, and must not hold the event loop for it. */
const scanRows = 2_000

/** Numbers of other processes that are looked through at most: beyond it something may be in every shard. */
const stirredNumbers = 4_096

/** Reads what came to the pairs that a node owns, and what of theirs is due. */
export class Tails {
  readonly #reads: Reads
  readonly #registers: RegistryReads
  readonly #statements: ReturnType<typeof prepare>
  #registry: Registry | undefined
  #turn = 0

  constructor(database: DatabaseSync, reads: Reads) {
    this.#reads = reads
    this.#registers = new RegistryReads(database)
    this.#statements = prepare(database)
  }

  /** The last number of the sequence that is committed. */
  lastSeq(): number {
    return numberIn(this.#statements.lastSeq.get(), 'last_seq')
  }

  /**
   * A page for each pair.
   *
   * @param head the last committed number: what comes later is for the next pages.
   */
  pages({ cursors, limit }: TailRequest, seen: Seen, head: number): TailPage[] {
    const pages: TailPage[] = []
    const asked = this.#askedSince(cursors, head)
    let left = limit
    // Another pair is the first each time: a busy shard must not take every page.
    this.#turn++
    for (let offset = 0; offset < cursors.length; offset++) {
      const index = (this.#turn + offset) % cursors.length
      const owned = cursors[index]
      if (!owned) continue
      const page = this.#page(owned, left, seen, head, asked)
      left -= page.events.length
      pages[index] = page
    }
    return pages
  }

  /**
   * The shards of the events in this stretch, and whether anything was asked for in it; undefined where it is long. Two nodes on
   * one file learn of each other's numbers at each commit, and most of those are of settlements: with three looks for each
   * pair at each of them, a tenth of a busy node's processor time went there.
   */
  stirred(from: number, to: number): { readonly shards: ReadonlySet<number>; readonly isAsked: boolean } | undefined {
    if (to - from > stirredNumbers) return undefined
    const shards = this.#statements.shardsOfEvents.all(from, to).map((row) => numberIn(row, 'shard'))
    return { shards: new Set(shards), isAsked: this.#asked(from, to).size > 0 }
  }

  /** The shards of interventions that came after all of these cursors and are not answered. */
  #askedSince(cursors: readonly OwnedCursor[], head: number): ReadonlySet<number> {
    let from = head
    for (const { cursor = head, asked = cursor } of cursors) from = Math.min(from, asked)
    return from < head ? this.#asked(from + 1, head) : new Set()
  }

  #asked(from: number, to: number): ReadonlySet<number> {
    return new Set(this.#statements.asked.all(from, to).map((row) => numberIn(row, 'shard')))
  }

  #page(owned: OwnedCursor, limit: number, seen: Seen, head: number, asked: ReadonlySet<number>): TailPage {
    const { group, shard } = owned
    const pair = this.#statements.pair.get(group, shard)
    if (pair?.epoch !== owned.epoch) return { ...emptyPage(owned, owned.cursor ?? 0, owned.asked ?? 0), stale: true }
    const takeover = owned.cursor === undefined
    const cursor = owned.cursor ?? Math.max(0, numberIn(pair, 'low_mark') - 1)
    const unfinished = takeover || owned.all === true
    const stretches = unfinished ? [{ from: cursor + 1, to: head }] : seen.unread(owned, cursor)
    const events: TailEvent[] = []
    let readTo = cursor
    let more = false
    let looks = scanRows
    for (const { from, to } of stretches) {
      for (const row of this.#statements.events.iterate(shard, from, Math.min(to, head))) {
        const isDue = !unfinished || this.#isUnfinished(row, group)
        more = (isDue && events.length >= limit) || looks === 0
        if (more) break
        looks--
        readTo = numberIn(row, 'position')
        if (isDue) events.push(this.#tailEvent(row, group))
      }
      if (more) break
    }
    if (!more) readTo = Math.max(head, cursor)
    return {
      ...emptyPage(owned, readTo, head),
      more,
      events,
      interventions:
        takeover || asked.has(shard) ? this.#interventions(owned, owned.asked ?? (takeover ? 0 : cursor), head) : [],
      standing: takeover ? this.#standing(group, shard) : [],
    }
  }

  due(owned: readonly Owned[], until: Instant, limit: number, after?: DuePlace): DuePage {
    const found: { readonly owned: Owned; readonly row: Row }[] = []
    let nextDueAt: number | undefined
    for (const { group, shard, epoch } of owned) {
      if (this.#statements.pair.get(group, shard)?.epoch !== epoch) continue
      const rows = after
        ? this.#statements.dueAfter.all(group, shard, after.dueAt, after.position, after.tag, limit + 1)
        : this.#statements.due.all(group, shard, limit + 1)
      for (const row of rows) found.push({ owned: { group, shard, epoch }, row })
    }
    found.sort(
      (one, other) =>
        numberIn(one.row, 'due_at') - numberIn(other.row, 'due_at') ||
        numberIn(one.row, 'position') - numberIn(other.row, 'position') ||
        (textIn(one.row, 'tag') < textIn(other.row, 'tag') ? -1 : 1),
    )
    const runs: DuePage['runs'][number][] = []
    for (const { owned: pair, row } of found) {
      const dueAt = numberIn(row, 'due_at')
      if (dueAt > until || runs.length === limit) {
        nextDueAt = dueAt
        break
      }
      const position = numberIn(row, 'position')
      const event = this.#reads.eventAt(position)
      if (event) runs.push({ event, run: this.#reads.runAt(event.key, position, textIn(row, 'tag')), owned: pair })
    }
    return { runs, nextDueAt }
  }

  registry(): Registry {
    const version = optionalNumberIn(this.#statements.lastSeq.get(), 'registry_version')
    if (this.#registry?.version !== version) this.#registry = this.#registers.registry()
    return this.#registry ?? this.#registers.registry()
  }

  #tailEvent(row: Row, group: string): TailEvent {
    const position = numberIn(row, 'position')
    const event = eventOf({ ...row, bytes: this.#statements.body.get(position)?.bytes })
    const runs = this.#reads
      .tagsAt(position)
      .filter((tag) => this.#groupOf(tag) === group)
      .map((tag) => this.#reads.runAt(event.key, position, tag, true))
    return { event, runs }
  }

  #groupOf(tag: string): string | undefined {
    return this.registry().handlers.find((handler) => handler.tag === tag)?.group
  }

  /** Unanswered ones whose run is the group's. */
  #interventions({ group, shard }: Owned, after: number, upTo: number): TailPage['interventions'] {
    return this.#statements.interventions
      .all(shard, after, upTo)
      .map(interventionOf)
      .filter(({ tag }) => this.#groupOf(tag) === group)
  }

  #standing(group: string, shard: number): StandingRun[] {
    return this.#statements.standing.all(group, shard).map((row) => ({
      event: textIn(row, 'key'),
      position: numberIn(row, 'position'),
      tag: textIn(row, 'tag'),
      tenant: textIn(row, 'tenant'),
      orderKey: textIn(row, 'order_key'),
      state: stateOf(row),
      begun: numberIn(row, 'begun') > 0,
    }))
  }

  /** Whether a handler of the group that the event is due to has no settlement yet: what has one stands, or has ended. */
  #isUnfinished(row: Row, group: string): boolean {
    const event = {
      source: textIn(row, 'source'),
      type: textIn(row, 'type'),
      registryVersion: numberIn(row, 'registry_version'),
    }
    const position = numberIn(row, 'position')
    return handlersOf(this.registry(), event).some(
      (handler) => handler.group === group && !this.#statements.settled.get(position, handler.tag),
    )
  }
}

function emptyPage({ group, shard, epoch }: Owned, cursor: number, asked: number): TailPage {
  return { group, shard, epoch, stale: false, cursor, asked, more: false, events: [], interventions: [], standing: [] }
}

function prepare(
  database: DatabaseSync,
): Record<
  | 'lastSeq'
  | 'shardsOfEvents'
  | 'asked'
  | 'pair'
  | 'events'
  | 'body'
  | 'settled'
  | 'interventions'
  | 'standing'
  | 'due'
  | 'dueAfter',
  StatementSync
> {
  return {
    lastSeq: database.prepare('select last_seq, registry_version from progress'),
    shardsOfEvents: database.prepare('select shard from event where position between ? and ?'),
    asked: database.prepare('select shard from intervention where answer is null and position between ? and ?'),
    pair: database.prepare('select epoch, low_mark from pair where group_name = ? and shard = ?'),
    events: database.prepare('select * from event where shard = ? and position between ? and ? order by position'),
    body: database.prepare('select bytes from body where position = ?'),
    settled: database.prepare('select 1 from settlement where position = ? and tag = ? limit 1'),
    interventions: database.prepare(
      'select * from intervention where shard = ? and answer is null and position > ? and position <= ? order by position',
    ),
    standing: database.prepare(
      `select settlement.*, standing.order_key, event.key, event.tenant, settlement.attempt > 0 or exists (
         select 1 from begin_record where begin_record.position = settlement.position
         and begin_record.tag = settlement.tag and begin_record.generation = settlement.generation) as begun
       from standing join settlement on settlement.seq = standing.seq join event on event.position = standing.position
       where standing.group_name = ? and standing.shard = ? and standing.order_key is not null order by standing.position`,
    ),
    due: database.prepare(
      `select position, tag, due_at from standing
       where group_name = ? and shard = ? and due_at is not null order by due_at, position, tag limit ?`,
    ),
    dueAfter: database.prepare(
      `select position, tag, due_at from standing
       where group_name = ? and shard = ? and (due_at, position, tag) > (?, ?, ?) order by due_at, position, tag limit ?`,
    ),
  }
}
