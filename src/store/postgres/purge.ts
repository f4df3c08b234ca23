import type { EventKey } from '../../event/event-key.ts'
import type { Registry } from '../../event/handler-record.ts'
import { limits } from '../../kit/limits.ts'
import { textIn } from '../sql/columns.ts'
import type { PurgeRequest, PurgeResult } from '../store.ts'
import { keyArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { hasEnded } from './ended.ts'
import { type GenerationOptions, Generations } from './generations.ts'
import { keyUuid } from './key-bytes.ts'
import { type RangeOptions, Ranges } from './ranges.ts'
import type { Registers } from './registry.ts'
import type { Naming } from './schema.ts'
import type { Versions } from './versions.ts'

/** How ranges of the journal and generations of the ledger are kept. */
export type UpkeepOptions = RangeOptions & GenerationOptions

/** How many rows are looked at for each row that may be dropped: what stands at the head must not hide the rest for long. */
const looksPerRow = 8

const zero = '00000000-0000-0000-0000-000000000000'

/**
 * Drops what retention allows. Every span counts from the acceptance; an event with a run that is unfinished, unknown or dead
 * stays whole, and so does one that has no fingerprint yet. Ranges are dropped when all of one is old enough; what lies beside
 * them, since it outlived its range or its clock was far off, goes row by row, in the order of the keys' time, from where the
 * last call ended.
 */
export class Purges {
  readonly #connections: Connections
  readonly #registers: Registers
  readonly #versions: Versions
  readonly #ranges: Ranges
  readonly #generations: Generations
  readonly #sql: Record<'bodies' | 'dropBodies' | 'events' | 'dropEvents' | 'identities', string>
  #bodiesFrom = zero
  #eventsFrom = zero

  constructor(
    connections: Connections,
    naming: Naming,
    registers: Registers,
    versions: Versions,
    options: UpkeepOptions,
  ) {
    this.#connections = connections
    this.#registers = registers
    this.#versions = versions
    this.#ranges = new Ranges(connections, naming, registers, options)
    this.#generations = new Generations(connections, naming, options)
    const columns = `e.key, e.source, e.type, e.registry_version,
      exists (select from :s.standing t where t.key = e.key)
        or exists (select from :s.unfingerprinted w where w.key = e.key and w.repeated_by = e.key) as stands,
      array(select distinct s.tag from :s.settlement s where s.key = e.key) as settled`
    const tables = ['body', 'repeat', 'settlement', 'standing', 'checkpoint', 'begin_record', 'unfingerprinted']
    this.#sql = {
      bodies: naming.sql(`select ${columns} from :s.body_default b join :s.event e using (key)
        where b.key > $1::uuid and e.accepted_at < $2::double precision order by b.key limit $3::integer`),
      dropBodies: naming.sql('delete from :s.body where key = any($1::uuid[])'),
      events: naming.sql(`select ${columns} from :s.event_default e
        where e.key > $1::uuid and e.accepted_at < $2::double precision order by e.key limit $3::integer`),
      // An identity outlives its event.
      dropEvents: naming.sql(`
        with dropped as (delete from :s.event where key = any($1::uuid[]) returning *),
          ${tables.map((table) => `${table}_ as (delete from :s.${table} where key = any($1::uuid[]))`).join(',\n')},
          unclaimed_ as (delete from :s.unclaimed u using dropped d where u.position = d.position),
          intervention_ as (delete from :s.intervention where event = any($1::uuid[]))
        insert into :s.origin
        select key, position, identity, content, accepted_at, fingerprint_key, fingerprint from dropped
        on conflict do nothing`),
      // As long as any event of the identity is kept, it is remembered, by its latest. An entry of the ledger that names nothing
      // counts for nothing, and goes with its generation.
      identities: naming.sql(`
        with old as (
          select o.key, o.identity, o.content from :s.origin o
          where o.accepted_at < $1::double precision and not exists (select from :s.event e where e.key = o.key)
          and not exists (
            select from :s.succession s where s.key = o.key and (
              exists (select from :s.event e where e.key = s.earlier)
              or exists (select from :s.origin b where b.key = s.earlier)))
          order by o.key limit $2::integer),
        ledger_ as (
          delete from :s.ledger_0 l using old where l.key = old.key and l.identity in (old.identity, old.content)),
        succession_ as (delete from :s.succession s using old where s.key = old.key),
        late_ as (delete from :s.late_fingerprint f using old where f.key = old.key)
        delete from :s.origin o using old where o.key = old.key returning o.key`),
    }
  }

  async purge(request: PurgeRequest): Promise<PurgeResult> {
    const { rows } = request
    const ranges = await this.#ranges.tend({ ...request, rows: rows * looksPerRow })
    const registry = await this.#registers.registry()
    const bodies = await this.#ended(this.#sql.bodies, this.#bodiesFrom, request.payloadsBefore, rows, registry)
    this.#bodiesFrom = bodies.next
    if (bodies.keys.length > 0)
      await this.#connections.rows(this.#sql.dropBodies, [keyArray(bodies.keys)], limits.storeWorkMs)
    const events = await this.#ended(this.#sql.events, this.#eventsFrom, request.journalBefore, rows, registry)
    this.#eventsFrom = events.next
    if (events.keys.length > 0)
      await this.#connections.rows(this.#sql.dropEvents, [keyArray(events.keys)], limits.storeWorkMs)
    const identities = await this.#connections.rows(
      this.#sql.identities,
      [request.identitiesBefore, rows],
      limits.storeWorkMs,
    )
    const hasOldVersions = await this.#versions.purge(request.identitiesBefore, rows, rows * looksPerRow)
    const isForgetting = await this.#generations.tend({ ...request, rows: rows * looksPerRow })
    return {
      payloads: ranges.payloads + bodies.keys.length,
      events: ranges.events + events.keys.length,
      identities: identities.length,
      more: ranges.more || isForgetting || hasOldVersions,
    }
  }

  /** The next events that have ended, and from where to look the next time. */
  async #ended(
    sql: string,
    from: string,
    before: number,
    rows: number,
    registry: Registry,
  ): Promise<{ readonly keys: EventKey[]; readonly next: string }> {
    const page = await this.#connections.rows(sql, [from, before, rows * looksPerRow], limits.storeWorkMs)
    const keys: EventKey[] = []
    let next = from
    for (const row of page) {
      if (keys.length === rows) return { keys, next }
      const key = textIn(row, 'key')
      next = keyUuid(key)
      if (hasEnded(row, registry)) keys.push(key)
    }
    const isEnd = page.length < rows * looksPerRow && keys.length < rows
    return { keys, next: isEnd ? zero : next }
  }
}
