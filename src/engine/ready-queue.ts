import { Fifo } from '../kit/fifo.ts'
import type { Entry } from './entry.ts'
import type { Pauses } from './pauses.ts'
import type { Room } from './room.ts'

/**
 * The runs that may go, first come first: suspects before all others. Those that a pause holds lie beside. One that left
 * its stage meanwhile stays in line until it comes to its turn.
 */
export class ReadyQueue {
  readonly #room: Room
  readonly #pauses: Pauses
  readonly #isSuspect: (entry: Entry) => boolean
  readonly #ready = new Fifo<Entry>()
  readonly #suspects = new Fifo<Entry>()
  readonly #paused = new Fifo<Entry>()

  /** @param isSuspect whether a run lost its node before and must run alone. */
  constructor(room: Room, pauses: Pauses, isSuspect: (entry: Entry) => boolean) {
    this.#room = room
    this.#pauses = pauses
    this.#isSuspect = isSuspect
  }

  /** The run may go, but for a pause. */
  put(entry: Entry): void {
    if (this.#pauses.holds(entry)) {
      this.#room.stage(entry, 'aside')
      this.#paused.push(entry)
      return
    }
    this.#room.stage(entry, 'ready')
    if (this.#isSuspect(entry)) this.#suspects.push(entry)
    else this.#ready.push(entry)
  }

  /** Whether the first one must run alone. */
  get isFirstSuspect(): boolean {
    return this.#suspects.length > 0
  }

  /** Whose turn it is. */
  first(): Entry | undefined {
    return this.#suspects.first() ?? this.#ready.first()
  }

  /** Takes the first one out. */
  shift(): Entry | undefined {
    return this.isFirstSuspect ? this.#suspects.shift() : this.#ready.shift()
  }

  /** Pauses have changed: each is put anew. */
  putAnew(): void {
    const queued = [...this.#paused.drain(), ...this.#suspects.drain(), ...this.#ready.drain()]
    for (const entry of queued) if (isQueued(entry)) this.put(entry)
  }
}

/** Whether a run that a queue names waits there still. */
export function isQueued({ stage }: Entry): boolean {
  return stage === 'ready' || stage === 'aside'
}
