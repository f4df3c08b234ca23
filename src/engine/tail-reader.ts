import type { Registry } from '../event/handler-record.ts'
import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { OwnedCursor, Store, TailPage } from '../store/store.ts'
import type { Admission } from './admission.ts'
import { Rest } from './rest.ts'
import type { Room } from './room.ts'
import type { RunMemory } from './run-memory.ts'

/** What reading by `tail` needs of its node. */
export interface TailReaderHost {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly memory: RunMemory
  readonly room: Room
  readonly admission: Pick<Admission, 'takePage' | 'takeAsked'>
  registry(): Registry
  /** Reads the registry again: an event names a version that this node has not seen. */
  refreshRegistry(): Promise<Registry>
  /** Whether a run executes. */
  isRunning(): boolean
  /** What was let go is read again from here on: what is due, too. */
  takenUpAgain(): void
  /** What came is in memory: it is started. */
  took(): void
  now(): Instant
}

/** Reads what comes to the owned pairs: when something may have come, else by polls, ever fewer while nothing does. */
export class TailReader {
  readonly #host: TailReaderHost
  readonly #rest: Rest
  #pollMs: number = limits.pollMinMs
  #pollTimer: Timer | undefined
  #isReading = false
  #isAskedAgain = false
  #polls = true
  #stopped = false

  constructor(host: TailReaderHost) {
    this.#host = host
    this.#rest = new Rest(host.clock)
  }

  /** Something may have come: looks at once. */
  wake(): void {
    this.#pollMs = limits.pollMinMs
    this.#rest.end()
    void this.read()
  }

  /** There is work: polls go on. */
  busy(): void {
    const rested = this.#rest.isOn
    this.#rest.busy()
    if (rested) this.#armPoll()
  }

  /** What a beat may look at in the stead of polls: undefined while there is something to do, or to be read on. */
  restingCursors(): readonly OwnedCursor[] | undefined {
    const { pairs } = this.#host.memory
    const isBusy = !this.#polls || this.#isReading || this.#host.isRunning() || pairs.length === 0
    if (isBusy || !pairs.every(({ isReadThrough }) => isReadThrough) || !this.#rest.ask()) return undefined
    return pairs.map(({ next }) => next)
  }

  /** A beat was answered, or lost: `quiet` where it found nothing at those cursors. */
  renewed(quiet: boolean): void {
    const rested = this.#rest.isOn
    this.#rest.told(quiet)
    if (this.#rest.isOn) this.#pollTimer?.cancel()
    else if (rested) this.wake()
  }

  /** Polls no more; still looks when it is woken, for what is asked of runs that execute. */
  pollNoMore(): void {
    this.#polls = false
    this.#pollTimer?.cancel()
  }

  stop(): void {
    this.#stopped = true
    this.pollNoMore()
  }

  /** Reads until nothing more is there, or no room. */
  async read(): Promise<void> {
    if (this.#stopped) return
    if (this.#isReading) {
      this.#isAskedAgain = true
      return
    }
    this.#isReading = true
    this.#pollTimer?.cancel()
    try {
      do {
        this.#isAskedAgain = false
        await this.#readPages()
      } while (this.#isAskedAgain && !this.#stopped)
    } catch (error) {
      this.#host.log.warn('tail failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      this.#isReading = false
      this.#armPoll()
    }
  }

  #armPoll(): void {
    this.#pollTimer?.cancel()
    if (this.#stopped || !this.#polls || this.#rest.isOn) return
    this.#pollTimer = this.#host.clock.setTimer(this.#pollMs, () => void this.read(), { unref: true })
    this.#pollMs = Math.min(limits.pollMaxMs, this.#pollMs * 2)
  }

  async #readPages(): Promise<void> {
    const { memory, room, store, admission } = this.#host
    const { pairs } = memory
    if (room.takeUpAgain(pairs)) this.#host.takenUpAgain()
    const handedBack = pairs.filter(({ isHandedBack }) => isHandedBack).map(({ next }) => next)
    const cursors = pairs.filter(({ isHandedBack }) => !isHandedBack).map(({ next }) => next)
    // What still runs there can be cancelled and takes signals; nothing of it is begun.
    if (handedBack.length > 0) {
      for (const page of await store.tail({ cursors: handedBack, limit: 0 })) admission.takeAsked(page)
    }
    if (cursors.length === 0) return
    const askedAt = this.#host.now()
    const pages = await store.tail({ cursors, limit: room.page })
    if (this.#nameUnseen(pages)) await this.#host.refreshRegistry()
    for (const page of pages) admission.takePage(page, askedAt)
    this.#host.took()
    if (room.isFree && memory.hasBacklog) this.#isAskedAgain = true
  }

  /** A handler that came with the last deploy: without it the event would be passed by, with no run at all. */
  #nameUnseen(pages: readonly TailPage[]): boolean {
    const { version } = this.#host.registry()
    return pages.some(({ events }) => events.some(({ event }) => event.registryVersion > version))
  }
}
