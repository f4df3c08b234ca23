import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'

interface Armed {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** Turns of the real event loop without a turn of this clock before it counts as idle. */
const idleTurns = 3

/**
 * A virtual clock: time passes only by `advance`. Timers fire in the order of their time, and between two of them
 * everything that was woken runs to its end.
 *
 * @example
 * const clock = new FakeClock()
 * await clock.advance('1h')
 */
export class FakeClock implements Clock {
  #elapsedMs = 0
  #wallMs: number
  #order = 0
  #timers: Armed[] = []
  #turns = 0

  /** @param startMs the wall time that it begins at. */
  constructor(startMs: Instant = 1_764_000_000_000) {
    this.#wallMs = startMs
  }

  now(): Instant {
    return this.#wallMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return 1_000_000 + this.#elapsedMs
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const armed: Armed = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire }
    this.#timers.push(armed)
    return {
      cancel: () => {
        const index = this.#timers.indexOf(armed)
        if (index >= 0) this.#timers.splice(index, 1)
      },
    }
  }

  turn(fire: () => void): void {
    this.#turns++
    setImmediate(fire)
  }

  rest(fire: () => void): void {
    process.nextTick(fire)
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length
  }

  /** The wall clock alone jumps: leases and durations must not notice. */
  jump(byMs: number): void {
    this.#wallMs += byMs
  }

  /** Lets this much time pass, firing what is due on the way. */
  async advance(duration: Duration): Promise<void> {
    const until = this.#elapsedMs + toMs(duration)
    await this.settle()
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at)
      next.fire()
      await this.settle()
    }
    this.#elapsedMs = until
  }

  /** Runs what is woken to its end, at this very time. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < idleTurns; idle++) {
      const before = this.#turns
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      if (this.#turns !== before) idle = -1
    }
  }

  #next(until: number): Armed | undefined {
    let first: Armed | undefined
    for (const armed of this.#timers) {
      if (armed.at <= until && (!first || armed.at < first.at || (armed.at === first.at && armed.order < first.order)))
        first = armed
    }
    if (first) this.#timers.splice(this.#timers.indexOf(first), 1)
    return first
  }
}
