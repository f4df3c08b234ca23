import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'

/**
 * Step functions that outlived their timeout or their attempt. A step is tried again only after its old function has
 * settled, or 30 s have passed since its time was up: else the same effect would run twice at once by our own hand (hatchet #1022).
 */
export class StragglingSteps {
  readonly #clock: Clock
  readonly #running = new Map<string, { readonly settled: Promise<void>; readonly untilMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Watches a step's function, which has so long, until it settles. */
  add(run: string, step: string, effect: Promise<unknown>, timeoutMs: number): void {
    const name = `${run}\n${step}`
    const forget = () => {
      if (this.#running.get(name)?.settled === settled) this.#running.delete(name)
    }
    const settled: Promise<void> = effect.then(forget, forget)
    this.#running.set(name, { settled, untilMs: this.#clock.monotonicMs() + timeoutMs + limits.stepSettleMs })
  }

  /** Resolves when no function of this step is running any more, or has been for too long; undefined where none is. */
  wait(run: string, step: string): Promise<void> | undefined {
    if (this.#running.size === 0) return undefined
    const straggler = this.#running.get(`${run}\n${step}`)
    if (!straggler) return undefined
    const leftMs = straggler.untilMs - this.#clock.monotonicMs()
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(leftMs, resolve)
      straggler.settled.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
