import type { Clock } from '../kit/clock.ts'
import { Waiters } from './waiters.ts'

/** So many at once: counted from what is running, never from a counter that a crash could leave behind. */
export class Slots {
  readonly #waiters: Waiters
  #most: number | undefined
  #taken = 0

  constructor(clock: Clock) {
    this.#waiters = new Waiters(clock)
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiters.count
  }

  /** From now on so many at once; undefined: without limit. Who is in stays in. */
  set(most: number | undefined): void {
    if (most === this.#most) return
    this.#most = most
    this.#drain()
  }

  /** Takes one, first come, first served; {@link release} gives it back. Answers whether it was had within the time. */
  take(withinMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.tryTake()) return Promise.resolve(true)
    return this.#waiters.wait(withinMs, signal)
  }

  /** Takes one that is free now, where nobody waits. Answers whether. */
  tryTake(): boolean {
    if (this.#waiters.count > 0 || !this.#isFree) return false
    this.#taken++
    return true
  }

  /** Counts one that is in without having asked. */
  add(): void {
    this.#taken++
  }

  release(): void {
    this.#taken--
    this.#drain()
  }

  get #isFree(): boolean {
    return this.#most === undefined || this.#taken < this.#most
  }

  #drain(): void {
    this.#waiters.letGo(() => {
      if (!this.#isFree) return false
      this.#taken++
      return true
    })
  }
}
