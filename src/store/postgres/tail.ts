import { handlersOf, type Registry } from '../../event/handler-record.ts'
import type { Instant } from '../../kit/clock.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import { interventionOf, type Row, stateOf } from '../sql/rows.ts'
import type {
  DuePage,
  DuePlace,
  InterventionRecord,
  Owned,
  OwnedCursor,
  StandingRun,
  TailEvent,
  TailPage,
  TailRequest,
} from '../store.ts'
import { bigintArray, integerArray, textArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { Cursors, type Late, Snapshot, type Span, spansOf } from './cursors.ts'
import { jsonRow, type Reads, runOf, tagsOf, withKeys } from './read.ts'
import type { Registers } from './registry.ts'
import type { Naming } from './schema.ts'

/** Events looked at for one page where unfinished ones are asked for: a takeover passes over what is settled. */
const scanRows = 2_000

/** One pair's part of a request. */
interface Asked {
  readonly owned: OwnedCursor
  readonly takeover: boolean
  readonly unfinished: boolean
  readonly late: Late
  /** From where events are read, and interventions; undefined: as the low mark says. */
  readonly after: number | undefined
  readonly askedAfter: number
  /** Events read at most: where so many are found, there may be more. */
  readonly rows: number
}

/** What the statement found of one pair. */
interface Found {
  readonly epoch: number
  readonly lowMark: number
  readonly late: Row[]
  readonly fresh: Row[]
  readonly interventions: Row[]
}

/** Reads what came to the pairs that a node owns, and what of theirs is due. */
export class Tails {
  readonly cursors = new Cursors()
  readonly #connections: Connections
  readonly #reads: Reads
  readonly #registers: Registers
  readonly #sql: ReturnType<typeof statements>
  #turn = 0
  /** Pairs whose last page was not all: they share the next between them. */
  readonly #deep = new Set<string>()

  constructor(connections: Connections, naming: Naming, reads: Reads, registers: Registers) {
    this.#connections = connections
    this.#reads = reads
    this.#registers = registers
    this.#sql = statements(naming)
  }

  async tail({ cursors, limit }: TailRequest): Promise<TailPage[]> {
    if (cursors.length === 0) return []
    const deep = cursors.filter((owned) => this.#deep.has(pairName(owned))).length
    const asked = cursors.map((owned) => {
      const share = this.#deep.has(pairName(owned)) ? deep : cursors.length
      return this.#ask(owned, limit, share)
    })
    const { found, snapshot, registry } = await this.#look(asked)
    const pages: TailPage[] = new Array(cursors.length)
    const chosen: Row[][] = new Array(cursors.length)
    const late: Late[] = new Array(cursors.length)
    const readTo = this.cursors.readTo(snapshot)
    let left = limit
    // Another pair is the first each time: a busy shard must not take every page.
    this.#turn++
    for (let offset = 0; offset < cursors.length; offset++) {
      const index = (this.#turn + offset) % cursors.length
      const one = asked[index]
      if (!one) continue
      const cut = cutPage(one, found[index], { snapshot, readTo }, left, registry)
      chosen[index] = cut.rows
      left -= cut.rows.length
      pages[index] = { ...cut.page, interventions: interventionsOf(found[index], registry, one.owned.group) }
      late[index] = cut.late
    }
    const events = await this.#events(chosen, asked, registry)
    const taken = cursors.filter((_owned, index) => asked[index]?.takeover && !pages[index]?.stale)
    const standing = await this.#standingOf(taken)
    // Last: a page that was not read to its end is asked for again, with the late commits that it would have brought.
    for (const [index, page] of pages.entries()) {
      const [one, open] = [cursors[index], late[index]]
      if (one && open && !page.stale) this.cursors.keep(one, open)
      if (page.more) this.#deep.add(pairName(page))
      else this.#deep.delete(pairName(page))
    }
    return pages.map((page, index) => {
      const owned = cursors[index]
      return { ...page, events: events[index] ?? [], standing: (owned && standing.get(owned)) ?? [] }
    })
  }

  async due(owned: readonly Owned[], until: Instant, limit: number, after?: DuePlace): Promise<DuePage> {
    if (owned.length === 0) return { runs: [], nextDueAt: undefined }
    const rows = await this.#connections.rows(this.#sql.due, [
      textArray(owned.map(({ group }) => group)),
      integerArray(owned.map(({ shard }) => shard)),
      bigintArray(owned.map(({ epoch }) => epoch)),
      limit + 1,
      after?.dueAt ?? -1,
      after?.position ?? 0,
      after?.tag ?? '',
    ])
    const page = rows.slice(0, limit).filter((row) => numberIn(row, 'due_at') <= until)
    const keys = page.map((row) => textIn(row, 'key'))
    const [events, records] = await Promise.all([this.#reads.events(keys), this.#reads.records(keys)])
    const next = rows[page.length]
    return {
      runs: page.flatMap((row) => {
        const key = textIn(row, 'key')
        const event = events.get(key)
        const pair = owned[numberIn(row, 'place') - 1]
        if (!event || !pair) return []
        const { group, shard, epoch } = pair
        const run = runOf({ event: key, position: event.position, tag: textIn(row, 'tag') }, records.get(key))
        return [{ event, run, owned: { group, shard, epoch } }]
      }),
      nextDueAt: next && numberIn(next, 'due_at'),
    }
  }

  /** @param share of how many pairs this is one that share a page */
  #ask(owned: OwnedCursor, limit: number, share: number): Asked {
    const takeover = owned.cursor === undefined
    const unfinished = takeover || owned.all === true
    return {
      owned,
      takeover,
      unfinished,
      // All of a page for each pair would be thrown away but for one: a backlog in 64 shards was read twenty times over.
      rows: Math.ceil(Math.max(limit + 1, unfinished ? scanRows : 0) / share),
      late: takeover ? { events: [], interventions: [] } : this.cursors.late(owned),
      after: owned.cursor,
      askedAfter: owned.asked ?? owned.cursor ?? -1,
    }
  }

  /** One statement for all pairs: what it finds is of one snapshot. */
  async #look(
    asked: readonly Asked[],
  ): Promise<{ readonly found: (Found | undefined)[]; readonly snapshot: Snapshot; readonly registry: Registry }> {
    const events = spansOf(asked.map(({ late }) => late.events))
    const interventions = spansOf(asked.map(({ late }) => late.interventions))
    const rows = await this.#connections.rows(this.#sql.tail, [
      textArray(asked.map(({ owned }) => owned.group)),
      integerArray(asked.map(({ owned }) => owned.shard)),
      bigintArray(asked.map(({ owned }) => owned.epoch)),
      bigintArray(asked.map(({ after }) => after)),
      bigintArray(asked.map(({ askedAfter }) => askedAfter)),
      integerArray(asked.map(({ rows }) => rows)),
      integerArray(asked.map(({ unfinished }) => (unfinished ? 1 : 0))),
      ...events,
      ...interventions,
    ])
    let snapshot = new Snapshot('', 0)
    let version = 0
    // Of a pair that is as it was asked for nothing is said.
    const found: (Found | undefined)[] = asked.map(({ owned: { epoch } }) => foundOf(epoch, 0))
    for (const row of rows) {
      if (row.kind === 'snapshot') {
        snapshot = new Snapshot(textIn(row, 'snapshot'), numberIn(row, 'first_xid'))
        version = numberIn(row, 'registry_version')
      } else if (row.kind === 'pair') {
        const now = row.epoch === null ? undefined : foundOf(numberIn(row, 'epoch'), numberIn(row, 'low_mark'))
        found[numberIn(row, 'place') - 1] = now
      }
    }
    for (const row of rows) {
      const one = found[numberIn(row, 'place') - 1]
      if (row.kind === 'late') one?.late.push(row)
      else if (row.kind === 'fresh') one?.fresh.push(row)
      else if (row.kind === 'intervention' && typeof row.intervention === 'object' && row.intervention !== null) {
        one?.interventions.push(withKeys({ ...row.intervention }))
      }
    }
    for (const one of found) {
      for (const list of [one?.late, one?.fresh, one?.interventions]) list?.sort(byPosition)
      for (const list of [one?.fresh, one?.interventions]) this.#noteCommitted(list?.at(-1))
    }
    return { found, snapshot, registry: await this.#registers.of(version) }
  }

  #noteCommitted(row: Row | undefined): void {
    if (row) this.cursors.committed(numberIn(row, 'position'))
  }

  /** The events of all pages in full, with the runs of their groups that have left records. */
  async #events(chosen: readonly Row[][], asked: readonly Asked[], registry: Registry): Promise<TailEvent[][]> {
    const all = chosen.flat()
    const keys = all.map((row) => textIn(row, 'key'))
    const partial = all.filter(({ is_whole }) => is_whole !== true).map((row) => textIn(row, 'key'))
    const [whole, others, records] = await Promise.all([
      this.#reads.eventsOf(all.filter(({ is_whole }) => is_whole === true)),
      this.#reads.events(partial),
      this.#reads.records(keys),
    ])
    return chosen.map((rows, index) =>
      rows.flatMap((row) => {
        const key = textIn(row, 'key')
        const event = whole.get(key) ?? others.get(key)
        if (!event) return []
        const left = records.get(event.key)
        if (!left) return [{ event, runs: [] }]
        const mine = [...tagsOf(left)].filter((tag) => groupOf(registry, tag) === asked[index]?.owned.group)
        const runs = mine.map((tag) => runOf({ event: event.key, position: event.position, tag }, left, true))
        return [{ event, runs }]
      }),
    )
  }

  /**
   * By pair; of most there is none. When each pair of a takeover was asked for by itself, 64 of them opened every connection
   * and planned the question on each: 70 ms of statements.
   */
  async #standingOf(pairs: readonly Owned[]): Promise<ReadonlyMap<Owned, StandingRun[]>> {
    if (pairs.length === 0) return new Map()
    const rows = await this.#connections.rows(this.#sql.haveStanding, [
      textArray(pairs.map(({ group }) => group)),
      integerArray(pairs.map(({ shard }) => shard)),
    ])
    const some = rows.flatMap((row) => pairs[numberIn(row, 'place') - 1] ?? [])
    return new Map(await Promise.all(some.map(async (owned) => [owned, await this.#standing(owned)] as const)))
  }

  async #standing({ group, shard }: Owned): Promise<StandingRun[]> {
    const rows = await this.#connections.rows(this.#sql.standing, [group, shard])
    return rows.map(jsonRow).map((row) => ({
      event: textIn(row, 'key'),
      position: numberIn(row, 'position'),
      tag: textIn(row, 'tag'),
      tenant: textIn(row, 'tenant'),
      orderKey: textIn(row, 'order_key'),
      state: stateOf(row),
      begun: row.begun === true,
    }))
  }
}

function foundOf(epoch: number, lowMark: number): Found {
  return { epoch, lowMark, late: [], fresh: [], interventions: [] }
}

function pairName({ group, shard }: Owned): string {
  return `${shard}/${group}`
}

/** What the statement saw, and how far a cursor may go by it. */
interface Seen {
  readonly snapshot: Snapshot
  readonly readTo: number
}

/** One page of what was found: late commits first, since they lie below. */
function cutPage(
  { owned, unfinished, late, after: given, rows: most }: Asked,
  found: Found | undefined,
  { snapshot, readTo }: Seen,
  limit: number,
  registry: Registry,
): { readonly page: TailPage; readonly rows: Row[]; readonly late: Late } {
  const { group, shard, epoch } = owned
  const empty = { group, shard, epoch, events: [], interventions: [], standing: [] }
  if (!found || found.epoch !== epoch) {
    const page = { ...empty, stale: true, more: false, cursor: given ?? 0, asked: owned.asked ?? 0 }
    return { page, rows: [], late }
  }
  const after = given ?? Math.max(0, found.lowMark - 1)
  const isDue = (row: Row) => !unfinished || isUnfinished(row, registry, group)
  const rows: Row[] = []
  const asked = Math.max(readTo, owned.asked ?? 0)
  const answer = (cursor: number, more: boolean, events: readonly Span[]) => ({
    page: { ...empty, stale: false, more, cursor, asked },
    rows,
    late: { events, interventions: snapshot.openBelow(asked) },
  })
  for (const row of found.late) {
    if (!isDue(row)) continue
    if (rows.length === limit) {
      const last = rows.at(-1)
      return answer(after, true, last ? unread(late.events, numberIn(last, 'position'), snapshot) : late.events)
    }
    rows.push(row)
  }
  let read = after
  for (const row of found.fresh) {
    if (isDue(row)) {
      if (rows.length === limit) return answer(read, true, snapshot.openBelow(read))
      rows.push(row)
    }
    read = numberIn(row, 'position')
  }
  if (found.fresh.length >= most) return answer(read, true, snapshot.openBelow(read))
  const cursor = Math.max(after, readTo)
  return answer(cursor, false, snapshot.openBelow(cursor))
}

/** Of these spans what was not read up to this number, and what may still be committed. */
function unread(spans: readonly Span[], read: number, snapshot: Snapshot): Span[] {
  const isOpen = ({ to }: Span) => snapshot.open.some((open) => open.to === to)
  return spans.flatMap((span) => {
    if (isOpen(span)) return [span]
    return span.to > read ? [{ from: Math.max(span.from, read + 1), to: span.to }] : []
  })
}

/** Whether a handler of the group that the event is due to has no settlement yet: what has one stands, or has ended. */
function isUnfinished(row: Row, registry: Registry, group: string): boolean {
  const settled = Array.isArray(row.settled) ? row.settled : []
  const event = {
    source: textIn(row, 'source'),
    type: textIn(row, 'type'),
    registryVersion: numberIn(row, 'registry_version'),
  }
  return handlersOf(registry, event).some((handler) => handler.group === group && !settled.includes(handler.tag))
}

/** Unanswered ones whose run is the group's. */
function interventionsOf(found: Found | undefined, registry: Registry, group: string): InterventionRecord[] {
  const rows = found?.interventions ?? []
  return rows.map(interventionOf).filter(({ tag }) => groupOf(registry, tag) === group)
}

function byPosition(one: Row, other: Row): number {
  return numberIn(one, 'position') - numberIn(other, 'position')
}

function groupOf(registry: Registry, tag: string): string | undefined {
  return registry.handlers.find((handler) => handler.tag === tag)?.group
}

function statements(naming: Naming): Record<'tail' | 'due' | 'haveStanding' | 'standing', string> {
  const tailParams = Array.from({ length: 13 }, (_, index) => `$${index + 1}`).join(', ')
  return {
    tail: naming.sql(`select * from :s.tail_1(${tailParams})`),
    due: naming.sql(`
      select a.place::integer, d.key, d.tag, d.position, d.due_at
      from unnest($1::text[], $2::integer[], $3::bigint[]) with ordinality a(group_name, shard, epoch, place)
      join :s.pair p on p.group_name = a.group_name and p.shard = a.shard and p.epoch = a.epoch
      cross join lateral (
        select d.* from :s.standing d
        where d.group_name = a.group_name and d.shard = a.shard and d.due_at is not null
          and (d.due_at, d.position, d.tag) > ($5::double precision, $6::bigint, $7::text)
        order by d.due_at, d.position, d.tag limit $4::integer) d
      order by d.due_at, d.position, d.tag limit $4::integer`),
    haveStanding: naming.sql(`
      select a.place::integer from unnest($1::text[], $2::integer[]) with ordinality a(group_name, shard, place)
      cross join lateral (
        select from :s.standing d where d.group_name = a.group_name and d.shard = a.shard and d.order_key is not null
        order by d.position limit 1) d`),
    standing: naming.sql('select t."row" from :s.standing_1($1, $2) t'),
  }
}
