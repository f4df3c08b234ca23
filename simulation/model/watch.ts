import type { Invariant, Sometimes, Violation } from '../invariants.ts'

/** What all parts of the model share: the time, what was breached, what was reached, and the story so far. */
export class Watch {
  readonly violations: Violation[] = []
  readonly reached = new Set<Sometimes>()
  readonly #story: string[] = []
  readonly #nowMs: () => number
  readonly #storeNow: () => number
  /** No machine's seconds differ: then a node never believes longer in its lease than the store does. */
  readonly clocksAgree: boolean
  readonly #tells: boolean

  constructor(options: {
    readonly nowMs: () => number
    readonly storeNow: () => number
    readonly clocksAgree: boolean
    readonly tells: boolean
  }) {
    this.#nowMs = options.nowMs
    this.#storeNow = options.storeNow
    this.clocksAgree = options.clocksAgree
    this.#tells = options.tells
  }

  get nowMs(): number {
    return this.#nowMs()
  }

  /** By the store's clock. */
  get storeNow(): number {
    return this.#storeNow()
  }

  reach(point: Sometimes): void {
    this.reached.add(point)
  }

  violate(invariant: Invariant, what: string): void {
    if (this.violations.length < 20) this.violations.push({ invariant, atMs: this.nowMs, what })
    this.tell('!', `${invariant}: ${what}`)
  }

  /** A line of the story: kept only where somebody will read it. */
  tell(who: string, what: string): void {
    if (this.#tells) this.#story.push(`${(this.nowMs / 1_000).toFixed(3).padStart(9)} s  ${who.padEnd(8)} ${what}`)
  }

  get story(): readonly string[] {
    return this.#story
  }
}
