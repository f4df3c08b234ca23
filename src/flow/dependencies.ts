import type { Clock } from '../kit/clock.ts'
import type { CircuitTurn, CircuitTurned } from '../store/circuits.ts'
import type { LimitClaim, LimitShare } from '../store/shared-limits.ts'
import type { DependencyLimits, Settings } from '../store/store.ts'
import { AnswerCache, type CachedAnswer } from './answer-cache.ts'
import type { Dependency } from './dependency.ts'
import { type DependencyHost, DependencyState } from './dependency-state.ts'
import { DispatchLimit } from './dispatch-limit.ts'
import { Line, type LineGate } from './line.ts'
import { SharedCalls } from './shared-calls.ts'

/** What the dependencies of a node ask of its engine. */
export interface DependenciesHost extends DependencyHost {
  turn(turn: CircuitTurn): Promise<CircuitTurned>
}

/** All dependencies that this node's runs use, or stand for. */
export class Dependencies {
  /** What cached fetches of this node's runs were answered. */
  readonly answers: AnswerCache
  /** Cached fetches that are under way. */
  readonly sharedFetches = new SharedCalls<CachedAnswer>()
  readonly #host: DependenciesHost
  readonly #states = new Map<string, DependencyState>()
  readonly #limits = new Map<string, DispatchLimit>()
  readonly #lines = new Map<string, Line>()
  #settings: Settings | undefined
  #isStopped = false

  constructor(host: DependenciesHost) {
    this.#host = host
    this.answers = new AnswerCache(host.clock)
  }

  get clock(): Clock {
    return this.#host.clock
  }

  /** The state of a dependency that the code declares. */
  of(dependency: Dependency): DependencyState {
    const state = this.named(dependency.name)
    state.declare(dependency)
    return state
  }

  /** The state of a dependency that a record names: this code may not have it. */
  named(name: string): DependencyState {
    const known = this.#states.get(name)
    if (known) return known
    const state = new DependencyState(name, this.#host)
    this.#states.set(name, state)
    this.#teach(state)
    return state
  }

  /** Those that are known here. */
  get all(): readonly DependencyState[] {
    return [...this.#states.values()]
  }

  /** A limit of runs, by its name: those of a handler, or of a source's events. */
  limit(name: string, limits: DependencyLimits): DispatchLimit {
    const known = this.#limits.get(name)
    if (known) return known
    const limit = new DispatchLimit(name, limits, this.#host)
    this.#limits.set(name, limit)
    return limit
  }

  /** The line of runs that go by these gates. */
  line(gates: readonly LineGate[]): Line {
    const key = gates.map(({ name }) => name).join(' ')
    const known = this.#lines.get(key)
    if (known) return known
    const line = new Line(gates)
    this.#lines.set(key, line)
    return line
  }

  /** What all nodes know, as the settings were read. */
  learn(settings: Settings): void {
    if (settings.version < (this.#settings?.version ?? 0)) return
    this.#settings = settings
    for (const { dependency } of settings.circuits) this.named(dependency)
    for (const state of this.#states.values()) this.#teach(state)
  }

  /** What this node uses of shared limits; undefined: it has none. */
  claims(): readonly LimitClaim[] | undefined {
    const claims = this.#lenders.flatMap((lender) => lender.claims())
    return claims.length === 0 ? undefined : claims
  }

  /** What the answer to a beat lent. */
  lent(shares: readonly LimitShare[]): void {
    const byName = new Map(shares.map(({ name, share }) => [name, share]))
    if (!this.#isStopped) for (const lender of this.#lenders) lender.lent(byName)
  }

  /** The lease has run out. */
  lapsed(): void {
    for (const lender of this.#lenders) lender.lapsed()
  }

  stop(): void {
    this.#isStopped = true
    this.answers.clear()
    for (const lender of this.#lenders) lender.stop()
  }

  get #lenders(): readonly (DependencyState | DispatchLimit)[] {
    return [...this.#states.values(), ...this.#limits.values()]
  }

  #teach(state: DependencyState): void {
    const { circuits = [], limits = [] } = this.#settings ?? {}
    state.learn(
      circuits.find(({ dependency }) => dependency === state.name),
      limits.find(({ dependency }) => dependency === state.name),
    )
  }
}
