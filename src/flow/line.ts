/** A run on its way through a gate. */
export interface GateRun {
  /** It waited so long for its turn inside: that is not the time it takes. */
  waitedMs: number
  /** It has not called yet. */
  isOnItsWay: boolean
  readonly startedMs: number
}

/** What bounds the runs of a line: a dependency that they use, a limit of their handler or source. */
export interface LineGate {
  readonly name: string
  /** Whether no run may begin for it, however long it waits. */
  readonly isHeld: boolean
  /** Whether one more may begin now. */
  readonly hasRoom: boolean
  /** A run waits in a line for it, or no longer. */
  lined(by: 1 | -1): void
  begin(): GateRun
  /** It waited so long for its turn inside, and goes on. */
  waited(run: GateRun, ms: number): void
  /** It has ended; who ends it looks who may begin now. */
  end(run: GateRun): void
}

/** The runs that go by the same gates: they begin as these have room. */
export class Line {
  /** As no order key is called. */
  readonly name: string
  readonly #gates: readonly LineGate[]

  constructor(gates: readonly LineGate[]) {
    this.name = `line ${gates.map(({ name }) => name).join(' ')}`
    this.#gates = gates
  }

  /** Whether none of them may begin, however long it waits. */
  get isHeld(): boolean {
    return this.#gates.some((gate) => gate.isHeld)
  }

  /** Whether one more may begin now. */
  get hasRoom(): boolean {
    for (const gate of this.#gates) if (!gate.hasRoom) return false
    return true
  }

  /** One waits, or waits no longer. */
  lined(by: 1 | -1): void {
    for (const gate of this.#gates) gate.lined(by)
  }

  /** One begins. */
  begin(): LineTurn {
    return new LineTurn(this.#gates)
  }
}

/** A run of a line, from its begin to its end. */
export class LineTurn {
  readonly #gates: readonly LineGate[]
  /** At each gate. */
  readonly #runs: readonly GateRun[]

  constructor(gates: readonly LineGate[]) {
    this.#gates = gates
    this.#runs = gates.map((gate) => gate.begin())
  }

  /** It waited so long for its turn. */
  waited(ms: number): void {
    this.#atEach((gate, run) => gate.waited(run, ms))
  }

  end(): void {
    this.#atEach((gate, run) => gate.end(run))
  }

  #atEach(tell: (gate: LineGate, run: GateRun) => void): void {
    for (const [index, gate] of this.#gates.entries()) {
      const run = this.#runs[index]
      if (run) tell(gate, run)
    }
  }
}
