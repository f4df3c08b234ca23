import type { Clock, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { RecentCount } from './recent-count.ts'
import { Waiters } from './waiters.ts'

/**
 * Lets so many pass a second, evenly, by the generic cell rate algorithm (ITU-T I.371, annex A): each has its place, an interval
 * after the one before, and may come before it by {@link limits.rateCatchUpMs}, so that a timer that fires late costs nothing.
 * The interval is longer by {@link limits.rateMargin}: so no more pass in any second than the rate says.
 *
 * Who missed its place makes up for it, at twice the pace, as long as the second has not had all that it may: of a process that
 * stood still for 30 to 100 ms now and then a tenth of its rate was lost otherwise.
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #waiters: Waiters
  readonly #isAwaited: () => boolean
  #perSecond: number | undefined
  /** The place of the next one, by the monotonic clock. */
  #placeMs = 0
  /** The same, with what was missed. */
  #owedMs = 0
  /** The place of the next one at twice the pace. */
  #hurriedMs = 0
  readonly #recent = new RecentCount(1_000)
  /** Until then none passes. */
  #pausedUntilMs = 0
  #timer: Timer | undefined

  /** @param isAwaited whether somebody waits elsewhere, who comes as soon as there are turns */
  constructor(clock: Clock, isAwaited: () => boolean = () => false) {
    this.#clock = clock
    this.#isAwaited = isAwaited
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
      // What was missed was missed at the old rate, and may be others' by now.
      this.#owedMs = Math.max(this.#placeMs, nowMs)
    }
    this.#perSecond = perSecond
    this.#drain()
  }

  /** Lets none pass for so long. */
  pause(forMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.monotonicMs() + forMs)
    this.#owedMs = Math.max(this.#owedMs, this.#pausedUntilMs)
  }

  /** Nobody could go, or wanted to, until now: nothing was missed. */
  beginsAnew(): void {
    this.#owedMs = Math.max(this.#owedMs, this.#clock.monotonicMs())
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
    const nowMs = this.#clock.monotonicMs()
    const stepMs = intervalMs(this.#perSecond)
    this.#placeMs = Math.max(this.#placeMs, nowMs) + stepMs
    this.#owedMs = Math.max(this.#owedMs, this.#isWanted ? nowMs - limits.rateCreditMs : nowMs) + stepMs
    this.#hurriedMs = Math.max(this.#hurriedMs, nowMs) + stepMs / 2
    this.#recent.add(nowMs)
    return true
  }

  /** How many turns were missed and can be made up for within this second. */
  get missed(): number {
    if (!this.#perSecond || !this.#isWanted) return 0
    const nowMs = this.#clock.monotonicMs()
    const owed = Math.min(nowMs - this.#owedMs, limits.rateCreditMs) / intervalMs(this.#perSecond)
    const left = Math.floor(this.#perSecond * (1 - limits.rateCreditMargin)) - this.#recent.at(nowMs)
    return Math.max(0, Math.floor(Math.min(owed, left)))
  }

  get #isWanted(): boolean {
    return this.#waiters.count > 0 || this.#isAwaited()
  }

  /** In how many milliseconds the next one may pass, if nobody waits; infinite where none may. */
  get inMs(): number {
    if (this.#perSecond === undefined) return this.pausedMs
    if (this.#perSecond <= 0) return Number.POSITIVE_INFINITY
    const placeMs = this.missed > 0 ? Math.min(this.#placeMs, this.#hurriedMs) : this.#placeMs
    return Math.max(this.pausedMs, placeMs - limits.rateCatchUpMs - this.#clock.monotonicMs())
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
