import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import type { Store } from '../store/store.ts'
import type { Readiness } from './api.ts'

/** For how long one proof counts: probes of many balancers cost one commit a second. */
const countsMs = 1_000

/** How long a commit may take before the process counts as not ready. */
const commitWithinMs = 2_000

/** Proves that the store commits: that it can be read says nothing of a full disk. */
export class ReadinessCheck {
  readonly #store: Store
  readonly #clock: Clock
  readonly #write: () => Promise<void>
  #latest: { readonly atMs: number; readonly proof: Promise<Readiness> } | undefined

  /** @param write commits something tiny; rejects where that fails */
  constructor(store: Store, clock: Clock, write: () => Promise<void>) {
    this.#store = store
    this.#clock = clock
    this.#write = write
  }

  /** @throws `store_unavailable` */
  check(): Promise<Readiness> {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#latest || nowMs - this.#latest.atMs >= countsMs) this.#latest = { atMs: nowMs, proof: this.#prove() }
    return this.#latest.proof
  }

  async #prove(): Promise<Readiness> {
    let stop = () => {}
    const late = new Promise<never>((_resolve, reject) => {
      const reason = `it has not committed within ${commitWithinMs} ms`
      const timer = this.#clock.setTimer(
        commitWithinMs,
        () => reject(new HapaxError('store_unavailable', { reason })),
        { unref: true },
      )
      stop = () => timer.cancel()
    })
    try {
      await Promise.race([this.#write(), late])
    } finally {
      stop()
    }
    return { store: this.#store.kind, durability: this.#store.durability }
  }
}
