import type { Clock, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { Waiters } from './waiters.ts'

/**
 * Lets so many pass a second, evenly, by the generic cell rate algorithm (ITU-T I.371, annex A): each has its place, an interval
 * after the one before, and may come before it by {@link limits.rateCatchUpMs}, so that a timer that fires late costs nothing.
 * The interval is longer by {@link limits.rateMargin}: so no more pass in any second than the rate says.
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #waiters: Waiters
  #perSecond: number | undefined
  /** The place of the next one, by the monotonic clock. */
  #placeMs = 0
  /** Until then none passes. */
  #pausedUntilMs = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#waiters = new Waiters(clock)
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.count
  }

  /** Times a second; undefined: without limit. */
  get perSecond(): number | undefined {
    return this.#perSecond
  }

  /**
   * From now on so many a second; 0: none, undefined: without limit. Who had none waits for an interval first, since others
   * may have had them just now; not for longer than a lease lasts.
   */
  set(perSecond: number | undefined): void {
    if (perSecond === this.#perSecond) return
    const nowMs = this.#clock.monotonicMs()
    if (perSecond !== undefined && perSecond > 0) {
      const nextMs = nowMs + Math.min(intervalMs(perSecond), limits.leaseMs)
      this.#placeMs = this.#perSecond === 0 ? Math.max(this.#placeMs, nextMs) : Math.min(this.#placeMs, nextMs)
    }
    this.#perSecond = perSecond
    this.#drain()
  }

  /** Lets none pass for so long. */
  pause(forMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.monotonicMs() + forMs)
  }

  /** For so long none passes. */
  get pausedMs(): number {
    return Math.max(0, this.#pausedUntilMs - this.#clock.monotonicMs())
  }

  /** Waits for its turn: first come, first served. Answers whether it came within the time; at once where it cannot. */
  take(withinMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.tryTake()) return Promise.resolve(true)
    if (this.pausedMs >= withinMs) return Promise.resolve(false)
    const turn = this.#waiters.wait(withinMs, signal)
    this.#arm()
    return turn
  }

  /** Passes now, or not at all. */
  tryTake(): boolean {
    return this.#waiters.count === 0 && this.#passes()
  }

  #passes(): boolean {
    if (this.pausedMs > 0) return false
    if (this.#perSecond === undefined) return true
    if (this.#perSecond <= 0 || this.inMs > 0) return false
    this.#placeMs = Math.max(this.#placeMs, this.#clock.monotonicMs()) + intervalMs(this.#perSecond)
    return true
  }

  /** In how many milliseconds the next one may pass, if nobody waits; infinite where none may. */
  get inMs(): number {
    if (this.#perSecond === undefined) return this.pausedMs
    if (this.#perSecond <= 0) return Number.POSITIVE_INFINITY
    return Math.max(this.pausedMs, this.#placeMs - limits.rateCatchUpMs - this.#clock.monotonicMs())
  }

  #drain(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiters.letGo(() => this.#passes())
    this.#arm()
  }

  #arm(): void {
    const { inMs } = this
    if (this.#timer || this.#waiters.count === 0 || inMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#clock.setTimer(inMs, () => this.#drain())
  }
}

/** From one to the next. */
function intervalMs(perSecond: number): number {
  return (1_000 * (1 + limits.rateMargin)) / perSecond
}
