import type { EventRecord } from '../event/event.ts'
import type { Rank } from '../kit/fair-queue.ts'
import type { Handler } from './handler.ts'

/**
 * How urgent a run of this handler is, and with whom it takes turns. The keys of an ordered handler take turns by themselves, since
 * only the head of each is ready; a `priority` that throws, or gives no number, is 0.
 */
export function rankOf(handler: Handler | undefined, event: EventRecord): Rank {
  const priority = handler === undefined ? 0 : priorityOf(handler, event)
  return { priority, owner: event.tenant, key: handler?.order === undefined ? (event.orderKey ?? '') : '' }
}

function priorityOf({ priority }: Handler, event: EventRecord): number {
  if (typeof priority === 'number') return priority
  try {
    const given = priority(event)
    return Number.isFinite(given) ? given : 0
  } catch {
    return 0
  }
}
