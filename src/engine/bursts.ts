import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Entry } from './entry.ts'
import type { OwnedPair } from './owned-pair.ts'
import type { Room } from './room.ts'

/** What keeping bursts needs of its node. */
export interface BurstsHost {
  readonly clock: Clock
  readonly room: Room
  now(): Instant
  pairs(): readonly OwnedPair[]
  /** Settles a run that a later one overtook: resolves when that is durable, or the run is no longer this node's. */
  overtake(entry: Entry): Promise<void>
  /** The latest of its burst: it may go. */
  release(entry: Entry): void
  /** What came to the store is to be read at once. */
  wake(): void
}

/** Runs of one name that were accepted within one window. */
interface Burst {
  readonly name: string
  readonly tag: string
  readonly openedAt: Instant
  readonly closesAt: Instant
  /** From here on it closes, whatever is still to be read. */
  readonly lateAt: Instant
  /** Those that nothing is decided of yet, in no order. */
  readonly waiting: Set<Entry>
  timer: Timer | undefined
}

/**
 * The bursts that wait for their window to be over: then the latest run of each goes, once it is durable that the others were
 * overtaken. In memory alone: the next owner forms them anew from the unfinished runs that the store has.
 */
export class Bursts {
  readonly #host: BurstsHost
  /** Those of one name, one window after the other. */
  readonly #bursts = new Map<string, Burst[]>()
  /** The runs that do not go yet. */
  readonly #held = new Map<Entry, Burst>()
  /** How many of a handler do not go yet. */
  readonly #counts = new Map<string, number>()
  /** Whose window is over, while what came within it is still to be read. */
  readonly #overdue = new Set<Burst>()
  #closes = true

  constructor(host: BurstsHost) {
    this.#host = host
  }

  /** Whether the run waits for its burst, or is being settled as one that was overtaken. */
  holds(entry: Entry): boolean {
    return this.#held.has(entry)
  }

  /** A run that has a burst and its place in memory: it does not go before its window is over. */
  join(entry: Entry): void {
    const burst = this.#find(entry) ?? this.#open(entry)
    if (!burst) return
    burst.waiting.add(entry)
    this.#held.set(entry, burst)
    this.#counts.set(entry.tag, this.#count(entry.tag) + 1)
    // The first stays: a next owner counts the window from it.
    if (burst.waiting.size <= (this.#host.room.isAsideFull ? 2 : limits.burstRuns)) return
    const last = latest(burst.waiting)
    // One that is being cancelled overtakes none.
    if (last.stage !== 'moving') this.#overtake(burst, [first(burst.waiting), last])
  }

  /** It left memory. */
  leave(entry: Entry): void {
    const burst = this.#held.get(entry)
    if (!burst) return
    this.#letGo(entry, burst)
    if (burst.waiting.size === 0) this.#forget(burst)
  }

  /** The latest so far of the burst that a run waits for. */
  latestBeside(entry: Entry): Entry | undefined {
    const burst = this.#held.get(entry)
    return burst?.waiting.has(entry) ? latest(burst.waiting) : undefined
  }

  /** Whether it may be let go where there is no room: of each handler some stay, and what only replaces another. */
  mayLetGo(entry: Entry): boolean {
    if (this.#count(entry.tag) <= this.#host.room.bounds.perKey) return false
    return (this.#find(entry)?.waiting.size ?? 0) < 2
  }

  /** Closes what waited for the store to be read, or for an intervention. */
  closeOverdue(): void {
    for (const burst of [...this.#overdue]) this.#close(burst)
  }

  /** Nothing goes any more: what waits is the next owner's. */
  stop(): void {
    this.#closes = false
    for (const bursts of this.#bursts.values()) for (const { timer } of bursts) timer?.cancel()
  }

  #find({ burst: place }: Entry): Burst | undefined {
    if (!place) return undefined
    const { name, acceptedAt, windowMs } = place
    // What another node accepted a little before the first may come a little after it.
    return this.#bursts.get(name)?.find(({ openedAt, closesAt }) => {
      return acceptedAt > openedAt - windowMs && acceptedAt < closesAt
    })
  }

  #open({ burst: place, tag }: Entry): Burst | undefined {
    if (!place) return undefined
    const { name, acceptedAt, windowMs } = place
    const closesAt = acceptedAt + windowMs
    const lateAt = Math.max(closesAt, this.#host.now()) + windowMs
    const burst: Burst = { name, tag, openedAt: acceptedAt, closesAt, lateAt, waiting: new Set(), timer: undefined }
    const others = this.#bursts.get(name)
    if (others) others.push(burst)
    else this.#bursts.set(name, [burst])
    this.#arm(burst, windowMs)
    return burst
  }

  /** However far off the clock that it counts by: it looks again after a window. */
  #arm(burst: Burst, windowMs: number): void {
    if (!this.#closes) return
    const inMs = Math.max(0, burst.closesAt - this.#host.now())
    const look = () => {
      burst.timer = undefined
      if (this.#host.now() < burst.closesAt) this.#arm(burst, windowMs)
      else if (!this.#close(burst)) {
        this.#overdue.add(burst)
        this.#host.wake()
      }
    }
    burst.timer = this.#host.clock.setTimer(Math.min(windowMs, inMs), look, { unref: true })
  }

  /** Closes it, its window being over, where nothing stands against it. Answers whether. */
  #close(burst: Burst): boolean {
    if (!this.#isRipe(burst)) return false
    const { waiting } = burst
    const last = latest(waiting)
    this.#forget(burst)
    const overtaken = this.#overtake(burst, [last])
    const release = () => {
      if (!waiting.has(last)) return
      this.#letGo(last, burst)
      this.#host.release(last)
    }
    // Before it goes: a crash between would leave an older one to go after it.
    if (overtaken.length === 0) release()
    else void Promise.all(overtaken).then(release)
    return true
  }

  #isRipe({ closesAt, lateAt, waiting }: Burst): boolean {
    if (!this.#closes) return false
    for (const { stage } of waiting) if (stage === 'moving') return false
    // What came within its window and is still to be read is of it.
    return (
      this.#host.now() >= lateAt || this.#host.pairs().every((pair) => pair.isHandedBack || pair.readUpTo >= closesAt)
    )
  }

  #overtake(burst: Burst, but: readonly Entry[]): Promise<void>[] {
    const by = latest(burst.waiting).id
    const overtaken = [...burst.waiting].filter((entry) => entry.stage === 'aside' && !but.includes(entry))
    return overtaken.map((entry) => {
      burst.waiting.delete(entry)
      entry.coalescedBy = by
      return this.#host.overtake(entry)
    })
  }

  #forget(burst: Burst): void {
    burst.timer?.cancel()
    this.#overdue.delete(burst)
    const others = this.#bursts.get(burst.name)?.filter((other) => other !== burst) ?? []
    if (others.length > 0) this.#bursts.set(burst.name, others)
    else this.#bursts.delete(burst.name)
  }

  #letGo(entry: Entry, burst: Burst): void {
    this.#held.delete(entry)
    burst.waiting.delete(entry)
    const left = this.#count(entry.tag) - 1
    if (left > 0) this.#counts.set(entry.tag, left)
    else this.#counts.delete(entry.tag)
    const { room, wake } = this.#host
    if (left > room.bounds.perKey / 2 || !room.isLetGo(burstsName(entry.tag))) return
    room.want()
    wake()
  }

  #count(tag: string): number {
    return this.#counts.get(tag) ?? 0
  }
}

/** Under which name runs of a handler that coalesces are let go: all that come after the first, so that none overtakes it. */
export function burstsName(tag: string): string {
  return `bursts ${tag}`
}

function latest(entries: ReadonlySet<Entry>): Entry {
  return pick(entries, (entry, other) => entry.position > other.position)
}

function first(entries: ReadonlySet<Entry>): Entry {
  return pick(entries, (entry, other) => entry.position < other.position)
}

function pick(entries: ReadonlySet<Entry>, isBetter: (entry: Entry, other: Entry) => boolean): Entry {
  return [...entries].reduce((best, entry) => (isBetter(entry, best) ? entry : best))
}
