import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { handlersOf, type Registry } from '../../event/handler-record.ts'
import { numberIn, optionalNumberIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { PurgeRequest, PurgeResult } from '../store.ts'
import type { Progress } from './progress.ts'
import { RegistryReads } from './registry.ts'
import type { Versions } from './versions.ts'

/** How many rows are looked at for each row that may be dropped: what stands at the head must not hide the rest for long. */
const looksPerRow = 8

/**
 * Drops what retention allows, in the order of acceptance, and goes on where the last call ended. Every span counts from
 * the acceptance; an event with a run that is unfinished, unknown or dead stays whole.
 */
export class Purges {
  readonly #progress: Progress
  readonly #versions: Versions
  readonly #registers: RegistryReads
  readonly #statements: ReturnType<typeof prepare>
  #bodiesFrom = 0
  #eventsFrom = 0
  #originsFrom = 0

  constructor(database: DatabaseSync, progress: Progress, versions: Versions) {
    this.#progress = progress
    this.#versions = versions
    this.#registers = new RegistryReads(database)
    this.#statements = prepare(database)
  }

  purge(request: PurgeRequest): PurgeResult {
    const registry = this.#registers.registry()
    const { rows, identitiesBefore } = request
    const more = this.#versions.purge(identitiesBefore, rows, rows * looksPerRow)
    return {
      payloads: this.#payloads(request, registry),
      events: this.#events(request, registry),
      identities: this.#identities(request),
      ...(more && { more }),
    }
  }

  #payloads(request: PurgeRequest, registry: Registry): number {
    const { rows, payloadsBefore } = request
    const page = this.#statements.bodies.all(this.#bodiesFrom, payloadsBefore, rows * looksPerRow)
    let dropped = 0
    for (const row of page) {
      if (dropped === rows) break
      this.#bodiesFrom = numberIn(row, 'position')
      if (!this.#hasEnded(row, registry)) continue
      this.#statements.dropBody.run(this.#bodiesFrom)
      dropped++
    }
    if (page.length < rows * looksPerRow && dropped < rows) this.#bodiesFrom = 0
    return dropped
  }

  #events(request: PurgeRequest, registry: Registry): number {
    const { rows, journalBefore } = request
    const page = this.#statements.events.all(this.#eventsFrom, journalBefore, rows * looksPerRow)
    let dropped = 0
    for (const row of page) {
      if (dropped === rows) break
      this.#eventsFrom = numberIn(row, 'position')
      if (!this.#hasEnded(row, registry)) continue
      // An identity outlives its event.
      this.#statements.keepOrigin.run(this.#eventsFrom)
      for (const drop of this.#statements.dropEvent) drop.run(this.#eventsFrom)
      this.#progress.events--
      this.#progress.purgedTo = Math.max(this.#progress.purgedTo, this.#eventsFrom)
      dropped++
    }
    if (page.length < rows * looksPerRow && dropped < rows) this.#eventsFrom = 0
    return dropped
  }

  #identities(request: PurgeRequest): number {
    const { rows, identitiesBefore } = request
    const page = this.#statements.origins.all(this.#originsFrom, identitiesBefore, rows * looksPerRow)
    let dropped = 0
    for (const row of page) {
      if (dropped === rows) break
      this.#originsFrom = numberIn(row, 'position')
      // As long as any event of the identity is kept, it is remembered, by its latest.
      if (this.#statements.earlier.get(this.#originsFrom)) continue
      this.#statements.dropOrigin.run(this.#originsFrom)
      this.#statements.dropSuccession.run(this.#originsFrom)
      dropped++
    }
    if (page.length < rows * looksPerRow && dropped < rows) this.#originsFrom = 0
    this.#forgetGenerations(rows * looksPerRow)
    return dropped
  }

  /** A generation goes as a whole, in slices, when nothing that it names is kept any more. */
  #forgetGenerations(rows: number): void {
    const oldest = optionalNumberIn(this.#statements.oldest.get(), 'oldest') ?? this.#progress.lastSeq
    const row = this.#statements.passedGeneration.get(oldest)
    if (!row) return
    const generation = numberIn(row, 'generation')
    const { changes } = this.#statements.dropIdentities.run(generation, generation, rows)
    if (changes !== 0) return
    // The newest leaves its number behind: given again, another process would take the one for the other.
    this.#statements.dropGeneration.run(generation)
    this.#statements.emptyGeneration.run(generation)
  }

  /** Nothing of it stands, and each handler that the event is due to has settled it. */
  #hasEnded(row: Row, registry: Registry): boolean {
    const position = numberIn(row, 'position')
    if (this.#statements.stands.get(position)) return false
    const handlers = handlersOf(registry, {
      source: textIn(row, 'source'),
      type: textIn(row, 'type'),
      registryVersion: numberIn(row, 'registry_version'),
    })
    return handlers.every(({ tag }) => this.#statements.settled.get(position, tag) !== undefined)
  }
}

type Prepared = Record<
  | 'bodies'
  | 'dropBody'
  | 'events'
  | 'stands'
  | 'settled'
  | 'keepOrigin'
  | 'origins'
  | 'earlier'
  | 'dropOrigin'
  | 'dropSuccession'
  | 'oldest'
  | 'passedGeneration'
  | 'dropIdentities'
  | 'dropGeneration'
  | 'emptyGeneration',
  StatementSync
> & { readonly dropEvent: readonly StatementSync[] }

function prepare(database: DatabaseSync): Prepared {
  const columns = 'event.position, source, type, registry_version'
  const tables = ['event', 'body', 'unclaimed', 'repeat', 'settlement', 'standing', 'checkpoint', 'begin_record']
  return {
    bodies: database.prepare(
      `select ${columns} from body join event using (position)
       where body.position > ? and accepted_at < ? order by body.position limit ?`,
    ),
    dropBody: database.prepare('delete from body where position = ?'),
    events: database.prepare(
      `select ${columns} from event where position > ? and accepted_at < ? order by position limit ?`,
    ),
    dropEvent: [
      ...tables.map((table) => database.prepare(`delete from ${table} where position = ?`)),
      database.prepare('delete from intervention where event_position = ?'),
    ],
    // Also a dead run stands, however old: it keeps what a redrive needs until that ended otherwise.
    stands: database.prepare('select 1 from standing where position = ? limit 1'),
    settled: database.prepare('select 1 from settlement where position = ? and tag = ? limit 1'),
    keepOrigin: database.prepare(
      `insert into origin
       select position, identity, content, key, accepted_at, fingerprint_key, fingerprint from event where position = ?`,
    ),
    origins: database.prepare(
      'select position from origin where position > ? and accepted_at < ? order by position limit ?',
    ),
    earlier: database.prepare(
      `select 1 from succession where position = ? and
         (exists (select 1 from event where event.position = earlier)
          or exists (select 1 from origin where origin.position = earlier))`,
    ),
    dropSuccession: database.prepare('delete from succession where position = ?'),
    dropOrigin: database.prepare('delete from origin where position = ?'),
    oldest: database.prepare(
      `select min(first) as oldest from
         (select min(position) as first from event union all select min(position) from origin)`,
    ),
    passedGeneration: database.prepare(
      "select generation from ledger_generation where state = 'sealed' and up_to < ? order by generation limit 1",
    ),
    dropIdentities: database.prepare(
      `delete from ledger where generation = ? and identity in
         (select identity from ledger where generation = ? order by identity limit ?)`,
    ),
    dropGeneration: database.prepare(
      `delete from ledger_generation
       where generation = ? and generation < (select max(generation) from ledger_generation)`,
    ),
    emptyGeneration: database.prepare(
      "update ledger_generation set state = 'empty', entries = 0, bloom = null where generation = ?",
    ),
  }
}
