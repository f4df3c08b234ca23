/** What an order queue holds: something with an order key and a place in the log. */
export interface Ordered {
  readonly position: number
}

/**
 * Runs of ordered handlers, one queue per (handler, order key): only the head may go (G7). A head that stands
 * (scheduled, waiting, unknown, a dead one that blocks) stays and holds its key; other keys are not held up.
 */
export class OrderQueues<Item extends Ordered> {
  readonly #queues = new Map<string, Item[]>()

  /** Puts an item in its place: begun ones first, else by position. Answers whether it is the head. */
  add(key: string, item: Item, options: { first?: boolean } = {}): boolean {
    const queue = this.#queues.get(key)
    if (!queue) {
      this.#queues.set(key, [item])
      return true
    }
    if (options.first) queue.unshift(item)
    else queue.push(item)
    return queue[0] === item
  }

  /** The item that may go. */
  head(key: string): Item | undefined {
    return this.#queues.get(key)?.[0]
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
