import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { DuePage, DuePlace, Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import type { Room } from './room.ts'
import type { RunMemory } from './run-memory.ts'

/** When a due run could not be taken yet, it is asked for again after this. */
const dueAgainMs = 50

/** How often due runs are read from the oldest on: what is in memory is passed over meanwhile. */
const dueRereadMs = 30_000

/** What reading by `due` needs of its node. */
export interface DueReaderHost {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly memory: RunMemory
  readonly room: Room
  readonly admission: Pick<Admission, 'takeDue'>
  now(): Instant
}

/** A page that is under way. */
interface Asked {
  readonly page: Promise<DuePage>
  readonly limit: number
  readonly after: DuePlace | undefined
  readonly moved: ReadonlySet<string>
}

/** Reads the runs whose time has come: on time where it is known, and once in a while for what this node was not told of. */
export class DueReader {
  readonly #host: DueReaderHost
  #timer: Timer | undefined
  /** When the timer looks, by the monotonic clock. */
  #lookAtMs = Number.POSITIVE_INFINITY
  /** The next that is known to be due. */
  #dueAt: Instant | undefined
  /** All that is due up to here is in memory, or paused. */
  #after: DuePlace | undefined
  #readAnewAt = 0
  #isReading = false
  /** Runs that moved while a page was under way: what it says of them is old. */
  #movedSince: Set<string> | undefined
  #looks = true
  #stopped = false

  constructor(host: DueReaderHost) {
    this.#host = host
  }

  /** A run will be due then. */
  noteDue(at: Instant): void {
    if (this.#after && at <= this.#after.dueAt) this.#after = undefined
    if (this.#dueAt !== undefined && this.#dueAt <= at) return
    this.#lookBy(at)
    this.#dueAt = at
  }

  /** A run moved. */
  noteMoved(id: string): void {
    this.#movedSince?.add(id)
  }

  /** The store's clock was heard, and may have been set. */
  timeLearned(): void {
    if (this.#dueAt !== undefined && !this.#isReading) this.#lookBy(this.#dueAt)
  }

  /** Looks at once, from the oldest on. */
  readAnew(): void {
    this.#after = undefined
    this.#look(0)
  }

  lookNoMore(): void {
    this.#looks = false
    this.#timer?.cancel()
  }

  stop(): void {
    this.#stopped = true
    this.lookNoMore()
  }

  #look(delayMs: number): void {
    if (!this.#looks) return
    this.#timer?.cancel()
    const inMs = Math.min(delayMs, limits.dueLookMs)
    this.#lookAtMs = this.#host.clock.monotonicMs() + inMs
    this.#timer = this.#host.clock.setTimer(inMs, () => void this.#read(), { unref: true })
  }

  /** Looks then, if it would not look before. */
  #lookBy(at: Instant): void {
    const inMs = Math.max(0, at - this.#host.now())
    if (this.#host.clock.monotonicMs() + inMs < this.#lookAtMs) this.#look(inMs)
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#stopped) return
    this.#isReading = true
    this.#dueAt = undefined
    let nextMs: number = limits.pollMaxMs
    try {
      const asked = this.#ask()
      if (asked) nextMs = this.#take(await asked.page, asked)
    } catch (error) {
      this.#host.log.warn('due failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      this.#isReading = false
      this.#movedSince = undefined
      const noted = this.#dueAt === undefined ? nextMs : Math.max(0, Math.min(nextMs, this.#dueAt - this.#host.now()))
      this.#look(noted)
    }
  }

  #ask(): Asked | undefined {
    const { memory, room, store, now } = this.#host
    const moved = new Set(memory.moving)
    this.#movedSince = moved
    const owned = memory.pairs.filter(({ isHandedBack }) => !isHandedBack).map(({ grant }) => grant)
    const limit = room.page
    if (owned.length === 0 || limit === 0) return undefined
    if (now() - this.#readAnewAt >= dueRereadMs) this.#after = undefined
    if (this.#after === undefined) this.#readAnewAt = now()
    const after = this.#after
    return { page: store.due(owned, now(), limit, after), limit, after, moved }
  }

  /** Answers after how long to look again, if nothing is known to be due before. */
  #take({ runs, nextDueAt }: DuePage, { limit, after, moved }: Asked): number {
    this.#movedSince = undefined
    const untaken = runs.filter((due) => !this.#host.admission.takeDue(due, moved))
    const last = runs.at(-1)?.run
    // Unless all was to be read anew meanwhile.
    if (last && untaken.length === 0 && this.#after === after) {
      this.#after = { dueAt: last.state?.dueAt ?? 0, position: last.position, tag: last.tag }
    }
    if (untaken.length > 0) return dueAgainMs
    if (runs.length === limit) return 0
    if (nextDueAt !== undefined) this.#dueAt = Math.min(nextDueAt, this.#dueAt ?? nextDueAt)
    return limits.dueLookMs
  }
}
