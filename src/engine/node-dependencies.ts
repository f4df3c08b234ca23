import type { Occurrence } from '../event/alert.ts'
import { Dependencies } from '../flow/dependencies.ts'
import type { Line } from '../flow/line.ts'
import type { Clock, Instant } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { LimitShare } from '../store/shared-limits.ts'
import type { Settings, Store } from '../store/store.ts'
import { circuitAlert, parkedAlert } from './circuit-alert.ts'
import type { Entry } from './entry.ts'
import type { Handler } from './handler.ts'
import { HurriedBeats } from './hurried-beats.ts'

/** What the dependencies of a node are made of. */
export interface NodeDependenciesHost {
  readonly clock: Clock
  readonly log: Log
  readonly node: string
  readonly store: Pick<Store, 'turnCircuit' | 'settings'>
  readonly handlers: readonly Handler[]
  handlerOf(tag: string): Handler | undefined
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
  readonly #host: NodeDependenciesHost
  readonly #beats: HurriedBeats

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
    for (const { uses } of host.handlers) for (const dependency of uses) this.states.of(dependency)
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
    return this.#host.handlerOf(tag)?.uses.map(({ name }) => name) ?? []
  }

  /** Handlers of this node that use a dependency. */
  usersOf(dependency: string): readonly string[] {
    return this.#host.handlers
      .filter(({ uses }) => uses.some(({ name }) => name === dependency))
      .map(({ name }) => name)
  }

  /** In which line a run waits: of what its handler uses, and of what it is parked for. Undefined: in none. */
  lineOf({ tag, record }: Entry): Line | undefined {
    const uses = this.#host.handlerOf(tag)?.uses
    const down = record.state?.dependency
    if (!uses?.length && down === undefined) return undefined
    const names = this.usesOf(tag)
    return this.states.line(down === undefined || names.includes(down) ? names : [...names, down])
  }

  isDown(dependency: string): boolean {
    return this.states.named(dependency).circuit.isOpen
  }

  stop(): void {
    this.states.stop()
    this.#beats.stop()
  }
}
