import { Fifo } from './fifo.ts'

/** Whose an item is, and how urgent: those of a higher priority go first; of the same, owners take turns, and within each its keys. */
export interface Rank {
  readonly priority: number
  readonly owner: string
  readonly key: string
}

/** Items of several owners, which take turns: however many one has, the others wait for one of them at most. */
export class FairQueue<Item> {
  /** The highest priority first. */
  readonly #levels: { readonly priority: number; readonly owners: Turns<Turns<Fifo<Item>>> }[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: Item, { priority, owner, key }: Rank): void {
    this.#length++
    this.#level(priority)
      .child(owner, () => new Turns())
      .child(key, () => new Fifo())
      .push(item)
  }

  /** Of the one that leaves next. */
  get priority(): number | undefined {
    return this.#levels.find(({ owners }) => owners.current !== undefined)?.priority
  }

  /** The one that leaves next, if nothing of a higher priority comes. */
  first(): Item | undefined {
    return this.#first()?.current?.current?.first()
  }

  shift(): Item | undefined {
    return this.#take(true)
  }

  /** Takes the one out that leaves next, and costs whose it is no turn: nothing comes of it. */
  skip(): Item | undefined {
    return this.#take(false)
  }

  /** Takes all out, those of each key in their order. @param isThere whether it is wanted: another costs nobody a turn */
  drain(isThere: (item: Item) => boolean = () => true): Item[] {
    const all: Item[] = []
    while (this.#length > 0) {
      const item = this.first()
      if (item === undefined || !isThere(item)) this.skip()
      else {
        this.shift()
        all.push(item)
      }
    }
    return all
  }

  #take(isTurn: boolean): Item | undefined {
    const owners = this.#first()
    const keys = owners?.current
    const items = keys?.current
    if (!owners || !keys || !items) return undefined
    this.#length--
    const item = items.shift()
    if (isTurn || items.length === 0) keys.turned(items.length > 0)
    if (isTurn || keys.current === undefined) owners.turned(keys.current !== undefined)
    return item
  }

  #first(): Turns<Turns<Fifo<Item>>> | undefined {
    return this.#levels.find(({ owners }) => owners.current !== undefined)?.owners
  }

  #level(priority: number): Turns<Turns<Fifo<Item>>> {
    const known = this.#levels.find((level) => level.priority === priority)
    if (known) return known.owners
    const level = { priority, owners: new Turns<Turns<Fifo<Item>>>() }
    this.#levels.push(level)
    this.#levels.sort((one, other) => other.priority - one.priority)
    return level.owners
  }
}

/** Children that take turns, each as long as it has something. */
class Turns<Child> {
  readonly #children = new Map<string, Child>()
  readonly #ring = new Fifo<string>()
  /** Where none has anything, who had it last: whoever comes next is nearly always the same, and nothing is made anew. */
  #last: string | undefined

  /** Whose turn it is. */
  get current(): Child | undefined {
    const name = this.#ring.first()
    return name === undefined ? undefined : this.#children.get(name)
  }

  /** The child of this name, which has, or will have, something. */
  child(name: string, make: () => Child): Child {
    const known = this.#children.get(name)
    if (known && this.#last === undefined) return known
    if (this.#last !== undefined && !known) this.#children.delete(this.#last)
    this.#last = undefined
    const child = known ?? make()
    if (!known) this.#children.set(name, child)
    this.#ring.push(name)
    return child
  }

  /** The current one has had its turn; `more`: it has something still. */
  turned(more: boolean): void {
    const name = this.#ring.shift()
    if (name === undefined) return
    if (more) this.#ring.push(name)
    else if (this.#ring.length === 0) this.#last = name
    else this.#children.delete(name)
  }
}
