import type { Occurrence } from '../event/alert.ts'
import { CircuitGate } from '../flow/circuit-gate.ts'
import { Dependencies } from '../flow/dependencies.ts'
import type { Line, LineGate } from '../flow/line.ts'
import type { Clock, Instant } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { LimitShare } from '../store/shared-limits.ts'
import type { Settings, Store } from '../store/store.ts'
import { circuitAlert, parkedAlert } from './circuit-alert.ts'
import type { Entry } from './entry.ts'
import type { Handler } from './handler.ts'
import { HurriedBeats } from './hurried-beats.ts'
import type { SourceTraits } from './source-traits.ts'

/** What the dependencies of a node are made of. */
export interface NodeDependenciesHost {
  readonly clock: Clock
  readonly log: Log
  readonly node: string
  readonly store: Pick<Store, 'turnCircuit' | 'settings'>
  readonly group: string
  /** The node's handlers, by tag. */
  readonly index: ReadonlyMap<string, Handler>
  readonly sources: Iterable<Pick<SourceTraits, 'name' | 'rate'>>
  now(): Instant
  beat(): Promise<void>
  /** What runs use has more room, or less. */
  changed(): void
  /** Tells people, where there is something to tell. */
  tell(occurrence: Occurrence | undefined): void
}

/** The dependencies of a node, tied to its beats and to the runs of its handlers. */
export class NodeDependencies {
  readonly states: Dependencies
  /** Whether all runs of this node's handlers wait in lines. */
  readonly isAllInLines: boolean
  readonly #host: NodeDependenciesHost
  readonly #beats: HurriedBeats
  /** By tag, what bounds the runs of a handler. */
  readonly #gates = new Map<string, readonly LineGate[]>()
  /** By tag, the line of runs that are bounded by nothing else. */
  readonly #lines = new Map<string, Line>()
  readonly #sources = new Map<string, LineGate>()

  constructor(host: NodeDependenciesHost) {
    const { clock, log, node, store } = host
    this.#host = host
    this.#beats = new HurriedBeats(clock, () => host.beat())
    this.states = new Dependencies({
      clock,
      log,
      node,
      now: () => host.now(),
      turn: (turn) => store.turnCircuit(turn),
      changed: () => host.changed(),
      turned: (circuit) => {
        const { dependency, state, reason } = circuit
        log[state === 'open' ? 'warn' : 'info']('circuit turned', { dependency, state, reason })
        host.tell(circuitAlert(circuit))
      },
      hurry: () => this.#beats.ask(),
    })
    for (const [tag, handler] of host.index) this.#gates.set(tag, this.#gatesOf(handler))
    for (const [tag, gates] of this.#gates) if (gates.length > 0) this.#lines.set(tag, this.states.line(gates))
    this.isAllInLines = [...this.#gates.values()].every((gates) => gates.length > 0)
    for (const { name, rate } of host.sources) {
      const limit = `source ${host.group}/${name}`
      if (rate !== undefined) this.#sources.set(name, this.states.limit(limit, { rate }))
    }
  }

  /** What the answer to a beat lent; and what is to be told as long as it lasts. */
  lent(shares: readonly LimitShare[]): void {
    this.states.lent(shares)
    for (const state of this.states.all) this.#host.tell(parkedAlert(state))
  }

  learn(settings: Settings): void {
    this.states.learn(settings)
  }

  /** What runs of the handler with this tag use. */
  usesOf(tag: string): readonly string[] {
    return this.#host.index.get(tag)?.uses.map(({ name }) => name) ?? []
  }

  /** Handlers of this node that use a dependency. */
  usersOf(dependency: string): readonly string[] {
    return [...this.#host.index.values()]
      .filter(({ uses }) => uses.some(({ name }) => name === dependency))
      .map(({ name }) => name)
  }

  /** In which line a run waits: of its handler's and its source's limits, of what it uses, and of what it is parked for. */
  lineOf({ tag, source, record }: Entry): Line | undefined {
    const ofSource = this.#sources.get(source)
    const down = record.state?.dependency
    // It is asked some times of each run.
    if (ofSource === undefined && down === undefined) return this.#lines.get(tag)
    const own = this.#gates.get(tag) ?? []
    const gates = ofSource ? [ofSource, ...own] : own
    const isNamed = down === undefined || gates.some(({ name }) => name === down)
    return this.states.line(isNamed ? gates : [...gates, this.states.named(down)])
  }

  #gatesOf({ name, rate, concurrency: { limit }, uses, sharesCalls }: Handler): readonly LineGate[] {
    const states = uses.map((dependency) => this.states.of(dependency))
    const gates = sharesCalls ? states.map((state) => new CircuitGate(state)) : states
    if (rate === undefined && limit === undefined) return gates
    return [this.states.limit(`handler ${this.#host.group}/${name}`, { rate, concurrency: limit }), ...gates]
  }

  isDown(dependency: string): boolean {
    return this.states.named(dependency).circuit.isOpen
  }

  stop(): void {
    this.states.stop()
    this.#beats.stop()
  }
}
