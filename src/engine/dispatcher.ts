import type { Registry } from '../event/handler-record.ts'
import { type RunState, runId } from '../event/run.ts'
import type { Line } from '../flow/line.ts'
import type { Clock, Instant } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type {
  Grant,
  InterventionRecord,
  NodeBeat,
  Owned,
  OwnedCursor,
  RunRecord,
  Settings,
  Store,
} from '../store/store.ts'
import { Admission, type HandOver } from './admission.ts'
import type { HeldRun } from './api.ts'
import type { BurstPlaces } from './burst-places.ts'
import { Bursts } from './bursts.ts'
import { DueReader } from './due-reader.ts'
import type { Entry } from './entry.ts'
import type { HandlerRules } from './handler-rules.ts'
import { KeySlots } from './key-slots.ts'
import { Pauses } from './pauses.ts'
import { isQueued, ReadyQueue } from './ready-queue.ts'
import { Room, type RunsInMemory } from './room.ts'
import { RunMemory } from './run-memory.ts'
import { TailReader } from './tail-reader.ts'

/** What the dispatcher asks of its engine. */
export interface DispatcherHost extends HandlerRules {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly group: string
  readonly concurrency: number
  readonly bounds: RunsInMemory
  readonly leaseMs: number
  registry(): Registry
  /** Reads the registry again: an event names a version that this node has not seen. */
  refreshRegistry(): Promise<Registry>
  now(): Instant
  holds(owned: Owned): boolean
  /** Runs an entry to its next settlement; never rejects. */
  run(entry: Entry): Promise<void>
  /** What {@link run} was called for executes no more. */
  ended(entry: Entry): void
  /** Judges an intervention; never rejects. */
  intervene(owned: Owned, intervention: InterventionRecord): Promise<void>
  /** Whether a run lost its node before and must run alone. */
  isSuspect(entry: Entry): boolean
  /** The dependencies that runs of the handler with this tag use. */
  usesOf(tag: string): readonly string[]
  /** Whether no handler of this node has runs that wait in no line. */
  isAllInLines(): boolean
  /** The line of what a run uses; undefined: nothing that has limits. */
  lineOf(entry: Entry): Line | undefined
  /** Which burst a run is of. */
  readonly burstPlaces: Pick<BurstPlaces, 'mayBe' | 'of'>
}

/**
 * Decides, in memory, which run of the owned pairs goes next, under the node's slots, pauses and order keys; what is there
 * to choose from its readers bring. Writes nothing.
 */
export class Dispatcher {
  readonly #host: DispatcherHost
  readonly #room: Room
  readonly #pauses: Pauses
  readonly #ready: ReadyQueue
  readonly #keys: KeySlots
  readonly #bursts: Bursts
  readonly #memory: RunMemory
  readonly #admission: Admission
  readonly #tail: TailReader
  readonly #due: DueReader
  #running = 0
  /** Runs that are being settled as overtaken: they take no slots. */
  #overtaken = 0
  /** Of those, runs that use dependencies. */
  #runningInLines = 0
  /** A suspect runs: nothing goes beside it. */
  #isAlone = false
  #isTaking = true
  readonly #idle: (() => void)[] = []

  constructor(host: DispatcherHost) {
    this.#host = host
    const room = new Room(host.bounds)
    const pauses = new Pauses(host.group, host.registry, host.usesOf)
    const wake = () => this.#tail.wake()
    const ready = new ReadyQueue({
      room,
      pauses,
      isSuspect: host.isSuspect,
      lineOf: host.lineOf,
      wake,
    })
    const { perKeyOf } = host
    const keys = new KeySlots({ room, perKeyOf, wake, put: (entry) => ready.put(entry) })
    const bursts = new Bursts({
      clock: host.clock,
      room,
      now: host.now,
      pairs: () => this.#memory.pairs,
      overtake: (entry) => this.#overtake(entry),
      release: (entry) => {
        this.#memory.release(entry)
        this.pump()
      },
      wake,
    })
    const memory = new RunMemory({ ...host, room, ready, keys, bursts, wake })
    const parts = { ...host, room, memory, pump: () => this.pump() }
    const admission = new Admission({
      ...parts,
      isTaking: () => this.#isTaking,
      busy: () => this.#tail.busy(),
    })
    this.#room = room
    this.#pauses = pauses
    this.#ready = ready
    this.#keys = keys
    this.#bursts = bursts
    this.#memory = memory
    this.#admission = admission
    this.#due = new DueReader({ ...parts, admission })
    this.#tail = new TailReader({
      ...parts,
      admission,
      isRunning: () => this.#running > 0,
      takenUpAgain: () => this.#due.readAnew(),
      took: () => {
        this.#bursts.closeOverdue()
        this.pump()
      },
    })
  }

  /** Starts runs while there are slots. */
  pump(): void {
    while (this.#isTaking && !this.#isAlone) {
      const entry = this.#ready.first(this.#runningInLines < this.#slotsOfLines)
      if (!entry) return
      // A suspect neither goes beside others, nor others beside it.
      const alone = this.#ready.isAlone(entry)
      const slots = alone ? 1 : this.#host.concurrency
      if (this.#running >= slots || this.#waitsForBeat(entry)) return
      if (this.#goes(entry) && this.#keys.enter(entry)) {
        this.#ready.shift()
        this.#launch(entry, alone)
      } else this.#ready.skip()
    }
  }

  /** However slow what they use is, runs that use nothing go on. */
  get #slotsOfLines(): number {
    const { concurrency, isAllInLines } = this.#host
    return isAllInLines() ? concurrency : Math.max(1, concurrency - Math.ceil(concurrency * limits.slotsKept))
  }

  /** The lease has run out and the node has not fenced itself: a beat that is answered late still renews it. */
  #waitsForBeat(entry: Entry): boolean {
    return isQueued(entry) && !this.#host.holds(entry.owned)
  }

  /** An entry may have left memory, or lost its place, while it was queued. */
  #goes(entry: Entry): boolean {
    return this.#ready.goes(entry) && this.#memory.isHead(entry)
  }

  #launch(entry: Entry, alone: boolean): void {
    this.#room.stage(entry, 'running')
    this.#tail.busy()
    entry.begun = true
    this.#running++
    if (alone) this.#isAlone = true
    const turn = this.#ready.begin(entry)
    entry.turn = turn
    if (turn) this.#runningInLines++
    this.#host.run(entry).then(() => {
      this.#host.ended(entry)
      this.#running--
      if (turn) this.#runningInLines--
      turn?.end()
      this.#keys.leave(entry)
      if (alone) this.#isAlone = false
      this.#memory.pairAt(entry.owned.shard)?.tellIfQuiet()
      this.pump()
      this.#tellIfIdle()
      if (this.#room.isHalfFree && this.#memory.hasBacklog) void this.#tail.read()
    })
  }

  /** Settles a run that a later one of its burst overtook. */
  async #overtake(entry: Entry): Promise<void> {
    this.#room.stage(entry, 'running')
    this.#tail.busy()
    this.#overtaken++
    await this.#host.run(entry)
    this.#host.ended(entry)
    this.#overtaken--
    this.#memory.pairAt(entry.owned.shard)?.tellIfQuiet()
    this.#tellIfIdle()
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.#overtaken === 0
  }

  #tellIfIdle(): void {
    if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** A run was settled: it leaves memory, stands, or goes again. Called by the runner with the state that is durable. */
  settled(entry: Entry, state: RunState): void {
    this.#due.noteMoved(entry.id)
    if (entry.stage === 'gone') return
    if (state.dueAt !== undefined) this.#due.noteDue(state.dueAt)
    this.#memory.settle(entry, state)
  }

  /** It was not settled, and its record was read anew: it begins again. */
  again(entry: Entry): void {
    if (entry.stage !== 'gone') this.#ready.put(entry)
  }

  /** The run is no longer for this node to move: it ended by another hand. */
  dropped(entry: Entry): void {
    this.#due.noteMoved(entry.id)
    this.#memory.drop(entry)
  }

  /**
   * An intervention has the run in hand: until it is done the run is not begun, and no page that names it counts. Answers
   * how to say that it is done.
   */
  moves(owned: Owned, id: string): () => void {
    this.#memory.beginMove(owned.shard, id)
    return () => {
      this.#due.noteMoved(id)
      if (this.#memory.endMove(owned.shard, id)) this.pump()
    }
  }

  /** An intervention moved a run: it ended, or `due` will bring it back. */
  moved(owned: Owned, record: RunRecord, state: RunState): void {
    this.#due.noteMoved(runId(record))
    if (state.dueAt !== undefined) this.#due.noteDue(state.dueAt)
    this.#memory.moved(owned, record, state)
  }

  /** What runs use has more room, or less. */
  lineChanged(): void {
    this.pump()
  }

  /** Pauses were read. */
  settings(settings: Settings): void {
    if (!this.#pauses.learn(settings)) return
    this.#ready.putAnew()
    this.#room.want()
    this.#due.readAnew()
    this.pump()
  }

  granted(grant: Grant): void {
    this.#memory.grant(grant, this.#host.now())
    this.#tail.wake()
    this.#due.readAnew()
  }

  lost(owned: Owned): void {
    this.#memory.lose(owned)
  }

  /** Resolves when nothing of the pair executes any more; what is ready stays in the store for the next owner. */
  handBack(owned: Owned): Promise<void> {
    return this.#memory.handBack(owned)
  }

  /** Below which position nothing of a pair is unfinished: its next owner begins to read there. */
  lowMarks(): NodeBeat['lowMarks'] {
    return this.#memory.lowMarks
  }

  /**
   * Whether an event of this shard may be handed over in memory: there is room, and no backlog waits in the store, which
   * would be overtaken, and whose cursor could not pass what was finished meanwhile.
   */
  takesHandOver(shard: number): boolean {
    return this.#isTaking && this.#room.isFree && this.#memory.pairAt(shard)?.more === false
  }

  /** An accept of this node is about to be committed for hand-over. */
  expect(owned: Owned): HandOver {
    return this.#admission.expect(owned)
  }

  /** Something may have come: looks at once. */
  wake(): void {
    this.#tail.wake()
  }

  /** What a beat may look at in the stead of polls: undefined while there is something to do, or to be read on. */
  restingCursors(): readonly OwnedCursor[] | undefined {
    return this.#tail.restingCursors()
  }

  /** A beat was answered, or lost: `quiet` where it found nothing at those cursors. */
  beaten(quiet: boolean): void {
    this.#tail.renewed(quiet)
    this.#due.timeLearned()
    this.#ready.expire(this.#host.now())
    this.#bursts.closeOverdue()
    this.pump()
  }

  /** The entry of a run, where it is in memory. */
  entry(shard: number, id: string): Entry | undefined {
    return this.#memory.entry(shard, id)
  }

  /** What a run in memory waits for: its burst, or the head of its order key. */
  heldBy(shard: number, id: string): HeldRun | undefined {
    const entry = this.#memory.entry(shard, id)
    if (!entry) return undefined
    const latest = this.#bursts.latestBeside(entry)
    if (latest) return { reason: 'coalescing', by: latest.id }
    const head = this.#memory.headBefore(entry)
    return head && { reason: 'behind', by: head.id }
  }

  /** Whether a run of this shard executes. */
  executes(shard: number): boolean {
    return this.#memory.pairAt(shard)?.executes ?? false
  }

  /** Begins nothing new; what runs goes on. */
  takeNoMore(): void {
    this.#isTaking = false
    this.#bursts.stop()
    this.#tail.pollNoMore()
    this.#due.lookNoMore()
  }

  /** Resolves when nothing executes. */
  quiet(): Promise<void> {
    if (this.#isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Ends the attempts that still run: they are handed back, at no cost of an attempt. */
  handBackAll(): void {
    for (const { attempt } of this.#memory.entries()) attempt?.end({ kind: 'handed_back' })
  }

  /** Waits no longer for those that did not end then: what they were doing is in doubt. */
  abandonAll(): void {
    for (const { attempt } of this.#memory.entries()) attempt?.abandon()
  }

  stop(): void {
    this.takeNoMore()
    this.#tail.stop()
    this.#due.stop()
  }
}
