import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { CircuitRecord } from '../store/circuits.ts'
import type { LimitClaim } from '../store/shared-limits.ts'
import type { DependencyLimits, LimitSetting } from '../store/store.ts'
import { Circuit, type CircuitHost } from './circuit.ts'
import type { Dependency } from './dependency.ts'
import { RateLimit } from './rate-limit.ts'
import { Slots } from './slots.ts'

/** What the state of a dependency asks of its node. */
export interface DependencyHost extends Omit<CircuitHost, 'isWaitedFor'> {
  /** A beat is wanted before its time: the node has too little of a limit, or is to say that it has less. */
  hurry(): void
}

/** A run that began for its turn at a dependency. */
export interface LineRun {
  /** It waited so long for its turn in the rate: that is not the time it takes. */
  waitedMs: number
  /** It has not called yet. */
  isOnItsWay: boolean
  readonly startedMs: number
}

/** A run takes about so long to its call, before any has called. */
const firstWayMs = 5

/** So much time ahead of their turn runs begin: what they do before their call, and how unevenly they come. */
const aheadMs = 20

/** A part of its share that a node must have used to want more. */
const eagerPart = 0.6

/** One dependency on one node: its circuit, its shares of the limits, and who waits for them. */
export class DependencyState {
  readonly name: string
  readonly circuit: Circuit
  readonly rate: RateLimit
  readonly slots: Slots
  readonly #host: DependencyHost
  readonly #clock: Clock
  #declared: Dependency | undefined
  #setting: LimitSetting | undefined
  /** Runs of its lines that are under way. */
  #active = 0
  /** Runs that wait in its lines. */
  #lined = 0
  /** Of those, runs that have not called yet. */
  #onTheirWay = 0
  /** How long that takes them. */
  #wayMs = firstWayMs
  #calls = 0
  #failures = 0
  #callsSinceBeat = 0
  #beatAtMs = 0
  #rateShare = 0
  #slotShare = 0
  #wasEager = false
  /** To the end of a pause. */
  #pause: Timer | undefined

  constructor(name: string, host: DependencyHost) {
    this.name = name
    this.#host = host
    this.#clock = host.clock
    this.rate = new RateLimit(host.clock)
    this.slots = new Slots(host.clock)
    const policy = {
      failures: limits.circuitFailures,
      withinMs: limits.circuitWithinMs,
      cooldownMs: limits.circuitCooldownMs,
      timeoutMs: limits.callTimeoutMs,
    }
    this.circuit = new Circuit(name, policy, {
      ...host,
      isWaitedFor: () => this.#lined > 0,
      changed: () => {
        this.#apply()
        host.changed()
      },
    })
  }

  /** Limits and circuit as the code declares them. */
  declare(declared: Dependency): void {
    if (this.#declared === declared) return
    this.#declared = declared
    this.circuit.declare({ ...declared.circuit, timeoutMs: declared.timeoutMs })
    this.#apply()
  }

  /** What all nodes know of it. */
  learn(circuit: CircuitRecord | undefined, setting: LimitSetting | undefined): void {
    this.#setting = setting
    this.#apply()
    this.circuit.learn(circuit)
  }

  get declared(): Dependency | undefined {
    return this.#declared
  }

  /** The limits that hold, over all nodes. */
  get limits(): DependencyLimits {
    return {
      rate: this.#setting?.rate ?? this.#declared?.rate,
      concurrency: this.#setting?.concurrency ?? this.#declared?.concurrency,
    }
  }

  /** How it is used on this node. */
  get use(): { readonly waiting: number; readonly active: number; readonly calls: number; readonly failures: number } {
    return { waiting: this.#lined, active: this.#active, calls: this.#calls, failures: this.#failures }
  }

  // --- what is lent

  /** What this node uses of the shared limits, and wants. */
  claims(): LimitClaim[] {
    const { rate, concurrency } = this.limits
    const nowMs = this.#clock.monotonicMs()
    const spanMs = Math.max(1, nowMs - this.#beatAtMs)
    const isHeld = this.circuit.isOpen || this.rate.pausedMs > 0
    const waits = !isHeld && (this.rate.waiting > 0 || this.slots.waiting > 0 || this.#lined > 0)
    const usesRate = this.#callsSinceBeat >= Math.max(1, (eagerPart * this.#rateShare * spanMs) / 1_000)
    this.#wasEager = waits || usesRate
    this.#callsSinceBeat = 0
    this.#beatAtMs = nowMs
    const claims: LimitClaim[] = []
    if (rate !== undefined) {
      const eager = waits || usesRate
      claims.push({ name: `rate:${this.name}`, amount: rate, whole: false, held: this.#rateShare, eager })
    }
    if (concurrency !== undefined) {
      const held = Math.max(this.#slotShare, this.slots.taken)
      const eager = waits || this.slots.taken >= eagerPart * Math.max(1, this.#slotShare)
      claims.push({ name: `slots:${this.name}`, amount: concurrency, whole: true, held, eager })
    }
    return claims
  }

  /** What it may use from now on. */
  lent(shares: ReadonlyMap<string, number>): void {
    const before = [this.#rateShare, this.#slotShare] as const
    this.#rateShare = shares.get(`rate:${this.name}`) ?? 0
    this.#slotShare = shares.get(`slots:${this.name}`) ?? 0
    this.#apply()
    const { rate, concurrency } = this.limits
    const isLess = this.#rateShare < before[0] || this.#slotShare < before[1]
    const lacks = (rate !== undefined && this.#rateShare === 0) || (concurrency !== undefined && this.#slotShare === 0)
    if (isLess || (lacks && this.#wasEager)) this.#host.hurry()
    this.#host.changed()
  }

  /** The lease has run out: what was lent is others' now. */
  lapsed(): void {
    this.#rateShare = 0
    this.#slotShare = 0
    this.#apply()
  }

  // --- runs that wait for it

  /** A run waits in a line for it, or no longer. */
  lined(by: 1 | -1): void {
    this.#lined += by
    if (by < 0) return
    if (this.circuit.isOpen) this.circuit.lookForProbe()
    // What came to a node at rest: it has a small part, and others may have left the rest.
    else if (!this.#wasEager && this.#isLimited) this.#host.hurry()
  }

  get #isLimited(): boolean {
    const { rate, concurrency } = this.limits
    return rate !== undefined || concurrency !== undefined
  }

  /** Whether no run may begin for it, however long it waits. */
  get isHeld(): boolean {
    return this.circuit.isOpen
  }

  /** Whether one more may begin now. */
  get hasRoom(): boolean {
    if (!this.circuit.hasRoom(this.#active) || this.rate.pausedMs > 0) return false
    const { rate, concurrency } = this.limits
    if (concurrency !== undefined && this.#active >= this.#slotShare) return false
    if (rate === undefined) return true
    // As many as are on their way to a call at this rate (Little's law), and some ahead of their turn. Those that have called hold
    // nobody up: where many are slow at once, the rate would else lie idle.
    const ahead = Math.ceil((this.#rateShare * aheadMs) / 1_000)
    const under = Math.ceil((this.#rateShare * this.#wayMs) / 1_000)
    return this.#rateShare > 0 && this.rate.waiting <= ahead && this.#onTheirWay < 1 + under + ahead
  }

  /** A run of a line begins. */
  begin(): LineRun {
    this.#active++
    this.#onTheirWay++
    return { waitedMs: 0, isOnItsWay: true, startedMs: this.#clock.monotonicMs() }
  }

  /** It waited so long for its turn, and calls now. */
  waited(run: LineRun, ms: number): void {
    run.waitedMs += ms
    if (this.#hasCome(run)) this.#host.changed()
  }

  /** It has ended. */
  end(run: LineRun): void {
    this.#active--
    this.#hasCome(run)
    this.#host.changed()
  }

  /** It is no longer on its way. Answers whether it was. */
  #hasCome(run: LineRun): boolean {
    if (!run.isOnItsWay) return false
    run.isOnItsWay = false
    this.#onTheirWay--
    const tookMs = Math.max(0, this.#clock.monotonicMs() - run.startedMs - run.waitedMs)
    this.#wayMs += (tookMs - this.#wayMs) / 16
    return true
  }

  // --- calls

  /** The store's clock. */
  now(): Instant {
    return this.#host.now()
  }

  /** A call was made. */
  called(): void {
    this.#calls++
    this.#callsSinceBeat++
  }

  /** One of them failed. */
  failed(): void {
    this.#failures++
  }

  /**
   * The other side asked to be called again no earlier than then: no call of this node goes before, for
   * {@link limits.retryAfterPauseMs} at most. Other nodes hear it by their own calls.
   */
  pauseUntil(until: Instant): void {
    const forMs = Math.min(until - this.now(), limits.retryAfterPauseMs)
    const { pausedMs } = this.rate
    if (forMs <= pausedMs) return
    if (pausedMs === 0) this.#host.log.info('a dependency asks to be left alone', { dependency: this.name, forMs })
    this.rate.pause(forMs)
    this.#pause?.cancel()
    this.#pause = this.#clock.setTimer(forMs, () => this.#host.changed(), { unref: true })
  }

  /** The node stops. */
  stop(): void {
    this.#pause?.cancel()
    this.circuit.stop()
  }

  /** Whether this moment lies in an outage: what failed then, failed of it. */
  wasDown(at: Instant): boolean {
    const { record } = this.circuit
    if (!record) return false
    const withinMs = this.#declared?.circuit.withinMs ?? limits.circuitWithinMs
    return at >= record.openedAt - withinMs && (record.state !== 'closed' || at <= record.since)
  }

  #apply(): void {
    const { rate, concurrency } = this.limits
    this.rate.set(rate === undefined ? undefined : Math.min(rate, this.#rateShare))
    const slots = concurrency === undefined ? undefined : Math.min(concurrency, this.#slotShare)
    const { wave } = this.circuit
    this.slots.set(slots === undefined || wave === undefined ? (slots ?? wave) : Math.min(slots, wave))
  }
}
