import type { BatchItem } from '../../src/engine/batch-handler.ts'
import type { HandlerEvent } from '../../src/engine/handler.ts'
import type { Watch } from './watch.ts'

/** Calls for several events at once: each is of one tenant, no larger than it may be, and gives each event its own result. */
export class Batches {
  readonly #watch: Watch

  constructor(watch: Watch) {
    this.#watch = watch
  }

  /** The function is called. */
  called(items: readonly BatchItem[], size: number): void {
    if (items.length > 1) this.#watch.reach('batch of several')
    const ids = items.map(({ event: { tenant, id } }) => `${tenant}/${id}`)
    this.#watch.tell('batch', `of ${ids.join(' ')}`)
    if (items.length === 0 || items.length > size)
      this.#watch.violate('G8.batch', `${items.length} events in one batch, at most ${size}`)
    if (new Set(items.map(({ event }) => event.key)).size < items.length)
      this.#watch.violate('G8.batch', `an event is twice in the batch of ${ids.join(' ')}`)
    if (new Set(items.map(({ event }) => event.tenant)).size > 1)
      this.#watch.violate('G8.batch', `the batch of ${ids.join(' ')} is of several tenants`)
  }

  /** A run was given its result. */
  got({ tenant, id }: HandlerEvent, result: unknown): void {
    if (result !== id) this.#watch.violate('G8.batch', `${tenant}/${id} was given the result of ${result}`)
  }
}
