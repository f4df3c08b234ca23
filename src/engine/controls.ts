import { HapaxError } from '../errors/hapax-error.ts'
import { type HandlerRecord, isCalled, isLive, patternTakes, type Registry } from '../event/handler-record.ts'
import type { Dependencies } from '../flow/dependencies.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import { ratePerSecond } from '../kit/rate.ts'
import type { CircuitRecord, CircuitState } from '../store/circuits.ts'
import type { Pause, SettingChange, Settings, Store, StoreCounts } from '../store/store.ts'
import type { Controls, DependencyView, Intent, NewLimits, PauseAnswer } from './api.ts'
import { needReason } from './need-reason.ts'

/** What the controls need of the node. */
export interface ControlsHost {
  readonly log: Log
  readonly store: Store
  readonly dependencies: Dependencies
  /** The registry as the store has it now: another process may have registered handlers. */
  freshRegistry(): Promise<Registry>
  settingsChanged(settings: Settings): void
  /** Whether a source of this name is configured here. */
  hasSource(name: string): boolean
  /** A circuit was turned by hand. */
  turned(circuit: CircuitRecord): void
  /** Handlers of this process that use the dependency. */
  usersOf(dependency: string): readonly string[]
}

/** How often a turn of a circuit is tried that others turn meanwhile. */
const turnTries = 10

/** What operators set at run time, for all nodes; a deploy does not undo it. */
export class OperatorControls {
  readonly #host: ControlsHost

  constructor(host: ControlsHost) {
    this.#host = host
  }

  readonly controls: Controls = {
    pause: (what, name, intent) => this.#pause('pause', what, name, intent),
    resume: (what, name, intent) => this.#pause('resume', what, name, intent),
    settings: () => this.#host.store.settings(),
    counts: (): Promise<StoreCounts> => this.#host.store.counts(),
    dependencies: () => this.#dependencies(),
    dependency: async (name) => {
      const found = (await this.#dependencies()).find((one) => one.name === name)
      if (!found) throw new HapaxError('not_found', { what: 'dependency' })
      return found
    },
    open: (dependency, intent) => this.#turn('open', dependency, intent),
    close: (dependency, intent) => this.#turn('closed', dependency, intent),
    limit: (dependency, wanted, intent) => this.#limit(dependency, wanted, intent),
  }

  async #dependencies(): Promise<readonly DependencyView[]> {
    const { store, dependencies } = this.#host
    const settings = await store.settings()
    const names = new Set([
      ...dependencies.all.map(({ name }) => name),
      ...settings.circuits.map(({ dependency }) => dependency),
      ...settings.limits.map(({ dependency }) => dependency),
    ])
    return [...names].sort().map((name) => this.#view(name, settings))
  }

  async #limit(dependency: string, { rate, concurrency }: NewLimits, intent: Intent): Promise<DependencyView> {
    const perSecond = rate === undefined ? undefined : ratePerSecond(rate)
    if (rate !== undefined && perSecond === undefined)
      throw new HapaxError('invalid_query', { reason: "rate: wanted how often, like '100/s' or '5/m'" })
    if (concurrency !== undefined && !(Number.isSafeInteger(concurrency) && concurrency >= 1))
      throw new HapaxError('invalid_query', { reason: 'concurrency: wanted a whole number of 1 or more' })
    const change = { verb: 'limit', what: 'dependency', name: dependency, rate: perSecond, concurrency } as const
    return this.#view(dependency, await this.#change({ ...change, ...said(intent) }, intent))
  }

  async #pause(verb: 'pause' | 'resume', what: Pause['what'], name: string, intent: Intent): Promise<PauseAnswer> {
    const settings = await this.#change({ verb, what, name, ...said(intent) }, intent)
    const { handlers } = await this.#host.freshRegistry()
    const live = handlers.filter(isLive)
    const users = what === 'dependency' ? this.#host.usersOf(name) : []
    const takes = (one: HandlerRecord) =>
      what === 'handler'
        ? isCalled(one, name)
        : what === 'source'
          ? one.sources.some((pattern) => patternTakes(pattern, name))
          : users.includes(one.name)
    const matches = {
      handlers: live.filter(takes).length,
      sources: what === 'source' && this.#host.hasSource(name) ? 1 : 0,
    }
    return { ...settings, matches }
  }

  /** First of all the store: a pause and a resume, asked one after the other, must not change places. */
  async #change(change: SettingChange, intent: Intent): Promise<Settings> {
    check(change.verb, change.what, change.name, intent)
    const settings = await this.#host.store.changeSetting(change)
    const { verb, what, name, actor, reason } = change
    this.#host.log.info(verb, { what, name, actor, reason })
    this.#host.settingsChanged(settings)
    return settings
  }

  async #turn(state: CircuitState, dependency: string, intent: Intent): Promise<DependencyView> {
    const verb = state === 'open' ? 'open' : 'close'
    check(verb, 'dependency', dependency, intent)
    const { store, log } = this.#host
    const { actor, reason } = said(intent)
    for (let tries = 0; tries < turnTries; tries++) {
      const settings = await store.settings()
      const known = settings.circuits.find((one) => one.dependency === dependency)
      const isHeld = known?.state === 'open' && known.probeAt === undefined
      const isThere = state === 'open' ? isHeld : (known?.state ?? 'closed') === 'closed'
      const turn = { dependency, seen: known?.version ?? 0, state, reason, actor }
      if (!isThere) {
        const { applied, circuit } = await store.turnCircuit(turn)
        if (!applied || !circuit) continue
        this.#host.turned(circuit)
      }
      log.info(verb, { what: 'dependency', name: dependency, actor, reason })
      const after = await store.settings()
      this.#host.settingsChanged(after)
      return this.#view(dependency, after)
    }
    throw new HapaxError('store_busy', { reason: `the circuit of ${dependency} is turned by others all the time` })
  }

  #view(name: string, settings: Settings): DependencyView {
    const state = this.#host.dependencies.named(name)
    const circuit = settings.circuits.find(({ dependency }) => dependency === name)
    const setting = settings.limits.find(({ dependency }) => dependency === name)
    const paused = settings.paused.find((pause) => pause.what === 'dependency' && pause.name === name)
    const { rate, concurrency } = state.declared ?? {}
    return {
      name,
      circuit: circuit?.state ?? 'closed',
      turned: circuit,
      declared: { rate, concurrency },
      limits: { rate: setting?.rate ?? rate, concurrency: setting?.concurrency ?? concurrency },
      setting,
      paused,
      handlers: this.#host.usersOf(name),
      here: state.use,
    }
  }
}

function said({ actor, reason }: Intent): { readonly actor: string; readonly reason: string } {
  return { actor: actor ?? 'library', reason }
}

function check(verb: string, what: string, name: unknown, intent: Intent): void {
  needReason(verb, intent)
  if (typeof name !== 'string' || name === '' || name.length > limits.nameLength)
    throw new HapaxError('invalid_query', { reason: `the name of a ${what} is 1 to ${limits.nameLength} characters` })
}
