import { HapaxError } from '../errors/hapax-error.ts'
import type { Registry } from '../event/handler-record.ts'
import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { LimitClaim, LimitShare } from '../store/shared-limits.ts'
import type {
  Grant,
  NodeBeat,
  Owned,
  OwnedCursor,
  Ownership as OwnershipAnswer,
  Released,
  Store,
} from '../store/store.ts'

/** What ownership tells the rest of the engine. */
export interface OwnershipListener {
  granted(grant: Grant): void
  /** The pair is no longer this node's: nothing of it may be settled. */
  lost(owned: Owned): void
  /** Others lack shards: finish or hand back what runs there; resolves when the pair may be released. */
  handBack(owned: Owned): Promise<void>
  /** Positions below which everything of a pair is finished or stands in a place of its own. */
  lowMarks(): NodeBeat['lowMarks']
  /** Both are told again with the next beat where they reject. */
  registryChanged(version: number): Promise<void>
  settingsChanged(version: number): Promise<void>
  /** What the beat is to look at in the stead of a poll; undefined: polls go on. */
  restingCursors(): readonly OwnedCursor[] | undefined
  /** A beat was answered, or failed: then it looked at nothing. `quiet`: nothing came to the cursors that it looked at. */
  beaten(quiet: boolean): void
  /** What this node uses of the limits that all share; undefined: of none. */
  claims(): readonly LimitClaim[] | undefined
  /** What the answer lent, until the lease ends. */
  lent(shares: readonly LimitShare[]): void
  /** The lease has run out: what was lent is others'. */
  lapsed(): void
}

/** So long after another node is lost the next beat takes over: a lease that ends at a moment has not run out in it. */
const afterLapseMs = 20

/** What a node is, for its store. */
export interface NodeOptions {
  /** Unique to this start of this process. */
  readonly node: string
  readonly group: string
  readonly leaseMs: number
  readonly beatMs: number
}

/**
 * Which (group, shard) pairs this node owns: a beat renews its lease for all of them. A node that could not renew in
 * time fences itself by the monotonic clock before others may take over (G6).
 */
export class Ownership {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #options: NodeOptions
  readonly #listener: OwnershipListener
  #handlers: readonly string[] = []
  #pairs = new Map<number, Grant>()
  #turnOrder: number[] = []
  #next = 0
  #picks = 0
  #releasing = new Map<number, Released>()
  /** When a pair was last given away for want of a handler: whoever has it may have gone. */
  readonly #givenAtMs = new Map<string, number>()
  #handingBack = new Set<number>()
  #deadlineMs = 0
  /** How often it has fenced itself: each time it is another node to the store. */
  #fenced = 0
  /** The store's clock less this machine's monotonic one, as the last beat told; undefined before the first. */
  #offsetMs: number | undefined
  /** When the first of the other nodes is lost, unless it is heard before. */
  #lapseMs = Number.POSITIVE_INFINITY
  #timer: Timer | undefined
  #fence: Timer | undefined
  #beating: Promise<void> | undefined
  #owns = false
  /** Whether it may be using what was lent to it. */
  #uses = false
  #registryVersion = 0
  #settingsVersion = -1
  /** How many beats were answered. */
  #renewals = 0

  constructor(store: Store, clock: Clock, log: Log, options: NodeOptions, listener: OwnershipListener) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#options = options
    this.#listener = listener
  }

  /** The store's clock, as the last beat told it and time went on: this machine's wall may jump meanwhile. */
  now(): Instant {
    return this.#offsetMs === undefined ? this.#clock.now() : Math.floor(this.#clock.monotonicMs() + this.#offsetMs)
  }

  /** Whether the pair is this node's under this epoch and its lease has not run out. */
  holds(owned: Owned): boolean {
    return this.#pairs.get(owned.shard)?.epoch === owned.epoch && this.#clock.monotonicMs() < this.#deadlineMs
  }

  /** The pair of this shard, if this node may dispatch its events now. */
  pair(shard: number): Owned | undefined {
    const grant = this.#pairs.get(shard)
    return grant && !this.#handingBack.has(shard) && this.#clock.monotonicMs() < this.#deadlineMs ? grant : undefined
  }

  /** A shard that this node owns, in turn, so many events each; undefined where it owns none. */
  pickShard(): number | undefined {
    if (this.#turnOrder.length === 0) return undefined
    if (this.#picks++ % limits.shardPicks === 0) this.#next++
    return this.#turnOrder[this.#next % this.#turnOrder.length]
  }

  /** Whether beats go on: they tell of a new registry. */
  get beats(): boolean {
    return this.#owns || this.#pairs.size > 0
  }

  get pairs(): readonly Grant[] {
    return [...this.#pairs.values()]
  }

  async start(registry: Registry, handlers: readonly string[]): Promise<void> {
    this.#handlers = handlers
    this.#registryVersion = registry.version
    this.#owns = handlers.length > 0
    this.#uses = true
    await this.beat()
  }

  /**
   * Gives every pair back, and tells the store that this node takes none.
   *
   * @param executes whether something of the shard has not ended: its lease is left to run out, since to give it back would
   *   tell the next owner that nothing is in doubt; and so is what was lent to the node, which may be using it.
   */
  async stop(executes: (shard: number) => boolean): Promise<void> {
    this.#owns = false
    this.#timer?.cancel()
    this.#fence?.cancel()
    const grants = [...this.#pairs.values()]
    for (const grant of grants) if (!executes(grant.shard)) this.#releasing.set(grant.shard, grant)
    this.#uses = grants.some(({ shard }) => executes(shard))
    await this.#beating
    await this.#beat().catch((error: unknown) => this.#log.warn('last beat failed', { error: String(error) }))
    this.#timer?.cancel()
    this.#fence?.cancel()
    this.#pairs.clear()
    this.#turnOrder = []
  }

  /**
   * Gives the pair to a node that has this handler: once in a while, since the store gives it back where no such node lives.
   *
   * @returns whether it is being given.
   */
  giveAway(owned: Owned, handler: string): boolean {
    const name = `${owned.shard} ${handler}`
    const nowMs = this.#clock.monotonicMs()
    if (!this.holds(owned) || nowMs - (this.#givenAtMs.get(name) ?? -Infinity) < limits.noHandlerLookMs) return false
    this.#givenAtMs.set(name, nowMs)
    this.#handBack(owned, handler)
    return true
  }

  /** A run found that the pair is not held: the store answered that its epoch is stale, or the lease has run out. */
  lose(owned: Owned): void {
    if (this.#pairs.get(owned.shard)?.epoch !== owned.epoch) return
    // Before the timer that was to fence it, on an event loop that stood still. A beat answered only now would grant the pair
    // again under this very epoch: in a run of 1,000 kills a run whose begin was under way then went on beside its successor.
    if (this.#clock.monotonicMs() >= this.#deadlineMs) this.#fenceItself()
    else this.#drop(owned)
  }

  /** Renews now; joins a beat that is under way. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  /**
   * A beat is a write: of a process that owns nothing too, which learns by it the store's time and registry.
   *
   * @throws `store_unavailable` where it was not committed
   */
  async beatForSure(): Promise<void> {
    const before = this.#renewals
    await this.beat()
    if (this.#renewals === before) throw new HapaxError('store_unavailable', { reason: 'a beat was not committed' })
  }

  async #beat(): Promise<void> {
    this.#timer?.cancel()
    const sentAtMs = this.#clock.monotonicMs()
    const release = [...this.#releasing.values()]
    const fenced = this.#fenced
    const cursors = this.#listener.restingCursors()
    // Who stops gives back what it has.
    const claims = this.#uses ? this.#listener.claims() : undefined
    try {
      const answer = await this.#store.own({
        node: fenced === 0 ? this.#options.node : `${this.#options.node}.${fenced}`,
        group: this.#options.group,
        owns: this.#owns,
        handlers: this.#handlers,
        leaseMs: this.#options.leaseMs,
        release,
        lowMarks: this.#listener.lowMarks(),
        ...(cursors && { cursors }),
        ...(claims && { limits: claims }),
      })
      this.#renewals++
      // Asked in the name of a node that is no more.
      if (fenced !== this.#fenced) return
      // The lease counts from before the question was sent: never longer than the store's own count of it.
      this.#deadlineMs = sentAtMs + this.#options.leaseMs
      this.#learnTime(answer.now, sentAtMs)
      this.#lapseMs = this.#clock.monotonicMs() + (answer.lapsesInMs ?? Number.POSITIVE_INFINITY)
      for (const owned of release) this.#releasing.delete(owned.shard)
      this.#learn(answer)
      this.#listener.lent(answer.limits ?? [])
    } catch (error) {
      this.#log.warn('beat failed', { error: error instanceof Error ? error.message : String(error) })
      this.#listener.beaten(false)
    } finally {
      this.#arm()
    }
  }

  /**
   * The store said its time somewhere between the question and the answer: what was known stays, where it is within that.
   * An answer that an event loop found a second late would else set the time back by a second until the next beat.
   */
  #learnTime(now: Instant, sentAtMs: number): void {
    const least = now - this.#clock.monotonicMs()
    const most = now - sentAtMs
    this.#offsetMs = Math.min(most, Math.max(least, this.#offsetMs ?? least))
  }

  #learn(answer: OwnershipAnswer): void {
    const current = new Map(answer.owned.map((grant) => [grant.shard, grant]))
    for (const held of [...this.#pairs.values()]) {
      if (current.get(held.shard)?.epoch !== held.epoch) this.#drop(held)
    }
    for (const grant of answer.owned) {
      if (this.#pairs.has(grant.shard) || this.#releasing.has(grant.shard)) continue
      this.#pairs.set(grant.shard, grant)
      this.#listener.granted(grant)
    }
    this.#turnOrder = [...this.#pairs.keys()].filter((shard) => !this.#handingBack.has(shard))
    for (const asked of answer.asked) this.#handBack(asked)
    if (answer.registryVersion !== this.#registryVersion) {
      this.#listener.registryChanged(answer.registryVersion).then(() => {
        this.#registryVersion = answer.registryVersion
      }, notYet)
    }
    if (answer.settingsVersion !== this.#settingsVersion) {
      this.#listener.settingsChanged(answer.settingsVersion).then(() => {
        this.#settingsVersion = answer.settingsVersion
      }, notYet)
    }
    this.#listener.beaten(answer.quiet === true)
  }

  #handBack({ group, shard, epoch }: Owned, lacks?: string): void {
    const owned = { group, shard, epoch, ...(lacks === undefined ? {} : { lacks }) }
    if (this.#handingBack.has(owned.shard) || this.#pairs.get(owned.shard)?.epoch !== owned.epoch) return
    this.#handingBack.add(owned.shard)
    this.#turnOrder = this.#turnOrder.filter((shard) => shard !== owned.shard)
    this.#listener.handBack(owned).then(() => {
      this.#handingBack.delete(owned.shard)
      if (this.#pairs.get(owned.shard)?.epoch !== owned.epoch) return
      this.#drop(owned)
      this.#releasing.set(owned.shard, owned)
      void this.beat()
    })
  }

  #drop(owned: Owned): void {
    this.#pairs.delete(owned.shard)
    this.#turnOrder = this.#turnOrder.filter((shard) => shard !== owned.shard)
    this.#listener.lost(owned)
  }

  #arm(): void {
    if (!this.beats) return
    // The one timer that keeps the process alive: a started node works until it is stopped.
    const lapseMs = this.#lapseMs + afterLapseMs - this.#clock.monotonicMs()
    const nextMs = lapseMs > 0 ? Math.min(this.#options.beatMs, lapseMs) : this.#options.beatMs
    this.#timer = this.#clock.setTimer(nextMs, () => void this.beat())
    this.#fence?.cancel()
    const leftMs = this.#deadlineMs - this.#clock.monotonicMs()
    this.#fence = this.#clock.setTimer(Math.max(0, leftMs), () => this.#fenceItself(), { unref: true })
  }

  /**
   * Gives all up, and its name with it: the store may still count it as the owner, and to be granted a pair again under the
   * same epoch would not fence what it left half done.
   */
  #fenceItself(): void {
    if (this.#clock.monotonicMs() < this.#deadlineMs || this.#pairs.size === 0) return
    this.#fenced++
    this.#log.error('the lease ran out before it could be renewed: this node stops its runs', {
      pairs: this.#pairs.size,
    })
    for (const held of [...this.#pairs.values()]) this.#drop(held)
    this.#listener.lapsed()
  }
}

/** What could not be read now is asked for again with the next beat, since its version was not noted. */
function notYet(): void {}
