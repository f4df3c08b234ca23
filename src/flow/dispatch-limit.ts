import type { Clock, Timer } from '../kit/clock.ts'
import type { LimitClaim } from '../store/shared-limits.ts'
import type { DependencyLimits } from '../store/store.ts'
import { LentLimits } from './lent-limits.ts'
import type { GateRun, LineGate } from './line.ts'

/** What a limit of runs asks of its node. */
export interface DispatchLimitHost {
  readonly clock: Clock
  /** A beat is wanted before its time. */
  hurry(): void
  /** More may go. */
  changed(): void
}

/** What a run does inside is of no interest here. */
const unwatched: GateRun = { waitedMs: 0, isOnItsWay: false, startedMs: 0 }

/** How often runs of a handler, or of a source's events, begin, and how many are under way at once, over all nodes. */
export class DispatchLimit implements LineGate {
  readonly name: string
  readonly isHeld = false
  readonly #clock: Clock
  readonly #host: DispatchLimitHost
  readonly #lent: LentLimits
  #timer: Timer | undefined

  constructor(name: string, limits: DependencyLimits, host: DispatchLimitHost) {
    this.name = name
    this.#clock = host.clock
    this.#host = host
    this.#lent = new LentLimits(name, host.clock, () => host.hurry())
    this.#lent.set(limits)
  }

  claims(): LimitClaim[] {
    return this.#lent.claims(this.#lent.waiting > 0)
  }

  lent(shares: ReadonlyMap<string, number>): void {
    this.#lent.lent(shares)
    this.#host.changed()
  }

  lapsed(): void {
    this.#lent.lapsed()
  }

  lined(by: 1 | -1): void {
    this.#lent.lined(by)
    if (by > 0) this.#lent.wanted()
  }

  get hasRoom(): boolean {
    const { slotShare, slots, rate, waiting } = this.#lent
    if (slotShare !== undefined && slots.taken >= slotShare) return false
    const { inMs } = rate
    if (inMs === 0) return true
    if (waiting > 0 && inMs !== Number.POSITIVE_INFINITY) this.#lookIn(inMs)
    return false
  }

  begin(): GateRun {
    this.#lent.rate.tryTake()
    this.#lent.used()
    // There is room, or it begins beside the line: then it is counted all the same.
    this.#lent.slots.add()
    return unwatched
  }

  waited(): void {}

  end(): void {
    this.#lent.slots.release()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #lookIn(inMs: number): void {
    if (this.#timer) return
    const look = () => {
      this.#timer = undefined
      this.#host.changed()
    }
    this.#timer = this.#clock.setTimer(inMs, look, { unref: true })
  }
}
