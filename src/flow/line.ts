import type { DependencyState, LineRun } from './dependency-state.ts'

/** The runs that use the same dependencies: they begin as these have room. */
export class Line {
  /** As no order key is called. */
  readonly name: string
  readonly #states: readonly DependencyState[]

  constructor(states: readonly DependencyState[]) {
    this.name = `line ${states.map(({ name }) => name).join(' ')}`
    this.#states = states
  }

  /** Whether none of them may begin, however long it waits. */
  get isHeld(): boolean {
    return this.#states.some((state) => state.isHeld)
  }

  /** Whether one more may begin now. */
  get hasRoom(): boolean {
    return this.#states.every((state) => state.hasRoom)
  }

  /** One waits, or waits no longer. */
  lined(by: 1 | -1): void {
    for (const state of this.#states) state.lined(by)
  }

  /** One begins. */
  begin(): LineTurn {
    return new LineTurn(this.#states)
  }
}

/** A run of a line, from its begin to its end. */
export class LineTurn {
  readonly #begun: readonly (readonly [DependencyState, LineRun])[]

  constructor(states: readonly DependencyState[]) {
    this.#begun = states.map((state) => [state, state.begin()])
  }

  /** It waited so long for its turn. */
  waited(ms: number): void {
    for (const [state, run] of this.#begun) state.waited(run, ms)
  }

  end(): void {
    for (const [state, run] of this.#begun) state.end(run)
  }
}
