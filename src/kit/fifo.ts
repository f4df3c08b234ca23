/** Items that have left are cut off once there are so many: to cut at each would cost as much as the queue is long. */
const leftMost = 1_024

/**
 * First in, first out; to take the first out costs the same however many there are. One that runs empty keeps its places: most
 * queues hold an item or two, again and again.
 */
export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #from = 0
  #to = 0

  get length(): number {
    return this.#to - this.#from
  }

  /** The one that leaves next. */
  first(): Item | undefined {
    return this.#items[this.#from]
  }

  push(item: Item): void {
    this.#items[this.#to++] = item
  }

  shift(): Item | undefined {
    if (this.#from === this.#to) return undefined
    const item = this.#items[this.#from]
    this.#items[this.#from++] = undefined
    if (this.#from === this.#to && this.#from <= leftMost) this.#begin(this.#items, 0)
    else if (this.#from > leftMost) this.#begin(this.#items.slice(this.#from, this.#to), this.length)
    return item
  }

  /** Takes all out, in their order. */
  drain(): Item[] {
    const items = this.#items.slice(this.#from, this.#to).filter((item) => item !== undefined)
    this.#begin([], 0)
    return items
  }

  #begin(items: (Item | undefined)[], length: number): void {
    this.#items = items
    this.#from = 0
    this.#to = length
  }
}
