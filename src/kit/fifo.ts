/** Items that have left are cut off once there are so many: to cut at each would cost as much as the queue is long. */
const leftMost = 1_024

/** First in, first out; to take the first out costs the same however many there are. */
export class Fifo<Item> {
  #items: Item[] = []
  #from = 0

  get length(): number {
    return this.#items.length - this.#from
  }

  /** The one that leaves next. */
  first(): Item | undefined {
    return this.#items[this.#from]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    const item = this.#items[this.#from]
    if (this.length > 0) this.#from++
    if (this.length === 0 || this.#from > leftMost) {
      this.#items = this.#items.slice(this.#from)
      this.#from = 0
    }
    return item
  }

  /** Takes all out, in their order. */
  drain(): Item[] {
    const items = this.#items.slice(this.#from)
    this.#items = []
    this.#from = 0
    return items
  }
}
