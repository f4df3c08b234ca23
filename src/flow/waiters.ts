import type { Clock } from '../kit/clock.ts'
import { Fifo } from '../kit/fifo.ts'

interface Waiter {
  isGone: boolean
  readonly go: () => void
}

/** Those that wait for their turn: first come, first served, each as long as it will. */
export class Waiters {
  readonly #clock: Clock
  readonly #queue = new Fifo<Waiter>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#count
  }

  /** Answers whether its turn came within the time. */
  wait(withinMs: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted || withinMs <= 0) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = (given: boolean) => {
        if (waiter.isGone) return
        waiter.isGone = true
        this.#count--
        late.cancel()
        signal?.removeEventListener('abort', giveUp)
        resolve(given)
      }
      const giveUp = () => end(false)
      const waiter: Waiter = { isGone: false, go: () => end(true) }
      const late = this.#clock.setTimer(withinMs, giveUp)
      signal?.addEventListener('abort', giveUp)
      this.#queue.push(waiter)
      this.#count++
    })
  }

  /** Lets them go in their order, as long as `passes` says so. */
  letGo(passes: () => boolean): void {
    for (;;) {
      while (this.#queue.first()?.isGone) this.#queue.shift()
      const waiter = this.#queue.first()
      if (!waiter || !passes()) return
      this.#queue.shift()
      waiter.go()
    }
  }
}
