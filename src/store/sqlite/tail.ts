import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { handlersOf, type Registry } from '../../event/handler-record.ts'
import { isTerminal } from '../../event/run-status.ts'
import type { Instant } from '../../kit/clock.ts'
import type { DuePage, Owned, OwnedCursor, StandingRun, TailEvent, TailPage } from '../store.ts'
import { numberIn, optionalNumberIn, textIn } from './columns.ts'
import type { Reads } from './read.ts'
import { RegistryReads } from './registry.ts'
import { eventOf, interventionOf, type Row, stateOf } from './rows.ts'
import type { Seen } from './seen.ts'

/** Reads what came to the pairs that a node owns, and what of theirs is due. */
export class Tails {
  readonly #reads: Reads
  readonly #registers: RegistryReads
  readonly #statements: ReturnType<typeof prepare>
  #registry: Registry | undefined

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
   * One pair's page.
   *
   * @param head the last committed number: what comes later is for the next page.
   */
  page(owned: OwnedCursor, limit: number, seen: Seen, head: number): TailPage {
    const { group, shard, epoch } = owned
    const pair = this.#statements.pair.get(group, shard)
    const answer = { group, shard, epoch }
    if (pair?.epoch !== epoch) {
      return {
        ...answer,
        stale: true,
        cursor: owned.cursor ?? 0,
        more: false,
        events: [],
        interventions: [],
        standing: [],
      }
    }
    const takeover = owned.cursor === undefined
    const cursor = owned.cursor ?? numberIn(pair, 'low_mark')
    const stretches = takeover ? [{ from: cursor + 1, to: head }] : seen.unread(owned, cursor)
    const events: TailEvent[] = []
    let readTo = cursor
    let more = false
    for (const { from, to } of stretches) {
      const last = Math.min(to, head)
      if (from > last) continue
      for (const row of this.#statements.events.iterate(shard, from, last, limit - events.length + 1)) {
        more = events.length === limit
        if (more) break
        readTo = numberIn(row, 'position')
        const event = this.#tailEvent(row, group)
        if (!takeover || !this.#isFinished(event, group)) events.push(event)
      }
      if (more) break
    }
    if (!more) readTo = Math.max(head, cursor)
    return {
      ...answer,
      stale: false,
      cursor: readTo,
      more,
      events,
      interventions: this.#interventions(shard, takeover ? 0 : cursor, readTo),
      standing: takeover ? this.#standing(group, shard) : [],
    }
  }

  due(owned: readonly Owned[], until: Instant, limit: number): DuePage {
    const found: { readonly owned: Owned; readonly row: Row }[] = []
    let nextDueAt: number | undefined
    for (const { group, shard, epoch } of owned) {
      if (this.#statements.pair.get(group, shard)?.epoch !== epoch) continue
      const rows = this.#statements.due.all(group, shard, limit + 1)
      for (const row of rows) found.push({ owned: { group, shard, epoch }, row })
    }
    found.sort((one, other) => numberIn(one.row, 'due_at') - numberIn(other.row, 'due_at'))
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
    const event = eventOf(row)
    const others = this.registry().handlers.filter((handler) => handler.group !== group)
    const runs = this.#reads
      .tagsAt(event.position, group)
      .filter((tag) => !others.some((other) => other.tag === tag))
      .map((tag) => this.#reads.runAt(event.key, event.position, tag, true))
    return { event, runs }
  }

  #interventions(shard: number, after: number, upTo: number): TailPage['interventions'] {
    return this.#statements.interventions.all(shard, after, upTo).map(interventionOf)
  }

  #standing(group: string, shard: number): StandingRun[] {
    return this.#statements.standing.all(group, shard).map((row) => ({
      event: textIn(row, 'key'),
      position: numberIn(row, 'position'),
      tag: textIn(row, 'tag'),
      tenant: textIn(row, 'tenant'),
      orderKey: textIn(row, 'order_key'),
      state: stateOf(row),
    }))
  }

  /** Whether nothing of the group is left to do at an event. */
  #isFinished({ event, runs }: TailEvent, group: string): boolean {
    const due = handlersOf(this.registry(), event).filter((handler) => handler.group === group)
    const ended = new Set(runs.filter(({ state }) => state && isTerminal(state.status)).map(({ tag }) => tag))
    return due.length > 0 && ended.size === runs.length && due.every(({ tag }) => ended.has(tag))
  }
}

function prepare(
  database: DatabaseSync,
): Record<'lastSeq' | 'pair' | 'events' | 'interventions' | 'standing' | 'due', StatementSync> {
  return {
    lastSeq: database.prepare('select last_seq, registry_version from progress'),
    pair: database.prepare('select epoch, low_mark from pair where group_name = ? and shard = ?'),
    events: database.prepare(
      `select event.*, body.bytes from event left join body using (position)
       where shard = ? and event.position between ? and ? order by event.position limit ?`,
    ),
    interventions: database.prepare(
      'select * from intervention where shard = ? and answer is null and position > ? and position <= ? order by position',
    ),
    standing: database.prepare(
      `select settlement.*, standing.order_key, event.key, event.tenant
       from standing join settlement on settlement.seq = standing.seq join event on event.position = standing.position
       where standing.group_name = ? and standing.shard = ? and standing.order_key is not null order by standing.position`,
    ),
    due: database.prepare(
      `select position, tag, due_at from standing
       where group_name = ? and shard = ? and due_at is not null order by due_at limit ?`,
    ),
  }
}
