import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import { limits } from '../../kit/limits.ts'
import { type CircuitRecord, type CircuitTurn, type CircuitTurned, turned } from '../circuits.ts'
import { registryChange } from '../registry-change.ts'
import { numberIn } from '../sql/columns.ts'
import { circuitOf, handlerRecordOf, limitSettingOf, pauseOf } from '../sql/lists.ts'
import type { SettingChange, Settings } from '../store.ts'
import type { Moment, Ownerships } from './own.ts'
import type { Progress } from './progress.ts'

/** Handlers, settings and secrets: read often, changed by deploys and operators alone. */
export class Registers {
  readonly #progress: Progress
  readonly #ownerships: Ownerships
  readonly #insertHandler: StatementSync
  readonly #closeHandler: StatementSync
  readonly #insertSecret: StatementSync
  readonly #insertPause: StatementSync
  readonly #deletePause: StatementSync
  readonly #putLimit: StatementSync
  readonly #deleteLimit: StatementSync
  readonly #putCircuit: StatementSync
  readonly #reads: RegistryReads

  constructor(database: DatabaseSync, progress: Progress, ownerships: Ownerships) {
    this.#progress = progress
    this.#ownerships = ownerships
    this.#reads = new RegistryReads(database)
    this.#insertHandler = database.prepare('insert into handler values (?, ?, ?, null, ?, ?, ?, ?)')
    this.#closeHandler = database.prepare(
      'update handler set until_version = ? where group_name = ? and tag = ? and until_version is null',
    )
    this.#insertSecret = database.prepare('insert into secret values (?, ?) on conflict do nothing')
    this.#insertPause = database.prepare('insert into pause values (?, ?, ?, ?, ?) on conflict do nothing')
    this.#deletePause = database.prepare('delete from pause where what = ? and name = ?')
    this.#putLimit = database.prepare('insert or replace into dependency_limit values (?, ?, ?, ?, ?, ?)')
    this.#deleteLimit = database.prepare('delete from dependency_limit where dependency = ?')
    this.#putCircuit = database.prepare('insert or replace into circuit values (?, ?, ?, ?, ?, ?, ?, ?)')
  }

  register(group: string, node: string, handlers: readonly HandlerDeclaration[], moment: Moment): Registry {
    const names = handlers.map((handler) => handler.name)
    this.#ownerships.announce(group, node, names, limits.leaseMs, moment)
    const records = this.#reads.registry().handlers.filter((record) => record.group === group)
    const others = this.#ownerships.handlersOfOthers(group, node, moment)
    const { closed, opened } = registryChange(group, records, handlers, (name) => others.has(name))
    if (closed.length > 0 || opened.length > 0) {
      const next = ++this.#progress.registryVersion
      for (const tag of closed) this.#closeHandler.run(next, group, tag)
      for (const { tag, name, sources, types, firstSeenAt = moment.now } of opened) {
        this.#insertHandler.run(group, tag, next, name, JSON.stringify(sources), JSON.stringify(types), firstSeenAt)
      }
    }
    return { version: this.#progress.registryVersion, handlers: this.#reads.registry().handlers }
  }

  secret(name: string, candidate: Uint8Array): Uint8Array {
    this.#insertSecret.run(name, candidate)
    return this.#reads.secret(name) ?? candidate
  }

  changeSetting(change: SettingChange, moment: Moment): Settings {
    if (this.#change(change, moment) !== 0) this.#progress.settingsVersion++
    return { ...this.#reads.settings(), version: this.#progress.settingsVersion }
  }

  turnCircuit(turn: CircuitTurn, moment: Moment): CircuitTurned {
    const before = this.#reads.circuit(turn.dependency)
    const after = turned(before, turn, moment.now)
    if (!after) return { applied: false, circuit: before }
    const { dependency, version, state, since, openedAt, probeAt, reason, actor } = after
    this.#putCircuit.run(dependency, version, state, since, openedAt, probeAt ?? null, reason, actor)
    this.#progress.settingsVersion++
    return { applied: true, circuit: after }
  }

  /** How many rows it changed. */
  #change(change: SettingChange, { now }: Moment): number | bigint {
    const { what, name, actor, reason = null } = change
    if (change.verb === 'limit') {
      const { rate = null, concurrency = null } = change
      if (rate === null && concurrency === null) return this.#deleteLimit.run(name).changes
      return this.#putLimit.run(name, rate, concurrency, now, actor, reason).changes
    }
    if (change.verb === 'resume') return this.#deletePause.run(what, name).changes
    return this.#insertPause.run(what, name, now, actor, reason).changes
  }
}

/** The same, for reading. */
export class RegistryReads {
  readonly #versions: StatementSync
  readonly #handlers: StatementSync
  readonly #secret: StatementSync
  readonly #pauses: StatementSync
  readonly #circuits: StatementSync
  readonly #circuit: StatementSync
  readonly #limits: StatementSync

  constructor(database: DatabaseSync) {
    this.#versions = database.prepare('select registry_version, settings_version from progress')
    this.#handlers = database.prepare('select * from handler order by rowid')
    this.#secret = database.prepare('select value from secret where name = ?')
    this.#pauses = database.prepare('select * from pause order by since, name')
    this.#circuits = database.prepare('select * from circuit order by dependency')
    this.#circuit = database.prepare('select * from circuit where dependency = ?')
    this.#limits = database.prepare('select * from dependency_limit order by dependency')
  }

  registry(): Registry {
    const handlers = this.#handlers.all().map(handlerRecordOf)
    return { version: numberIn(this.#versions.get(), 'registry_version'), handlers }
  }

  secret(name: string): Uint8Array | undefined {
    const value = this.#secret.get(name)?.value
    return value instanceof Uint8Array ? value : undefined
  }

  settings(): Settings {
    return {
      version: numberIn(this.#versions.get(), 'settings_version'),
      paused: this.#pauses.all().map(pauseOf),
      circuits: this.#circuits.all().map(circuitOf),
      limits: this.#limits.all().map(limitSettingOf),
    }
  }

  circuit(dependency: string): CircuitRecord | undefined {
    const row = this.#circuit.get(dependency)
    return row && circuitOf(row)
  }
}
