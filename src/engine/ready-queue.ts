import type { Line, LineTurn } from '../flow/line.ts'
import type { Instant } from '../kit/clock.ts'
import { FairQueue } from '../kit/fair-queue.ts'
import { Fifo } from '../kit/fifo.ts'
import { limits } from '../kit/limits.ts'
import type { Entry } from './entry.ts'
import type { Pauses } from './pauses.ts'
import type { Room } from './room.ts'

/** What the queue asks of its node. */
export interface ReadyQueueHost {
  readonly room: Room
  readonly pauses: Pauses
  /** Whether a run lost its node before and must run alone. */
  isSuspect(entry: Entry): boolean
  /** The line of what the run's handler uses; undefined: it uses nothing that has limits. */
  lineOf(entry: Entry): Line | undefined
  /** What was let go is wanted: it is to be read at once. */
  wake(): void
}

/**
 * The runs that may go, first come first: suspects that use nothing before all others, then by turns those that use nothing and each line of those
 * that use the same dependencies, where these have room. Those that a pause or an open circuit holds lie aside. One that left its
 * stage meanwhile stays in line until it comes to its turn.
 */
export class ReadyQueue {
  readonly #host: ReadyQueueHost
  readonly #free = new FairQueue<Entry>()
  readonly #suspects = new Fifo<Entry>()
  readonly #paused = new Fifo<Entry>()
  readonly #lines = new Map<Line, FairQueue<Entry>>()
  readonly #lineOfQueue = new Map<FairQueue<Entry>, Line>()
  /** Whose turn it is: the queues go by turns, so that a long one holds up no other. */
  #turns: FairQueue<Entry>[] = [this.#free]
  #chosen: FairQueue<Entry> | Fifo<Entry> | undefined

  constructor(host: ReadyQueueHost) {
    this.#host = host
  }

  /** The run may go, but for a pause and for what it uses. */
  put(entry: Entry): void {
    const { room, pauses, isSuspect } = this.#host
    this.#chosen = undefined
    if (pauses.holds(entry)) {
      room.stage(entry, 'aside')
      this.#paused.push(entry)
      return
    }
    const line = this.#lineOf(entry)
    // A suspect too: its limits hold for it, and it goes alone when it has come to its turn.
    if (line) {
      this.#line(line, entry)
      return
    }
    room.stage(entry, 'ready')
    if (isSuspect(entry)) this.#suspects.push(entry)
    else this.#free.push(entry, entry.rank)
  }

  /**
   * Whether the run may be let go where there is no room for those that wait. Of each line some stay: they are what it probes
   * with, and what goes on while the others are read again.
   */
  mayLetGo(entry: Entry): boolean {
    if (this.#host.pauses.holds(entry)) return true
    const line = this.#lineOf(entry)
    const { bounds } = this.#host.room
    return line !== undefined && (this.#lines.get(line)?.length ?? 0) > bounds.perKey
  }

  /** The name of the line that a run waits in. */
  lineName(entry: Entry): string | undefined {
    return this.#lineOf(entry)?.name
  }

  /** Whether a run that has come to its turn still waits for it. */
  goes(entry: Entry): boolean {
    if (entry.stage !== 'aside') return entry.stage === 'ready'
    return this.#lineOf(entry) !== undefined && !this.#host.pauses.holds(entry)
  }

  /** Whether this one must run alone. */
  isAlone(entry: Entry): boolean {
    return this.#host.isSuspect(entry)
  }

  /**
   * Whose turn it is.
   *
   * @param withLines whether those count that use dependencies
   */
  first(withLines: boolean): Entry | undefined {
    this.#chosen = this.#suspects.length > 0 ? this.#suspects : this.#next(withLines)
    return this.#chosen?.first()
  }

  /** Takes the one out whose turn it is: it goes. */
  shift(): Entry | undefined {
    const queue = this.#choice()
    const entry = queue?.shift()
    if (!entry || !(queue instanceof FairQueue) || this.#lines.size === 0) return entry
    this.#left(queue)
    if (this.#turns.at(-1) !== queue) this.#turns.push(...this.#turns.splice(this.#turns.indexOf(queue), 1))
    return entry
  }

  /** Takes the one out whose turn it is, and does not go: the turn is for the next of its tenant. */
  skip(): void {
    const queue = this.#choice()
    if (!(queue instanceof FairQueue)) queue?.shift()
    else if (queue.skip()) this.#left(queue)
  }

  #choice(): FairQueue<Entry> | Fifo<Entry> | undefined {
    const queue = this.#chosen ?? (this.#suspects.length > 0 ? this.#suspects : this.#next(true))
    this.#chosen = undefined
    return queue
  }

  /** A run begins: it has its turn at what it uses. */
  begin(entry: Entry): LineTurn | undefined {
    return this.#lineOf(entry)?.begin()
  }

  /** Pauses have changed: each is put anew. */
  putAnew(): void {
    const fifos = [...this.#paused.drain(), ...this.#suspects.drain()].filter(isQueued)
    for (const entry of [...fifos, ...this.#free.drain(isQueued), ...this.#drainLines()]) this.put(entry)
  }

  /** Those in line that are too old by now begin at once, and end. */
  expire(now: Instant): boolean {
    let some = false
    for (const [line, entries] of this.#lines) {
      if (!line.isHeld) continue
      const waiting = entries.drain()
      for (const entry of waiting) {
        if (isQueued(entry) && entry.expiresAt !== undefined && entry.expiresAt <= now) {
          entry.isTooOld = true
          line.lined(-1)
          this.put(entry)
          some = true
        } else entries.push(entry, entry.rank)
      }
    }
    return some
  }

  /** One has left its line, if they are of one. */
  #left(entries: FairQueue<Entry>): void {
    const line = this.#lineOfQueue.get(entries)
    if (!line) return
    const { room, wake } = this.#host
    line.lined(-1)
    if (entries.length > room.bounds.perKey / 2 || !room.isLetGo(line.name)) return
    room.want()
    wake()
  }

  #lineOf(entry: Entry): Line | undefined {
    return entry.isTooOld ? undefined : this.#host.lineOf(entry)
  }

  #line(line: Line, entry: Entry): void {
    let entries = this.#lines.get(line)
    if (!entries) {
      entries = new FairQueue<Entry>()
      this.#lines.set(line, entries)
      this.#lineOfQueue.set(entries, line)
      this.#turns.push(entries)
    }
    this.#host.room.stage(entry, line.isHeld || entries.length >= limits.lineHeld ? 'aside' : 'ready')
    entries.push(entry, entry.rank)
    line.lined(1)
  }

  #next(withLines: boolean): FairQueue<Entry> | undefined {
    if (this.#lines.size === 0) return this.#free
    let best: FairQueue<Entry> | undefined
    let most = -Infinity
    for (const queue of this.#turns) {
      const { priority } = queue
      if (priority === undefined || priority <= most) continue
      const line = this.#lineOfQueue.get(queue)
      if (line && !(withLines && line.hasRoom)) continue
      best = queue
      most = priority
    }
    return best
  }

  #drainLines(): Entry[] {
    return [...this.#lines].flatMap(([line, entries]) => {
      for (let left = entries.length; left > 0; left--) line.lined(-1)
      return entries.drain(isQueued)
    })
  }
}

/** Whether a run that a queue names waits there still. */
export function isQueued({ stage }: Entry): boolean {
  return stage === 'ready' || stage === 'aside'
}
