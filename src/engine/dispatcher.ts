import type { EventRecord } from '../event/event.ts'
import { type HandlerRecord, handlerOfTag, handlersOf, type Registry } from '../event/handler-record.ts'
import { type RunState, runId } from '../event/run.ts'
import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type {
  DuePage,
  DuePlace,
  Grant,
  InterventionRecord,
  NodeBeat,
  Owned,
  OwnedCursor,
  RunRecord,
  Settings,
  Store,
  TailPage,
} from '../store/store.ts'
import type { LiveAttempt } from './attempt.ts'
import type { Outcome } from './decide.ts'
import { OrderQueues } from './order-queues.ts'
import { Rest } from './rest.ts'

/** A run in its owner's memory. */
export interface Entry {
  readonly id: string
  readonly position: number
  /** In its order key. */
  readonly place: number
  readonly tag: string
  readonly owned: Owned
  source: string
  /** Absent where the run cannot begin now: it stands, waits behind its order key's head, or is paused. */
  event: EventRecord | undefined
  record: RunRecord
  /** (handler, order key) of an ordered run. */
  readonly orderName: string | undefined
  /** Found unfinished after an ungraceful loss: from when it may have been executing elsewhere. */
  readonly mayHaveBegunAt: Instant | undefined
  /** `aside`: ready, but behind the head of its order key, or paused. `moving`: an intervention has it in hand. */
  stage: 'ready' | 'aside' | 'moving' | 'running' | 'standing'
  /** An attempt of it was begun: no other run of its order key goes before it. */
  begun: boolean
  /** While it runs. */
  attempt: LiveAttempt | undefined
  /** A cancel that came before its attempt had begun. */
  cancelled: Outcome | undefined
}

/** When a due run could not be taken yet, it is asked for again after this. */
const dueAgainMs = 50

/** How often due runs are read from the oldest on: what is in memory is passed over meanwhile. */
const dueRereadMs = 30_000

/** What is known of one owned pair. */
interface Pair {
  readonly grant: Grant
  readonly grantedAt: Instant
  /** After a lapsed lease: how many more unfinished runs the owner before may have been executing. */
  suspectsLeft: number
  cursor: number | undefined
  /** Up to where interventions were given. */
  asked: number | undefined
  more: boolean
  /** From here on there were runs that wait and found no room: they are read again once there is some. */
  letGoFrom: number | undefined
  /** Those are being read again. */
  all: boolean
  readonly entries: Map<string, Entry>
  /** Runs that ended and that a page read before may still name; dropped when the cursor has passed them. */
  readonly finished: Map<string, number>
  /** Accepts under way that will be handed over, each with the cursor before which it cannot lie. */
  readonly expected: Set<{ readonly after: number }>
  /** Its ready runs were left to the next owner: nothing is begun here any more, and nothing said of how far it came. */
  handedBack: boolean
  closing: (() => void) | undefined
}

/** An accept under way whose event its node will hand over. */
export interface HandOver {
  /** The event, after its commit; with its runs as the store has them, where that was a while ago. */
  take(event: EventRecord, records?: readonly RunRecord[]): void
  /** There is none: it was a duplicate, or was never sent. */
  forgo(): void
}

/** How many runs a node knows of at once; deeper backlog stays in the store. */
export interface RunsInMemory {
  /** Ready or running. */
  readonly held: number
  /** Waiting behind their order key's head, or paused. */
  readonly aside: number
  /** Of one order key, however many wait in all. */
  readonly perKey: number
  /** Events of one page. */
  readonly page: number
}

/** What the dispatcher asks of its engine. */
export interface DispatcherHost {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly group: string
  readonly concurrency: number
  readonly bounds: RunsInMemory
  registry(): Registry
  /** Reads the registry again: an event names a version that this node has not seen. */
  refreshRegistry(): Promise<Registry>
  /** Whether the handler with this tag is ordered here. */
  orderOf(tag: string): 'block' | 'skip' | undefined
  now(): Instant
  holds(owned: Owned): boolean
  /** Runs an entry to its next settlement; never rejects. */
  run(entry: Entry): Promise<void>
  /** Judges an intervention; never rejects. */
  intervene(owned: Owned, intervention: InterventionRecord): Promise<void>
  leaseMs: number
  /** Whether a run lost its node before and must run alone. */
  isSuspect(entry: Entry): boolean
}

/**
 * Decides, in memory, which run of the owned pairs goes next: what was handed over, what `tail` and `due` bring, under
 * the node's slots, pauses and order keys. Writes nothing.
 */
export class Dispatcher {
  readonly #host: DispatcherHost
  readonly #pairs = new Map<number, Pair>()
  readonly #orders = new OrderQueues<Entry>()
  #ready: Entry[] = []
  #readyFrom = 0
  #suspects: Entry[] = []
  #paused: Entry[] = []
  #pausedNames: ReadonlySet<string> = new Set()
  #settingsVersion = -1
  #running = 0
  #alone = false
  #held = 0
  #aside = 0
  /** Order keys of which runs were let go: what comes later of them is, too. */
  readonly #letGoKeys = new Set<string>()
  /** Some of them may begin now, though there is not much room. */
  #letGoWanted = false
  #taking = true
  #tailing = false
  #tailAgain = false
  #pollMs: number = limits.pollMinMs
  #pollTimer: Timer | undefined
  readonly #rest: Rest
  #dueTimer: Timer | undefined
  /** When the timer looks, by the monotonic clock. */
  #dueLookAtMs = Number.POSITIVE_INFINITY
  /** The next that is known to be due. */
  #dueAt: Instant | undefined
  /** All that is due up to here is in memory, or paused. */
  #dueAfter: DuePlace | undefined
  #dueReadAt = 0
  #duing = false
  /** Runs that moved while a page of due runs was under way: what it says of them is old. */
  #movedSince: Set<string> | undefined
  /** Runs that an intervention is about to move. */
  readonly #moving = new Set<string>()
  #idle: (() => void)[] = []
  #stopped = false

  constructor(host: DispatcherHost) {
    this.#host = host
    this.#rest = new Rest(host.clock)
  }

  /** Runs that execute now. */
  get running(): number {
    return this.#running
  }

  /**
   * Whether an event of this shard may be handed over in memory: there is room, and no backlog waits in the store, which
   * would be overtaken, and whose cursor could not pass what was finished meanwhile.
   */
  takesHandOver(shard: number): boolean {
    return this.#taking && this.#held < this.#host.bounds.held && this.#pairs.get(shard)?.more === false
  }

  /** The entry of a run, where it is in memory. */
  entry(shard: number, id: string): Entry | undefined {
    return this.#pairs.get(shard)?.entries.get(id)
  }

  /** The head that a run waits behind. */
  headBefore(shard: number, id: string): string | undefined {
    const entry = this.entry(shard, id)
    const head = entry?.orderName === undefined ? undefined : this.#orders.head(entry.orderName)
    return head === entry ? undefined : head?.id
  }

  granted(grant: Grant): void {
    this.#pairs.set(grant.shard, {
      grant,
      grantedAt: this.#host.now(),
      suspectsLeft: grant.graceful ? 0 : this.#host.bounds.held,
      cursor: undefined,
      asked: undefined,
      more: true,
      letGoFrom: undefined,
      all: false,
      entries: new Map(),
      finished: new Map(),
      expected: new Set(),
      handedBack: false,
      closing: undefined,
    })
    this.wake()
    this.#readDueAnew()
  }

  lost(owned: Owned): void {
    const pair = this.#pairs.get(owned.shard)
    if (!pair || pair.grant.epoch !== owned.epoch) return
    this.#pairs.delete(owned.shard)
    for (const entry of [...pair.entries.values()]) {
      entry.attempt?.end('lost')
      this.#forget(pair, entry)
    }
    pair.closing?.()
  }

  /** Resolves when nothing of the pair executes any more; what is ready stays in the store for the next owner. */
  handBack(owned: Owned): Promise<void> {
    const pair = this.#pairs.get(owned.shard)
    if (!pair || pair.grant.epoch !== owned.epoch) return Promise.resolve()
    pair.handedBack = true
    for (const entry of [...pair.entries.values()]) {
      if (entry.stage === 'ready' || entry.stage === 'aside') this.#forget(pair, entry)
    }
    return new Promise((resolve) => {
      pair.closing = resolve
      this.#closeIfQuiet(pair)
    })
  }

  /** Below which position nothing of a pair is unfinished: its next owner begins to read there. */
  lowMarks(): NodeBeat['lowMarks'] {
    const marks: (Owned & { position: number })[] = []
    for (const { grant, cursor, entries, expected, letGoFrom, handedBack } of this.#pairs.values()) {
      // What was handed back is unfinished and no longer in memory: a mark past it lost those runs.
      if (cursor === undefined || handedBack) continue
      let position = Math.min(cursor + 1, letGoFrom ?? cursor + 1)
      for (const entry of entries.values()) {
        if (entry.stage !== 'standing' && entry.position < position) position = entry.position
      }
      for (const { after } of expected) if (after + 1 < position) position = after + 1
      marks.push({ group: grant.group, shard: grant.shard, epoch: grant.epoch, position })
    }
    return marks
  }

  /**
   * An accept of this node is about to be committed for hand-over: `tail` will leave it out, so that until it is answered
   * only the low mark tells the next owner of it.
   */
  expect(owned: Owned): HandOver {
    const pair = this.#pairs.get(owned.shard)
    const place = { after: pair?.cursor ?? 0 }
    this.#busy()
    if (pair?.grant.epoch === owned.epoch) pair.expected.add(place)
    return {
      forgo: () => pair?.expected.delete(place),
      take: (event, records = []) => {
        // A pair that was lost, and granted again, under the same epoch even, was read from its low mark: it has the event.
        if (!pair?.expected.has(place) || this.#pairs.get(owned.shard) !== pair) return
        if (pair.handedBack || !this.#taking) return
        pair.expected.delete(place)
        for (const handler of this.#handlersFor(event)) {
          const record = records.find(({ tag }) => tag === handler.tag)
          // A verb may have ended it before it was handed over.
          if (record?.state || pair.finished.has(`${event.key}-${handler.tag}`)) continue
          if (record) this.#add(pair, event, record, undefined)
          else this.#admitFresh(pair, event, handler, undefined)
        }
        this.pump()
      },
    }
  }

  /** Something may have come: looks at once. */
  wake(): void {
    this.#pollMs = limits.pollMinMs
    this.#rest.end()
    void this.#tail()
  }

  /** What a beat may look at in the stead of polls: undefined while there is something to do, or to be read on. */
  restingCursors(): readonly OwnedCursor[] | undefined {
    const pairs = [...this.#pairs.values()]
    const isBusy = !this.#taking || this.#tailing || this.#running > 0 || pairs.length === 0
    if (isBusy || !pairs.every(isReadThrough) || !this.#rest.ask()) return undefined
    return pairs.map(cursorOf)
  }

  /** A beat was answered, or lost: `quiet` where it found nothing at those cursors. */
  renewed(quiet: boolean): void {
    const rested = this.#rest.isOn
    this.#rest.told(quiet)
    if (this.#rest.isOn) this.#pollTimer?.cancel()
    else if (rested) this.wake()
    // The store's clock may have been set.
    if (this.#dueAt !== undefined && !this.#duing) this.#lookDueBy(this.#dueAt)
    this.pump()
  }

  /** A run will be due then. */
  noteDue(at: Instant): void {
    if (this.#dueAfter && at <= this.#dueAfter.dueAt) this.#dueAfter = undefined
    if (this.#dueAt !== undefined && this.#dueAt <= at) return
    this.#lookDueBy(at)
    this.#dueAt = at
  }

  settings(settings: Settings): void {
    // Two readings may come in another order than they were asked for.
    if (settings.version < this.#settingsVersion) return
    this.#settingsVersion = settings.version
    this.#pausedNames = new Set(settings.paused.map((pause) => `${pause.what}:${pause.name}`))
    const queued = [...this.#paused, ...this.#suspects, ...this.#ready.slice(this.#readyFrom)]
    this.#paused = []
    this.#suspects = []
    this.#ready = []
    this.#readyFrom = 0
    for (const entry of queued) if (this.#isQueued(entry)) this.#queue(entry)
    this.#letGoWanted = true
    this.#readDueAnew()
    this.pump()
  }

  /** Begins nothing new; what runs goes on. */
  takeNoMore(): void {
    this.#taking = false
    this.#pollTimer?.cancel()
    this.#dueTimer?.cancel()
  }

  /** Resolves when nothing executes. */
  quiet(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Ends the attempts that still run: they are handed back, at no cost of an attempt. */
  handBackAll(): void {
    for (const pair of this.#pairs.values()) {
      for (const entry of pair.entries.values()) entry.attempt?.end({ kind: 'handed_back' })
    }
  }

  /** Waits no longer for those that did not end then: what they were doing is in doubt. */
  abandonAll(): void {
    for (const pair of this.#pairs.values()) {
      for (const entry of pair.entries.values()) entry.attempt?.abandon()
    }
  }

  /** Whether a run of this shard executes. */
  executes(shard: number): boolean {
    for (const entry of this.#pairs.get(shard)?.entries.values() ?? []) if (entry.stage === 'running') return true
    return false
  }

  stop(): void {
    this.#stopped = true
    this.takeNoMore()
  }

  /** Loads a run that an intervention made ready, or that is due, into memory. */
  admit(owned: Owned, event: EventRecord, record: RunRecord, mayHaveBegunAt?: Instant): void {
    const pair = this.#pairs.get(owned.shard)
    if (!pair || pair.grant.epoch !== owned.epoch || pair.handedBack) return
    const id = runId(record)
    const known = pair.entries.get(id)
    if (known) {
      if (known.stage !== 'standing') return
      known.source = event.source
      known.event = event
      known.record = record
      this.#place(known, !known.orderName || this.#orders.head(known.orderName) === known)
      this.pump()
      return
    }
    this.#add(pair, event, record, mayHaveBegunAt)
    this.pump()
  }

  /** A run was settled: it leaves memory, stands, or goes again. Called by the runner with the state that is durable. */
  settled(entry: Entry, state: RunState): void {
    const pair = this.#pairs.get(entry.owned.shard)
    this.#movedSince?.add(entry.id)
    if (!pair || pair.entries.get(entry.id) !== entry) return
    if (state.dueAt !== undefined) this.noteDue(state.dueAt)
    const holds = entry.orderName !== undefined && this.#holdsKey(entry, state)
    if (holds) {
      this.#stage(entry, 'standing')
      entry.event = undefined
      entry.record = { ...entry.record, state, checkpoints: [], interventions: [] }
      return
    }
    this.#noteFinished(pair, entry)
    this.#forget(pair, entry)
  }

  /** A page that was read before may still name the run; once the cursor has passed it, none does. */
  #noteFinished(pair: Pair, { id, position }: Pick<Entry, 'id' | 'position'>): void {
    // The first look is enough for nearly all, and the second one walks.
    if (position > (pair.cursor ?? -1) || position > readTo(pair)) pair.finished.set(id, position)
  }

  /**
   * An intervention has the run in hand: until it is done the run is not begun, and no page that names it counts. Answers
   * how to say that it is done.
   */
  moves(owned: Owned, id: string): () => void {
    const entry = this.entry(owned.shard, id)
    if (entry && entry.stage !== 'standing') this.#stage(entry, 'moving')
    this.#moving.add(id)
    return () => {
      this.#moving.delete(id)
      this.#movedSince?.add(id)
      // It was not moved after all.
      const unmoved = this.entry(owned.shard, id)
      if (unmoved?.stage !== 'moving') return
      this.#place(unmoved, unmoved.orderName === undefined || this.#orders.head(unmoved.orderName) === unmoved)
      this.pump()
    }
  }

  /** An intervention moved a run: it ended, or `due` will bring it back. */
  moved(owned: Owned, record: RunRecord, state: RunState): void {
    const pair = this.#pairs.get(owned.shard)
    if (pair?.grant.epoch !== owned.epoch) return
    const entry = pair.entries.get(runId(record))
    if (!entry) this.#noteFinished(pair, { id: runId(record), position: record.position })
    else if (entry.stage === 'moving') this.settled(entry, state)
    else if (state.reason === 'released' || !this.#holdsKey(entry, state)) this.dropped(entry)
    else entry.record = { ...entry.record, state }
  }

  /** It was not settled, and its record was read anew: it begins again. */
  again(entry: Entry): void {
    const pair = this.#pairs.get(entry.owned.shard)
    if (pair?.entries.get(entry.id) !== entry) return
    this.#queue(entry)
  }

  /** The run is no longer for this node to move: it ended by another hand. */
  dropped(entry: Entry): void {
    this.#movedSince?.add(entry.id)
    const pair = this.#pairs.get(entry.owned.shard)
    if (pair?.entries.get(entry.id) === entry) this.#forget(pair, entry)
  }

  /** Starts runs while there are slots. */
  pump(): void {
    while (this.#taking && !this.#alone) {
      if (this.#suspects.length > 0) {
        if (this.#running > 0 || this.#waitsForBeat(this.#suspects[0])) return
        const suspect = this.#suspects.shift()
        if (suspect && this.#goes(suspect)) this.#launch(suspect, true)
        continue
      }
      if (this.#running >= this.#host.concurrency || this.#waitsForBeat(this.#ready[this.#readyFrom])) return
      const entry = this.#nextReady()
      if (!entry) return
      if (this.#goes(entry)) this.#launch(entry, false)
    }
  }

  #nextReady(): Entry | undefined {
    const entry = this.#ready[this.#readyFrom]
    if (!entry) {
      this.#ready = []
      this.#readyFrom = 0
      return undefined
    }
    this.#readyFrom++
    if (this.#readyFrom > 1_024) {
      this.#ready = this.#ready.slice(this.#readyFrom)
      this.#readyFrom = 0
    }
    return entry
  }

  /** The lease has run out and the node has not fenced itself: a beat that is answered late still renews it. */
  #waitsForBeat(entry: Entry | undefined): boolean {
    return entry !== undefined && this.#isQueued(entry) && !this.#host.holds(entry.owned)
  }

  /** An entry may have been forgotten, or lost its place, while it was queued. */
  #goes(entry: Entry): boolean {
    const isHead = entry.orderName === undefined || this.#orders.head(entry.orderName) === entry
    return entry.stage === 'ready' && isHead && this.#isQueued(entry)
  }

  #isQueued(entry: Entry): boolean {
    return (
      (entry.stage === 'ready' || entry.stage === 'aside') &&
      this.#pairs.get(entry.owned.shard)?.entries.get(entry.id) === entry
    )
  }

  #launch(entry: Entry, alone: boolean): void {
    this.#stage(entry, 'running')
    this.#busy()
    entry.begun = true
    this.#running++
    if (alone) this.#alone = true
    this.#host.run(entry).then(() => {
      this.#running--
      if (alone) this.#alone = false
      const pair = this.#pairs.get(entry.owned.shard)
      if (pair?.closing) this.#closeIfQuiet(pair)
      this.pump()
      if (this.#running === 0) {
        const idle = this.#idle
        this.#idle = []
        for (const resolve of idle) resolve()
      }
      if (this.#held < this.#host.bounds.held / 2 && this.#backlog()) void this.#tail()
    })
  }

  #backlog(): boolean {
    for (const pair of this.#pairs.values()) if (pair.more) return true
    return false
  }

  #closeIfQuiet(pair: Pair): void {
    for (const entry of pair.entries.values()) if (entry.stage === 'running') return
    const closing = pair.closing
    pair.closing = undefined
    closing?.()
  }

  #handlersFor(event: EventRecord): HandlerRecord[] {
    return handlersOf(this.#host.registry(), event).filter((handler) => handler.group === this.#host.group)
  }

  #admitFresh(pair: Pair, event: EventRecord, handler: HandlerRecord, mayHaveBegunAt: Instant | undefined): void {
    const record: RunRecord = {
      event: event.key,
      position: event.position,
      tag: handler.tag,
      state: undefined,
      checkpoints: [],
      begins: [],
      interventions: [],
      tried: [],
    }
    this.#add(pair, event, record, mayHaveBegunAt)
  }

  #add(pair: Pair, event: EventRecord, record: RunRecord, mayHaveBegunAt: Instant | undefined): void {
    const id = runId(record)
    if (pair.entries.has(id)) return
    const ordered = event.orderKey !== undefined && this.#host.orderOf(record.tag) !== undefined
    const name = ordered ? orderName(record.tag, event.tenant, event.orderKey ?? '') : undefined
    if (name !== undefined && this.#letGoKeys.has(name)) {
      this.#letGo(pair, event.position, name)
      return
    }
    const entry: Entry = {
      id,
      source: event.source,
      event,
      position: event.position,
      place: record.state?.place ?? event.position,
      tag: record.tag,
      owned: pair.grant,
      record,
      orderName: name,
      mayHaveBegunAt,
      stage: 'standing',
      begun: record.begins.length > 0 || (record.state?.attempt ?? 0) > 0,
      attempt: undefined,
      cancelled: undefined,
    }
    pair.entries.set(id, entry)
    const isHead = name === undefined || this.#orders.add(name, entry)
    if (this.#aside >= this.#host.bounds.aside && this.#mayLetGo(entry)) {
      this.#forget(pair, entry)
      this.#letGo(pair, event.position, name)
    } else if (this.#moving.has(id)) this.#stage(entry, 'moving')
    else this.#place(entry, isHead)
  }

  /** Of each key some stay, so that it is not read anew for every run of it. */
  #mayLetGo(entry: Entry): boolean {
    if (entry.orderName === undefined) return this.#isPaused(entry)
    return this.#orders.length(entry.orderName) > this.#host.bounds.perKey + 1
  }

  /** A run that waits finds no room: it stays in the store until there is some, and holds up nobody but its own key. */
  #letGo(pair: Pair, position: number, name: string | undefined): void {
    pair.letGoFrom = Math.min(position, pair.letGoFrom ?? position)
    if (name !== undefined) this.#letGoKeys.add(name)
  }

  /** There is room again for what was let go: it is read in its order, beside what is in memory. */
  #takeUpAgain(): void {
    const held = [...this.#pairs.values()]
    const pairs = held.filter(({ letGoFrom }) => letGoFrom !== undefined)
    // Begun anew before it is through, it would never come to what lies behind.
    if (pairs.length === 0 || held.some(({ all }) => all)) return
    this.#letGoWanted = false
    for (const pair of pairs) {
      const { letGoFrom = 0 } = pair
      pair.cursor = Math.min(letGoFrom - 1, pair.cursor ?? 0)
      pair.all = true
      pair.more = true
      pair.letGoFrom = undefined
    }
    this.#letGoKeys.clear()
    this.#readDueAnew()
  }

  /** A run that is ready: the head of its key is queued, another waits aside. */
  #place(entry: Entry, isHead: boolean): void {
    if (isHead) this.#queue(entry)
    else this.#putAside(entry)
  }

  #queue(entry: Entry): void {
    if (this.#isPaused(entry)) {
      this.#putAside(entry)
      this.#paused.push(entry)
      return
    }
    this.#stage(entry, 'ready')
    if (this.#host.isSuspect(entry)) this.#suspects.push(entry)
    else this.#ready.push(entry)
  }

  /** It cannot begin now: its event is read again when it can, so that a deep queue costs no bodies. */
  #putAside(entry: Entry): void {
    this.#stage(entry, 'aside')
    entry.event = undefined
  }

  #stage(entry: Entry, stage: Entry['stage'] | 'gone'): void {
    if (entry.stage === 'ready' || entry.stage === 'running') this.#held--
    else if (entry.stage === 'aside') this.#aside--
    if (stage === 'ready' || stage === 'running') this.#held++
    else if (stage === 'aside') this.#aside++
    if (stage !== 'gone') entry.stage = stage
  }

  #isPaused(entry: Entry): boolean {
    if (this.#pausedNames.size === 0) return false
    const { group } = this.#host
    const name = handlerOfTag(this.#host.registry(), entry.tag)?.name
    const names = [`handler:${name}`, `handler:${group}/${name}`, `source:${entry.source}`]
    return names.some((one) => this.#pausedNames.has(one))
  }

  #holdsKey(entry: Entry, state: RunState): boolean {
    if (state.status === 'completed' || state.status === 'cancelled') return false
    if (state.status === 'dead') return state.reason !== 'released' && this.#host.orderOf(entry.tag) === 'block'
    return true
  }

  #forget(pair: Pair, entry: Entry): void {
    if (!pair.entries.delete(entry.id)) return
    this.#stage(entry, 'gone')
    if (entry.orderName === undefined) return
    const next = this.#orders.remove(entry.orderName, entry)
    if (this.#letGoKeys.has(entry.orderName) && this.#orders.length(entry.orderName) === 0) {
      this.#letGoWanted = true
      this.wake()
    }
    if (next && next.stage !== 'standing' && next.stage !== 'moving') this.#queue(next)
  }

  async #tail(): Promise<void> {
    if (this.#stopped) return
    if (this.#tailing) {
      this.#tailAgain = true
      return
    }
    this.#tailing = true
    this.#pollTimer?.cancel()
    try {
      do {
        this.#tailAgain = false
        await this.#tailOnce()
      } while (this.#tailAgain && !this.#stopped)
    } catch (error) {
      this.#host.log.warn('tail failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      this.#tailing = false
      this.#armPoll()
    }
  }

  #armPoll(): void {
    this.#pollTimer?.cancel()
    if (this.#stopped || !this.#taking || this.#rest.isOn) return
    this.#pollTimer = this.#host.clock.setTimer(this.#pollMs, () => void this.#tail(), { unref: true })
    this.#pollMs = Math.min(limits.pollMaxMs, this.#pollMs * 2)
  }

  /** There is work: polls go on. */
  #busy(): void {
    const rested = this.#rest.isOn
    this.#rest.busy()
    if (rested) this.#armPoll()
  }

  async #tailOnce(): Promise<void> {
    if (this.#letGoWanted || this.#aside < this.#host.bounds.aside / 2) this.#takeUpAgain()
    const pairs = [...this.#pairs.values()]
    const handedBack = pairs.filter((pair) => pair.handedBack).map(cursorOf)
    const cursors = pairs.filter((pair) => !pair.handedBack).map(cursorOf)
    // What still runs there can be cancelled and takes signals; nothing of it is begun.
    if (handedBack.length > 0) {
      for (const page of await this.#host.store.tail({ cursors: handedBack, limit: 0 })) this.#takeAsked(page)
    }
    if (cursors.length === 0) return
    const limit = Math.max(0, Math.min(this.#host.bounds.page, this.#host.bounds.held - this.#held))
    const pages = await this.#host.store.tail({ cursors, limit })
    const seenVersion = this.#host.registry().version
    // A handler that came with the last deploy: without it the event would be passed by, with no run at all.
    if (pages.some(({ events }) => events.some(({ event }) => event.registryVersion > seenVersion))) {
      await this.#host.refreshRegistry()
    }
    for (const page of pages) this.#take(page)
    this.pump()
    if (this.#held < this.#host.bounds.held && this.#backlog()) this.#tailAgain = true
  }

  #take(page: TailPage): void {
    const pair = this.#pairs.get(page.shard)
    if (!pair || pair.grant.epoch !== page.epoch) return
    if (page.stale) {
      this.lost(pair.grant)
      return
    }
    // It was asked for before the hand-back began.
    if (pair.handedBack) return
    for (const standing of page.standing) this.#addStanding(pair, standing)
    for (const { event, runs } of page.events) {
      for (const handler of this.#handlersFor(event)) {
        const record = runs.find((run) => run.tag === handler.tag)
        if (pair.finished.has(`${event.key}-${handler.tag}`)) continue
        if (record?.state) continue // It stands or has ended: `due`, a signal or a person brings it back.
        const mayHaveBegunAt = this.#mayHaveBegunAt(pair, event.acceptedAt)
        if (record) this.#add(pair, event, record, mayHaveBegunAt)
        else this.#admitFresh(pair, event, handler, mayHaveBegunAt)
        const isAside = pair.entries.get(`${event.key}-${handler.tag}`)?.stage === 'aside'
        if (mayHaveBegunAt !== undefined && !isAside) pair.suspectsLeft--
      }
    }
    if (page.events.length > 0) this.#busy()
    pair.cursor = page.cursor
    pair.more = page.more
    if (!page.more) pair.all = false
    const upTo = readTo(pair)
    for (const [id, position] of pair.finished) if (position <= upTo) pair.finished.delete(id)
    this.#takeAsked(page)
  }

  #takeAsked(page: TailPage): void {
    const pair = this.#pairs.get(page.shard)
    if (!pair || page.stale || pair.grant.epoch !== page.epoch) return
    if (page.interventions.length > 0) this.#busy()
    pair.asked = page.asked
    for (const intervention of page.interventions) void this.#host.intervene(pair.grant, intervention)
  }

  /**
   * Since when a run may have been executing at the owner before, which was lost. That one held at most `runsHeld` runs
   * that could execute, and began them in their order.
   *
   * @param since from when the run could begin.
   */
  #mayHaveBegunAt(pair: Pair, since: Instant): Instant | undefined {
    if (pair.suspectsLeft <= 0 || since > pair.grantedAt) return undefined
    return pair.grantedAt - this.#host.leaseMs
  }

  #addStanding(pair: Pair, standing: TailPage['standing'][number]): void {
    const id = runId(standing)
    const record: RunRecord = { ...standing, checkpoints: [], begins: [], interventions: [], tried: [] }
    const order = this.#host.orderOf(standing.tag)
    // `due` may have brought it first, and it has ended: the page was read before that.
    if (order === undefined || pair.entries.has(id) || pair.finished.has(id)) return
    const name = orderName(standing.tag, standing.tenant, standing.orderKey)
    const entry: Entry = {
      id,
      source: '',
      event: undefined,
      position: standing.position,
      place: standing.state.place ?? standing.position,
      tag: standing.tag,
      owned: pair.grant,
      record,
      orderName: name,
      mayHaveBegunAt: undefined,
      stage: 'standing',
      begun: standing.begun,
      attempt: undefined,
      cancelled: undefined,
    }
    if (!this.#holdsKey(entry, standing.state)) return
    pair.entries.set(id, entry)
    this.#orders.add(name, entry)
  }

  #lookDue(delayMs: number): void {
    if (!this.#taking) return
    this.#dueTimer?.cancel()
    const inMs = Math.min(delayMs, limits.dueLookMs)
    this.#dueLookAtMs = this.#host.clock.monotonicMs() + inMs
    this.#dueTimer = this.#host.clock.setTimer(inMs, () => void this.#due(), { unref: true })
  }

  /** Looks then, if it would not look before. */
  #lookDueBy(at: Instant): void {
    const inMs = Math.max(0, at - this.#host.now())
    if (this.#host.clock.monotonicMs() + inMs < this.#dueLookAtMs) this.#lookDue(inMs)
  }

  async #due(): Promise<void> {
    if (this.#duing || this.#stopped) return
    this.#duing = true
    this.#dueAt = undefined
    let nextMs: number = limits.pollMaxMs
    const moved = new Set(this.#moving)
    this.#movedSince = moved
    try {
      const owned = [...this.#pairs.values()].filter((pair) => !pair.handedBack).map((pair) => pair.grant)
      const room = Math.min(this.#host.bounds.page, this.#host.bounds.held - this.#held)
      if (owned.length > 0 && room > 0) {
        if (this.#host.now() - this.#dueReadAt >= dueRereadMs) this.#dueAfter = undefined
        if (this.#dueAfter === undefined) this.#dueReadAt = this.#host.now()
        const after = this.#dueAfter
        const page = await this.#host.store.due(owned, this.#host.now(), room, after)
        this.#movedSince = undefined
        const untaken = page.runs.filter((due) => !this.#takeDue(due, moved))
        const last = page.runs.at(-1)?.run
        // Unless all was to be read anew meanwhile.
        if (last && untaken.length === 0 && this.#dueAfter === after) {
          this.#dueAfter = { dueAt: last.state?.dueAt ?? 0, position: last.position, tag: last.tag }
        }
        if (untaken.length > 0) nextMs = dueAgainMs
        else if (page.runs.length === room) nextMs = 0
        else {
          nextMs = limits.dueLookMs
          if (page.nextDueAt !== undefined) this.#dueAt = Math.min(page.nextDueAt, this.#dueAt ?? page.nextDueAt)
        }
      }
    } catch (error) {
      this.#host.log.warn('due failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      this.#duing = false
      this.#movedSince = undefined
      const noted = this.#dueAt === undefined ? nextMs : Math.max(0, Math.min(nextMs, this.#dueAt - this.#host.now()))
      this.#lookDue(noted)
    }
  }

  /** Answers whether it is in memory now, or will be read anew when it can be. */
  #takeDue({ event, run, owned }: DuePage['runs'][number], moved: ReadonlySet<string>): boolean {
    const id = runId(run)
    const pair = this.#pairs.get(owned.shard)
    // Before the first page of a pair it is not known who holds its order keys.
    if (pair?.cursor === undefined || moved.has(id) || this.#moving.has(id)) return false
    this.admit(owned, event, run, this.#mayHaveBegunAt(pair, run.state?.dueAt ?? Number.POSITIVE_INFINITY))
    return true
  }

  #readDueAnew(): void {
    this.#dueAfter = undefined
    this.#lookDue(0)
  }
}

/** Up to here nothing of the pair will be named again, neither by a page nor by a late hand-over. */
function readTo({ cursor, expected }: Pair): number {
  let position = cursor ?? -1
  for (const { after } of expected) position = Math.min(position, after)
  return position
}

/** Whether all that is there of a pair is in memory, and stays this node's. */
function isReadThrough({ cursor, more, all, letGoFrom, handedBack }: Pair): boolean {
  return cursor !== undefined && !more && !all && letGoFrom === undefined && !handedBack
}

/** Where a pair's next page begins. */
function cursorOf({ grant: { group, shard, epoch }, cursor, asked, all }: Pair): OwnedCursor {
  return {
    group,
    shard,
    epoch,
    ...(cursor === undefined ? {} : { cursor }),
    ...(asked === undefined ? {} : { asked }),
    ...(all && { all }),
  }
}

function orderName(tag: string, tenant: string, orderKey: string): string {
  return `${tag}\n${tenant.length}:${tenant}${orderKey}`
}
