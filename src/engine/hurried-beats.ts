import type { Clock, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'

/** Beats that are wanted before their time: some of them together, and not one upon the other. */
export class HurriedBeats {
  readonly #clock: Clock
  readonly #beat: () => Promise<void>
  #lastMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #isStopped = false

  /** @param beat never rejects */
  constructor(clock: Clock, beat: () => Promise<void>) {
    this.#clock = clock
    this.#beat = beat
  }

  ask(): void {
    if (this.#timer || this.#isStopped) return
    const inMs = Math.max(0, this.#lastMs + limits.shareBeatMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.setTimer(
      inMs,
      () => {
        this.#timer = undefined
        this.#lastMs = this.#clock.monotonicMs()
        void this.#beat()
      },
      { unref: true },
    )
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }
}
