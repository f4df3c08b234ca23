import type { DependencyState } from './dependency-state.ts'
import type { GateRun, LineGate } from './line.ts'

/**
 * A dependency as it bounds runs of which many share a call: they are held while its circuit is open, and its rate and slots are
 * those of the calls, not of the runs.
 */
export class CircuitGate implements LineGate {
  readonly name: string
  readonly #state: DependencyState

  constructor(state: DependencyState) {
    this.name = `circuit of ${state.name}`
    this.#state = state
  }

  get isHeld(): boolean {
    return this.#state.isHeld
  }

  get hasRoom(): boolean {
    return this.#state.isHeld ? this.#state.hasRoom : this.#state.rate.pausedMs === 0
  }

  lined(by: 1 | -1): void {
    this.#state.lined(by)
  }

  begin(): GateRun {
    return this.#state.begin()
  }

  waited(run: GateRun, ms: number): void {
    this.#state.waited(run, ms)
  }

  end(run: GateRun): void {
    this.#state.end(run)
  }
}
