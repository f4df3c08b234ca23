import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { CircuitRecord } from '../store/circuits.ts'
import type { LimitClaim } from '../store/shared-limits.ts'
import type { DependencyLimits, LimitSetting } from '../store/store.ts'
import { Circuit, type CircuitHost } from './circuit.ts'
import type { Dependency } from './dependency.ts'
import { LentLimits } from './lent-limits.ts'
import type { GateRun, LineGate } from './line.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Slots } from './slots.ts'

/** What the state of a dependency asks of its node. */
export type DependencyHost = Omit<CircuitHost, 'isWaitedFor'>

/** A run takes about so long to its call, before any has called. */
const firstWayMs = 5

/** So much time ahead of their turn runs begin: what they do before their call, and how unevenly they come. */
const aheadMs = 20

/** One dependency on one node: its circuit, its shares of the limits, and who waits for them. */
export class DependencyState implements LineGate {
  readonly name: string
  readonly circuit: Circuit
  readonly #lent: LentLimits
  readonly #host: DependencyHost
  readonly #clock: Clock
  #declared: Dependency | undefined
  #setting: LimitSetting | undefined
  /** As the circuit was when it last changed: what could not go while it was open was not missed. */
  #wasOpen = false
  /** Runs of its lines that are under way. */
  #active = 0
  /** Of those, runs that have not called yet. */
  #onTheirWay = 0
  /** How long that takes them. */
  #wayMs = firstWayMs
  #calls = 0
  #failures = 0
  /** To the end of a pause. */
  #pause: Timer | undefined

  constructor(name: string, host: DependencyHost) {
    this.name = name
    this.#host = host
    this.#clock = host.clock
    this.#lent = new LentLimits(name, host.clock, () => host.hurry())
    const policy = {
      failures: limits.circuitFailures,
      withinMs: limits.circuitWithinMs,
      cooldownMs: limits.circuitCooldownMs,
      timeoutMs: limits.callTimeoutMs,
    }
    this.circuit = new Circuit(name, policy, {
      ...host,
      isWaitedFor: () => this.#lent.waiting > 0,
      changed: () => {
        if (this.#wasOpen) this.rate.beginsAnew()
        this.#wasOpen = this.circuit.isOpen
        this.#apply()
        host.changed()
      },
    })
  }

  get rate(): RateLimit {
    return this.#lent.rate
  }

  get slots(): Slots {
    return this.#lent.slots
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
    return { waiting: this.#lent.waiting, active: this.#active, calls: this.#calls, failures: this.#failures }
  }

  // --- what is lent

  /** What this node uses of the shared limits, and wants. */
  claims(): LimitClaim[] {
    const isHeld = this.circuit.isOpen || this.rate.pausedMs > 0
    return this.#lent.claims(!isHeld && (this.rate.waiting > 0 || this.slots.waiting > 0 || this.#lent.waiting > 0))
  }

  /** What it may use from now on. */
  lent(shares: ReadonlyMap<string, number>): void {
    this.#lent.lent(shares)
    this.#host.changed()
  }

  /** The lease has run out: what was lent is others' now. */
  lapsed(): void {
    this.#lent.lapsed()
  }

  // --- runs that wait for it

  /** A run waits in a line for it, or no longer. */
  lined(by: 1 | -1): void {
    this.#lent.lined(by)
    if (by < 0) return
    if (this.circuit.isOpen) this.circuit.lookForProbe()
    else this.#lent.wanted()
  }

  /** Whether no run may begin for it, however long it waits. */
  get isHeld(): boolean {
    return this.circuit.isOpen
  }

  /** Whether one more may begin now. */
  get hasRoom(): boolean {
    if (!this.circuit.hasRoom(this.#active) || this.rate.pausedMs > 0) return false
    const { rateShare, slotShare, limits: held } = this.#lent
    if (slotShare !== undefined && this.#active >= slotShare) return false
    if (held.rate === undefined) return true
    // As many as are on their way to a call at this rate (Little's law), and some ahead of their turn. Those that have called hold
    // nobody up: where many are slow at once, the rate would else lie idle.
    const perMs = (rateShare * (this.rate.missed > 0 ? 2 : 1)) / 1_000
    const ahead = Math.ceil(perMs * aheadMs)
    const under = Math.ceil(perMs * this.#wayMs)
    return rateShare > 0 && this.rate.waiting <= ahead && this.#onTheirWay < 1 + under + ahead
  }

  /** A run of a line begins. */
  begin(): GateRun {
    this.#active++
    this.#onTheirWay++
    return { waitedMs: 0, isOnItsWay: true, startedMs: this.#clock.monotonicMs() }
  }

  /** It waited so long for its turn, and calls now. */
  waited(run: GateRun, ms: number): void {
    run.waitedMs += ms
    if (this.#hasCome(run) && this.#lent.waiting > 0) this.#host.changed()
  }

  /** It has ended. */
  end(run: GateRun): void {
    this.#active--
    this.#hasCome(run)
  }

  /** It is no longer on its way. Answers whether it was. */
  #hasCome(run: GateRun): boolean {
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
    this.#lent.used()
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
    this.#lent.set(this.limits)
    this.#lent.bound(this.circuit.wave)
  }
}
