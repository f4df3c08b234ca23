import { HapaxError } from '../../errors/hapax-error.ts'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import { limits } from '../../kit/limits.ts'
import type { CircuitTurn, CircuitTurned } from '../circuits.ts'
import { registryChange } from '../registry-change.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import { circuitOf, handlerRecordOf, limitSettingOf, pauseOf } from '../sql/lists.ts'
import type { Row } from '../sql/rows.ts'
import type { SettingChange, Settings } from '../store.ts'
import { textArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import type { Now } from './now.ts'
import type { Naming } from './schema.ts'

/** Nodes that start at once write one registry version after the other: each of these tries found another's. */
const mostTries = 50

/** Handlers, settings and secrets: read often, changed by deploys and operators alone. */
export class Registers {
  readonly #connections: Connections
  readonly #now: Now
  readonly #sql: Record<
    'registry' | 'settings' | 'secret' | 'keep' | 'announce' | 'write' | 'change' | 'limits' | 'turn',
    string
  >
  #known: Registry | undefined

  constructor(connections: Connections, naming: Naming, now: Now) {
    this.#connections = connections
    this.#now = now
    this.#sql = {
      registry: naming.sql(
        'select m.registry_version, h.* from :s.meta m left join :s.handler h on true order by h.number',
      ),
      settings: naming.sql(
        `select m.settings_version as version,
           (select coalesce(jsonb_agg(p order by p.since, p.name), '[]') from :s.pause p) as paused,
           (select coalesce(jsonb_agg(c order by c.dependency), '[]') from :s.circuit c) as circuits,
           (select coalesce(jsonb_agg(l order by l.dependency), '[]') from :s.dependency_limit l) as limits
         from :s.meta m`,
      ),
      secret: naming.sql('select value from :s.secret where name = $1'),
      keep: naming.sql('insert into :s.secret values ($1, $2) on conflict do nothing'),
      announce: naming.sql('select * from :s.announce_1($1, $2, $3, $4, $5) as handlers'),
      write: naming.sql('select :s.write_registry_1($1, $2, $3, $4::text[], $5::jsonb) as version'),
      change: naming.sql('select :s.change_setting_1($1, $2, $3, $4, $5, $6)'),
      limits: naming.sql('select :s.set_limits_1($1, $2, $3, $4, $5, $6)'),
      turn: naming.sql('select :s.turn_circuit_1($1, $2, $3, $4, $5, $6, $7) as turned'),
    }
  }

  async registry(): Promise<Registry> {
    const rows = await this.#connections.rows(this.#sql.registry)
    const handlers = rows.filter(({ tag }) => tag !== null).map(handlerRecordOf)
    this.#known = { version: numberIn(rows[0], 'registry_version'), handlers }
    return this.#known
  }

  /** The registry of this version or a later one, from memory where it is known. */
  async of(version: number): Promise<Registry> {
    return this.#known && this.#known.version >= version ? this.#known : this.registry()
  }

  async register(group: string, node: string, declared: readonly HandlerDeclaration[]): Promise<Registry> {
    const names = JSON.stringify(declared.map(({ name }) => name))
    const now = this.#now()
    const others = await this.#connections.rows(this.#sql.announce, [now, node, group, names, limits.leaseMs])
    const named = new Set(others.flatMap((row): string[] => JSON.parse(textIn(row, 'handlers'))))
    for (let tries = 0; tries < mostTries; tries++) {
      const registry = await this.registry()
      const records = registry.handlers.filter((record) => record.group === group)
      const { closed, opened } = registryChange(group, records, declared, (name) => named.has(name))
      if (closed.length === 0 && opened.length === 0) return registry
      const rows = opened.map(({ tag, name, sources, types, firstSeenAt }) => {
        return { tag, name, sources: JSON.stringify(sources), types: JSON.stringify(types), first_seen_at: firstSeenAt }
      })
      const written = await this.#connections.row(this.#sql.write, [
        now,
        group,
        registry.version,
        textArray(closed),
        JSON.stringify(rows),
      ])
      if (written.version !== null) return this.registry()
    }
    throw new HapaxError('store_busy', { reason: 'other nodes keep changing the registry' })
  }

  /** @param candidate undefined: what is there is looked for alone. */
  async secret(name: string, candidate: Uint8Array | undefined): Promise<Uint8Array> {
    const known = await this.#secret(name)
    if (known) return known
    if (candidate) await this.#connections.rows(this.#sql.keep, [name, Buffer.from(candidate)])
    const kept = await this.#secret(name)
    if (!kept) throw new HapaxError('store_unavailable', { reason: 'a secret could not be kept' })
    return kept
  }

  async settings(): Promise<Settings> {
    const row = await this.#connections.row(this.#sql.settings)
    const { paused, circuits, limits: set } = row as Record<'paused' | 'circuits' | 'limits', readonly Row[]>
    return {
      version: numberIn(row, 'version'),
      paused: paused.map(pauseOf),
      circuits: circuits.map(circuitOf),
      limits: set.map(limitSettingOf),
    }
  }

  async changeSetting(change: SettingChange): Promise<Settings> {
    const { verb, what, name, actor, reason = null } = change
    if (change.verb === 'limit') {
      const { rate = null, concurrency = null } = change
      await this.#connections.rows(this.#sql.limits, [this.#now(), name, rate, concurrency, actor, reason])
    } else await this.#connections.rows(this.#sql.change, [this.#now(), verb, what, name, actor, reason])
    return this.settings()
  }

  async turnCircuit(turn: CircuitTurn): Promise<CircuitTurned> {
    const { dependency, seen, state, probeInMs = null, reason, actor } = turn
    const values = [this.#now(), dependency, seen, state, probeInMs, reason, actor]
    const row = await this.#connections.row(this.#sql.turn, values)
    const { applied, circuit } = row.turned as { readonly applied: boolean; readonly circuit: Row | null }
    return { applied, circuit: circuit ? circuitOf(circuit) : undefined }
  }

  async #secret(name: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#connections.rows(this.#sql.secret, [name])
    return row?.value instanceof Uint8Array ? new Uint8Array(row.value) : undefined
  }
}
