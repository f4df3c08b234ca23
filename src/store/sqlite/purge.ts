import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { handlersOf, type Registry } from '../../event/handler-record.ts'
import type { PurgeRequest, PurgeResult } from '../store.ts'
import { numberIn, textIn } from './columns.ts'
import type { Progress } from './progress.ts'
import { RegistryReads } from './registry.ts'
import type { Row } from './rows.ts'

/** How many rows are looked at for each row that may be dropped: what stands at the head must not hide the rest for long. */
const looksPerRow = 8

/** Drops what retention allows, in the order of acceptance, and goes on where the last call ended. */
export class Purges {
  readonly #progress: Progress
  readonly #registers: RegistryReads
  readonly #statements: ReturnType<typeof prepare>
  #bodiesFrom = 0
  #eventsFrom = 0
  #identitiesFrom = { generation: 0, identity: '' }

  constructor(database: DatabaseSync, progress: Progress) {
    this.#progress = progress
    this.#registers = new RegistryReads(database)
    this.#statements = prepare(database)
  }

  /** Whether an event that may go lies above the watermark. */
  reachesAbove(request: PurgeRequest, watermark: number): boolean {
    const row = this.#statements.firstAbove.get(watermark)
    return row !== undefined && numberIn(row, 'accepted_at') < request.journalBefore
  }

  purge(request: PurgeRequest, watermark: number): PurgeResult {
    const registry = this.#registers.registry()
    return {
      payloads: this.#payloads(request, registry),
      events: this.#events(request, registry, watermark),
      identities: this.#identities(request),
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

  #events(request: PurgeRequest, registry: Registry, watermark: number): number {
    const { rows, journalBefore } = request
    const page = this.#statements.events.all(this.#eventsFrom, watermark, journalBefore, rows * looksPerRow)
    let dropped = 0
    for (const row of page) {
      if (dropped === rows) break
      this.#eventsFrom = numberIn(row, 'position')
      if (!this.#hasEnded(row, registry)) continue
      for (const drop of this.#statements.dropEvent) drop.run(this.#eventsFrom)
      this.#progress.events--
      dropped++
    }
    if (page.length < rows * looksPerRow && dropped < rows) this.#eventsFrom = 0
    return dropped
  }

  #identities(request: PurgeRequest): number {
    const { rows, identitiesBefore } = request
    const from = this.#identitiesFrom
    let left = rows
    for (const generationRow of this.#statements.generations.all(from.generation, identitiesBefore)) {
      const generation = numberIn(generationRow, 'generation')
      const after = generation === from.generation ? from.identity : ''
      const page = this.#statements.identities.all(generation, after, identitiesBefore, left)
      for (const row of page) this.#statements.dropIdentity.run(generation, textIn(row, 'identity'))
      const last = page.at(-1)
      left -= page.length
      if (left === 0 && last) {
        this.#identitiesFrom = { generation, identity: textIn(last, 'identity') }
        return rows
      }
      if (!this.#statements.anyIdentity.get(generation)) this.#statements.dropGeneration.run(generation)
    }
    this.#identitiesFrom = { generation: 0, identity: '' }
    return rows - left
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
  | 'firstAbove'
  | 'bodies'
  | 'dropBody'
  | 'events'
  | 'stands'
  | 'settled'
  | 'generations'
  | 'identities'
  | 'dropIdentity'
  | 'anyIdentity'
  | 'dropGeneration',
  StatementSync
> & { readonly dropEvent: readonly StatementSync[] }

function prepare(database: DatabaseSync): Prepared {
  const columns = 'event.position, source, type, registry_version'
  const tables = ['event', 'body', 'unclaimed', 'repeat', 'settlement', 'standing', 'checkpoint', 'begin_record']
  return {
    firstAbove: database.prepare('select accepted_at from event where position > ? order by position limit 1'),
    bodies: database.prepare(
      `select ${columns} from body join event using (position)
       where body.position > ? and accepted_at < ? order by body.position limit ?`,
    ),
    dropBody: database.prepare('delete from body where position = ?'),
    events: database.prepare(
      `select ${columns} from event where position > ? and position <= ? and accepted_at < ? order by position limit ?`,
    ),
    dropEvent: [
      ...tables.map((table) => database.prepare(`delete from ${table} where position = ?`)),
      database.prepare('delete from intervention where event_position = ?'),
    ],
    // A dead run stands until it is redriven or cancelled, or until its journal may go with it.
    stands: database.prepare('select 1 from standing where position = ? limit 1'),
    settled: database.prepare('select 1 from settlement where position = ? and tag = ? limit 1'),
    generations: database.prepare(
      `select generation from ledger_generation
       where generation >= ? and state = 'sealed' and oldest_at < ? order by generation`,
    ),
    identities: database.prepare(
      `select identity from ledger where generation = ? and identity > ? and accepted_at < ?
         and not exists (select 1 from event where event.position = ledger.position) order by identity limit ?`,
    ),
    dropIdentity: database.prepare('delete from ledger where generation = ? and identity = ?'),
    anyIdentity: database.prepare('select 1 from ledger where generation = ? limit 1'),
    dropGeneration: database.prepare('delete from ledger_generation where generation = ?'),
  }
}
