import { Fifo } from '../kit/fifo.ts'
import type { Entry } from './entry.ts'
import { isQueued } from './ready-queue.ts'
import type { Room } from './room.ts'

/** What counting by key asks of its node. */
export interface KeySlotsHost {
  readonly room: Room
  /** How many runs of one key of this handler may be under way at once; undefined: any number. */
  perKeyOf(tag: string): number | undefined
  /** The run may go. */
  put(entry: Entry): void
  /** What was let go is wanted: it is to be read at once. */
  wake(): void
}

interface Key {
  running: number
  readonly waiting: Fifo<Entry>
}

/**
 * How many runs of one key are under way. All events of an order key lie in one shard, whose owner counts them: that is the count
 * over all nodes.
 */
export class KeySlots {
  readonly #host: KeySlotsHost
  readonly #keys = new Map<string, Key>()

  constructor(host: KeySlotsHost) {
    this.#host = host
  }

  /** A run has come to its turn: whether it goes. Else it waits aside until one of its key has ended. */
  enter(entry: Entry): boolean {
    const most = this.#host.perKeyOf(entry.tag)
    const name = keyOf(entry)
    if (most === undefined || name === undefined) return true
    const key = this.#key(name)
    if (key.running < most) {
      key.running++
      return true
    }
    this.#host.room.stage(entry, 'aside')
    key.waiting.push(entry)
    return false
  }

  /** It has ended: the next of its key may go. */
  leave(entry: Entry): void {
    const name = keyOf(entry)
    const key = name === undefined ? undefined : this.#keys.get(name)
    if (name === undefined || !key) return
    const { room, put, wake } = this.#host
    key.running--
    let next = key.waiting.shift()
    while (next && !isQueued(next)) next = key.waiting.shift()
    if (next) put(next)
    if (key.waiting.length > 0) return
    if (key.running === 0) this.#keys.delete(name)
    if (!room.isLetGo(name)) return
    room.want()
    wake()
  }

  /** The name of a key so many of which wait that further ones may be let go. */
  fullKey(entry: Entry): string | undefined {
    if (this.#host.perKeyOf(entry.tag) === undefined) return undefined
    const name = keyOf(entry)
    const waiting = name === undefined ? 0 : (this.#keys.get(name)?.waiting.length ?? 0)
    return waiting > this.#host.room.bounds.perKey ? name : undefined
  }

  #key(name: string): Key {
    const known = this.#keys.get(name)
    if (known) return known
    const key = { running: 0, waiting: new Fifo<Entry>() }
    this.#keys.set(name, key)
    return key
  }
}

/** As no order key of an ordered handler is called. */
function keyOf({ tag, rank }: Entry): string | undefined {
  return rank.key === '' ? undefined : `key ${tag} ${rank.owner.length} ${rank.owner} ${rank.key}`
}
