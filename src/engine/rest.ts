import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'

/**
 * Whether a node has been without work for so long that its beat may look in the stead of its polls: a statement less
 * for each poll, and what comes without a hint is found a beat later at most.
 */
export class Rest {
  readonly #clock: Clock
  #busyAtMs: number
  /** A beat is on its way that looks. */
  #isAsked = false
  #isOn = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#busyAtMs = clock.monotonicMs()
  }

  /** No poll is needed until the next beat. */
  get isOn(): boolean {
    return this.#isOn
  }

  /** There was work. */
  busy(): void {
    this.#busyAtMs = this.#clock.monotonicMs()
    this.end()
  }

  /** There may be work: what a beat under way has looked at is old. */
  end(): void {
    this.#isAsked = false
    this.#isOn = false
  }

  /** Answers whether the next beat is to look. */
  ask(): boolean {
    this.#isAsked = this.#clock.monotonicMs() - this.#busyAtMs >= limits.restAfterMs
    return this.#isAsked
  }

  /** A beat was answered, or lost. */
  told(quiet: boolean): void {
    this.#isOn = quiet && this.#isAsked
    this.#isAsked = false
  }
}
