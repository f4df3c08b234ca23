import type { EventRecord } from '../event/event.ts'
import { type RunState, runId } from '../event/run.ts'
import type { Instant } from '../kit/clock.ts'
import type { Grant, NodeBeat, Owned, RunRecord, StandingRun } from '../store/store.ts'
import type { BurstPlaces } from './burst-places.ts'
import { type Bursts, burstsName } from './bursts.ts'
import { type Entry, entryOf, standingEntry, standingRecord } from './entry.ts'
import type { HandlerRules } from './handler-rules.ts'
import type { KeySlots } from './key-slots.ts'
import { holdsKey, OrderQueues, orderName } from './order-queues.ts'
import { OwnedPair } from './owned-pair.ts'
import { isQueued, type ReadyQueue } from './ready-queue.ts'
import type { Room } from './room.ts'

/** What the memory of runs stands among. */
export interface RunMemoryHost extends Pick<HandlerRules, 'orderOf' | 'rankOf' | 'expiryOf'> {
  readonly room: Room
  readonly ready: ReadyQueue
  readonly keys: Pick<KeySlots, 'fullKey'>
  readonly bursts: Bursts
  /** Which burst a run is of. */
  readonly burstPlaces: Pick<BurstPlaces, 'mayBe' | 'of'>
  /** What was let go is wanted: it is to be read at once. */
  wake(): void
}

/**
 * The runs of the owned pairs in memory: each in its pair and its order key. The head of a key, and what has none, is given
 * to the queue of those that may go.
 */
export class RunMemory {
  readonly #host: RunMemoryHost
  readonly #pairs = new Map<number, OwnedPair>()
  readonly #orders = new OrderQueues<Entry>()
  /** Runs that an intervention has in hand. */
  readonly #moving = new Set<string>()

  constructor(host: RunMemoryHost) {
    this.#host = host
  }

  get pairs(): readonly OwnedPair[] {
    return [...this.#pairs.values()]
  }

  /** The pair of this shard, under whichever epoch. */
  pairAt(shard: number): OwnedPair | undefined {
    return this.#pairs.get(shard)
  }

  /** The pair under this very epoch. */
  pair({ shard, epoch }: Owned): OwnedPair | undefined {
    const pair = this.#pairs.get(shard)
    return pair?.grant.epoch === epoch ? pair : undefined
  }

  /** The entry of a run, where it is in memory. */
  entry(shard: number, id: string): Entry | undefined {
    return this.#pairs.get(shard)?.entries.get(id)
  }

  /** All that are in memory. */
  *entries(): Generator<Entry> {
    for (const pair of this.#pairs.values()) yield* pair.entries.values()
  }

  /** Whether no other run of its order key goes before it. */
  isHead(entry: Entry): boolean {
    return entry.orderName === undefined || this.#orders.head(entry.orderName) === entry
  }

  /** The head that a run waits behind. */
  headBefore(entry: Entry): Entry | undefined {
    const head = entry.orderName === undefined ? undefined : this.#orders.head(entry.orderName)
    return head === entry ? undefined : head
  }

  /** Whether the store has more than was read, of any pair. */
  get hasBacklog(): boolean {
    for (const pair of this.#pairs.values()) if (pair.more) return true
    return false
  }

  /** Below which position nothing of a pair is unfinished. */
  get lowMarks(): NodeBeat['lowMarks'] {
    return this.pairs.flatMap(({ lowMark }) => lowMark ?? [])
  }

  grant(grant: Grant, at: Instant): void {
    this.#pairs.set(grant.shard, new OwnedPair(grant, at, this.#host.room.bounds.held))
  }

  /** The pair is no longer this node's: its attempts end, unsettled. */
  lose(owned: Owned): void {
    const pair = this.pair(owned)
    if (!pair) return
    this.#pairs.delete(owned.shard)
    for (const entry of [...pair.entries.values()]) {
      entry.attempt?.end('lost')
      this.#forget(pair, entry)
    }
    pair.end()
  }

  /** Resolves when nothing of the pair executes any more; what is ready stays in the store for the next owner. */
  handBack(owned: Owned): Promise<void> {
    const pair = this.pair(owned)
    if (!pair) return Promise.resolve()
    pair.handBack()
    for (const entry of [...pair.entries.values()]) {
      if (entry.stage === 'ready' || entry.stage === 'aside') this.#forget(pair, entry)
    }
    return pair.quiet()
  }

  /**
   * A run that is ready, or will be: it is given its place, or let go.
   *
   * @param id the run's: one text for all who look for it, since each that is put together anew is hashed anew.
   */
  add(pair: OwnedPair, id: string, event: EventRecord, record: RunRecord, mayHaveBegunAt: Instant | undefined): void {
    if (pair.entries.has(id)) return
    const { room, orderOf } = this.#host
    const ordered = event.orderKey !== undefined && orderOf(record.tag) !== undefined
    const name = ordered ? orderName(record.tag, event.tenant, event.orderKey ?? '') : undefined
    const line = name ?? (this.#host.burstPlaces.mayBe(record) ? burstsName(record.tag) : undefined)
    if (line !== undefined && room.isLetGo(line)) {
      room.letGo(pair, event.position, line)
      return
    }
    const rank = this.#host.rankOf(event, record.tag)
    const entry = entryOf(pair.grant, id, event, record, name, mayHaveBegunAt, rank)
    entry.expiresAt = this.#host.expiryOf(event, record)
    entry.burst = line === undefined ? undefined : this.#host.burstPlaces.of(event, record)
    pair.entries.set(entry.id, entry)
    const isHead = name === undefined || this.#orders.add(name, entry)
    // The head goes at once, or has begun: behind it what was put there by a verb would go in its stead.
    const isFirst = name !== undefined && isHead
    if (room.isAsideFull && !isFirst && this.#mayLetGo(entry)) {
      this.#forget(pair, entry)
      const burst = entry.burst && line
      const { keys, ready } = this.#host
      room.letGo(pair, event.position, name ?? burst ?? keys.fullKey(entry) ?? ready.lineName(entry))
      return
    }
    const isMoving = this.#moving.has(entry.id)
    if (isMoving) room.stage(entry, 'moving')
    if (entry.burst) {
      // It does not go, and may be overtaken at once.
      if (!isMoving) room.stage(entry, 'aside')
      this.#host.bursts.join(entry)
    }
    if (!isMoving && entry.coalescedBy === undefined) this.#place(entry, isHead)
  }

  /** A run that stands, and may hold its order key. */
  addStanding(pair: OwnedPair, standing: StandingRun): void {
    const id = runId(standing)
    const onDead = this.#host.orderOf(standing.tag)
    // `due` may have brought it first, and it has ended: the page was read before that.
    if (onDead === undefined || pair.entries.has(id) || pair.hasFinished(id)) return
    if (!holdsKey(standing.state, onDead)) return
    const name = orderName(standing.tag, standing.tenant, standing.orderKey)
    const entry = standingEntry(pair.grant, standing, name)
    pair.entries.set(id, entry)
    this.#orders.add(name, entry)
  }

  /** Whether others of the key of a run were let go. */
  isLetGoBeside({ orderName }: Entry): boolean {
    return orderName !== undefined && this.#host.room.isLetGo(orderName)
  }

  /** A run that stood is ready again. */
  bringBack(entry: Entry, event: EventRecord, record: RunRecord): void {
    entry.source = event.source
    entry.event = event
    entry.record = record
    entry.rank = this.#host.rankOf(event, record.tag)
    entry.expiresAt = this.#host.expiryOf(event, record)
    this.#place(entry, this.isHead(entry))
  }

  /** It was settled so: it stands and holds its key, or leaves memory. */
  settle(entry: Entry, state: RunState): void {
    const pair = this.#pairOf(entry)
    if (!pair) return
    if (entry.orderName !== undefined && this.#holdsKey(entry, state)) {
      this.#host.room.stage(entry, 'standing')
      entry.record = standingRecord(entry.record, state)
      return
    }
    pair.noteFinished(entry)
    this.#forget(pair, entry)
  }

  /** It is no longer for this node to move: it ended by another hand. */
  drop(entry: Entry): void {
    const pair = this.#pairOf(entry)
    if (pair) this.#forget(pair, entry)
  }

  /** Runs that an intervention has in hand. */
  get moving(): ReadonlySet<string> {
    return this.#moving
  }

  /** An intervention has the run in hand: until it is done, the run is not begun. */
  beginMove(shard: number, id: string): void {
    const entry = this.entry(shard, id)
    if (entry && entry.stage !== 'standing') this.#host.room.stage(entry, 'moving')
    this.#moving.add(id)
  }

  /** The intervention is done with it. Answers whether it was not moved after all, and is back in its place. */
  endMove(shard: number, id: string): boolean {
    this.#moving.delete(id)
    const entry = this.entry(shard, id)
    if (entry?.stage !== 'moving') return false
    this.#place(entry, this.isHead(entry))
    return true
  }

  /** An intervention moved a run: it ended, or `due` will bring it back. */
  moved(owned: Owned, record: RunRecord, state: RunState): void {
    const pair = this.pair(owned)
    if (!pair) return
    const id = runId(record)
    const entry = pair.entries.get(id)
    if (!entry) pair.noteFinished({ id, position: record.position })
    else if (entry.stage === 'moving') this.settle(entry, state)
    else if (state.reason === 'released' || !this.#holdsKey(entry, state)) this.drop(entry)
    else entry.record = { ...entry.record, state }
  }

  #pairOf(entry: Entry): OwnedPair | undefined {
    return entry.stage === 'gone' ? undefined : this.#pairs.get(entry.owned.shard)
  }

  /** Its burst is over, and it is the latest of it. */
  release(entry: Entry): void {
    if (entry.stage === 'aside') this.#place(entry, this.isHead(entry))
  }

  /** A run that is ready: the head of its key may go, another waits aside, as does one whose burst is not over. */
  #place(entry: Entry, isHead: boolean): void {
    if (isHead && !this.#host.bursts.holds(entry)) this.#host.ready.put(entry)
    else this.#host.room.stage(entry, 'aside')
  }

  /** Of each key some stay, so that it is not read anew for every run of it. */
  #mayLetGo(entry: Entry): boolean {
    const { ready, keys, bursts } = this.#host
    if (entry.orderName === undefined)
      return entry.burst ? bursts.mayLetGo(entry) : ready.mayLetGo(entry) || keys.fullKey(entry) !== undefined
    return this.#orders.length(entry.orderName) > this.#host.room.bounds.perKey + 1
  }

  #holdsKey(entry: Entry, state: RunState): boolean {
    return holdsKey(state, this.#host.orderOf(entry.tag))
  }

  #forget(pair: OwnedPair, entry: Entry): void {
    const { room, wake } = this.#host
    if (!pair.entries.delete(entry.id)) return
    room.stage(entry, 'gone')
    this.#host.bursts.leave(entry)
    if (entry.orderName === undefined) return
    const next = this.#orders.remove(entry.orderName, entry)
    if (room.isLetGo(entry.orderName) && this.#orders.length(entry.orderName) === 0) {
      room.want()
      wake()
    }
    if (next && isQueued(next)) this.#place(next, true)
  }
}
