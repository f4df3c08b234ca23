import type { RunState } from '../event/run.ts'

/** What an order queue holds: something with an order key and a place in the log. */
export interface Ordered {
  /** Its event's position, or where a verb put it. */
  readonly place: number
  /** An attempt of it was begun: none may go before it. */
  readonly begun: boolean
}

/**
 * Runs of ordered handlers, one queue per (handler, order key): only the head may go (G7). A head that stands
 * (scheduled, waiting, unknown, a dead one that blocks) stays and holds its key; other keys are not held up.
 */
export class OrderQueues<Item extends Ordered> {
  readonly #queues = new Map<string, Item[]>()

  /**
   * Puts an item in its place: begun ones first. Answers whether it is the head.
   */
  add(key: string, item: Item): boolean {
    const queue = this.#queues.get(key)
    if (!queue) {
      this.#queues.set(key, [item])
      return true
    }
    let at = queue.length
    // Nearly always it is the last: what comes by `tail` comes in order.
    for (let before = queue[at - 1]; before && goesBefore(item, before); before = queue[at - 1]) at--
    queue.splice(at, 0, item)
    return at === 0
  }

  /** The item that may go. */
  head(key: string): Item | undefined {
    return this.#queues.get(key)?.[0]
  }

  /** How many there are of a key. */
  length(key: string): number {
    return this.#queues.get(key)?.length ?? 0
  }

  /** Takes an item out; answers the new head where the head left. */
  remove(key: string, item: Item): Item | undefined {
    const queue = this.#queues.get(key)
    if (!queue) return undefined
    const index = queue.indexOf(item)
    if (index < 0) return undefined
    queue.splice(index, 1)
    if (queue.length === 0) this.#queues.delete(key)
    return index === 0 ? queue[0] : undefined
  }
}

function goesBefore(item: Ordered, other: Ordered): boolean {
  return item.begun === other.begun ? item.place < other.place : item.begun
}

/** The name of an order key: keys of two handlers, or of two tenants, are two. */
export function orderName(tag: string, tenant: string, orderKey: string): string {
  return `${tag}\n${tenant.length}:${tenant}${orderKey}`
}

/**
 * Whether a run that stands so holds its order key.
 *
 * @param onDead what its handler says of dead ones; undefined where it is not ordered here.
 */
export function holdsKey(
  { status, reason }: Pick<RunState, 'status' | 'reason'>,
  onDead: 'block' | 'skip' | undefined,
): boolean {
  if (status === 'completed' || status === 'cancelled') return false
  if (status === 'dead') return reason !== 'released' && onDead === 'block'
  return true
}
