import type { Clock, Instant, Timer } from '../src/kit/clock.ts'
import type { Life, Schedule } from './schedule.ts'

/** The wall time at which every simulation begins. */
export const wallStartMs = 1_764_000_000_000

/** One machine's clock: its wall may jump, its seconds may be longer or shorter than the others'. */
export class NodeClock implements Clock {
  readonly #schedule: Schedule
  readonly #life: Life | undefined
  readonly #rate: number
  readonly #turnMs: () => number
  #wallMs = wallStartMs
  #lastTurnMs = 0

  /**
   * @param rate its seconds to a true second.
   * @param turnMs how long its event loop takes for the next turn: what else arrives meanwhile goes first.
   */
  constructor(schedule: Schedule, life?: Life, rate = 1, turnMs: () => number = () => 0) {
    this.#schedule = schedule
    this.#life = life
    this.#rate = rate
    this.#turnMs = turnMs
  }

  now(): Instant {
    return Math.floor(this.#wallMs + this.#schedule.nowMs * this.#rate)
  }

  monotonicMs(): number {
    return 1_000_000 + this.#schedule.nowMs * this.#rate
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    return this.#schedule.at(this.#schedule.nowMs + Math.max(0, delayMs) / this.#rate, fire, this.#life)
  }

  turn(fire: () => void): void {
    this.#lastTurnMs = Math.max(this.#lastTurnMs, this.#schedule.nowMs + this.#turnMs())
    this.#schedule.at(this.#lastTurnMs, fire, this.#life)
  }

  /** As `turn`: between two calls of the schedule everything woken has run to its end. */
  rest(fire: () => void): void {
    this.turn(fire)
  }

  /** The wall alone: leases and durations must not notice. */
  jump(byMs: number): void {
    this.#wallMs += byMs
  }
}
