import { mintEventKey } from '../event/event-key.ts'
import { type HandlerRecord, handlerTakes, isLive, type Registry } from '../event/handler-record.ts'
import type { Clock, Instant } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { EventSummary, Store } from '../store/store.ts'
import type { Committer } from './committer.ts'
import type { Handler } from './handler.ts'

/** What giving events to new handlers needs of the node. */
export interface PickUpHost {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly committer: Committer
  readonly group: string
  /** The handlers that this node runs, by tag. */
  readonly handlers: ReadonlyMap<string, Handler>
  now(): Instant
}

/**
 * Gives unclaimed events that are young enough to the handlers that take them now: each as a redrive of its run, which the
 * run's owner judges.
 */
export class PickUp {
  readonly #host: PickUpHost
  #version: number | undefined
  #untilMs = 0

  constructor(host: PickUpHost) {
    this.#host = host
  }

  /**
   * Looks while there may be some: from the start, and from each change of the registry, for as long as another node may
   * accept by the one before.
   */
  async look(registry: Registry): Promise<void> {
    const { clock, handlers, group } = this.#host
    if (registry.version !== this.#version) {
      this.#version = registry.version
      this.#untilMs = clock.monotonicMs() + limits.registrySpreadMs
    }
    if (clock.monotonicMs() > this.#untilMs) return
    const mine = registry.handlers.filter(
      (one) => one.group === group && isLive(one) && (handlers.get(one.tag)?.pickUpMs ?? 0) > 0,
    )
    if (mine.length === 0) return
    const longestMs = Math.max(...mine.map((one) => this.#pickUpMs(one)))
    let cursor: string | undefined
    do {
      const query = { unclaimed: true, limit: limits.pageItems }
      const page = await this.#host.store.searchEvents(cursor === undefined ? query : { ...query, cursor })
      await Promise.all(page.events.flatMap((event) => mine.flatMap((one) => this.#give(event, one))))
      // Newest first: what lies behind is older. Asked for by time, a store would read all that was never claimed.
      const isPast = page.events.every((event) => this.#host.now() - event.acceptedAt > longestMs)
      cursor = isPast ? undefined : page.next
    } while (cursor !== undefined)
  }

  #pickUpMs({ tag }: HandlerRecord): number {
    return this.#host.handlers.get(tag)?.pickUpMs ?? 0
  }

  #give(event: EventSummary, taker: HandlerRecord): Promise<unknown>[] {
    const { clock, random, committer } = this.#host
    if (event.registryVersion >= taker.sinceVersion || !handlerTakes(taker, event.source, event.type)) return []
    if (this.#host.now() - event.acceptedAt > this.#pickUpMs(taker)) return []
    const key = mintEventKey(clock.now(), event.shard, random)
    const id = `pick-up:${taker.sinceVersion}`
    const asked = { event: event.key, tag: taker.tag, verb: 'redrive' as const, detail: '{}' }
    return [committer.intervene({ key, id, ...asked, reason: 'pick-up', actor: 'engine' })]
  }
}
