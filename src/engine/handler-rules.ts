import type { EventRecord } from '../event/event.ts'
import type { Instant } from '../kit/clock.ts'
import type { Rank } from '../kit/fair-queue.ts'
import type { RunRecord } from '../store/store.ts'
import { expiryToBegin } from './expiry.ts'
import type { Handler } from './handler.ts'
import { rankOf } from './rank.ts'

/** What a node's handlers say of their runs, by tag; of a handler that it lacks, nothing. */
export interface HandlerRules {
  /** Whether the handler is ordered here. */
  orderOf(tag: string): 'block' | 'skip' | undefined
  /** How many runs of one key may be under way; undefined: any number. */
  perKeyOf(tag: string): number | undefined
  /** How urgent a run is, and with whom it takes turns. */
  rankOf(event: EventRecord, tag: string): Rank
  /** When a run is too old to begin; undefined: never, or not while a step is in doubt. */
  expiryOf(event: EventRecord, record: RunRecord): Instant | undefined
}

/** The rules of these handlers. */
export function handlerRules(index: ReadonlyMap<string, Handler>): HandlerRules {
  return {
    orderOf: (tag) => index.get(tag)?.order,
    perKeyOf: (tag) => index.get(tag)?.concurrency.perKey,
    rankOf: (event, tag) => rankOf(index.get(tag), event),
    expiryOf: (event, record) => expiryToBegin(index.get(record.tag), event, record),
  }
}
