import type { Clock } from '../kit/clock.ts'
import type { LimitClaim } from '../store/shared-limits.ts'
import type { DependencyLimits } from '../store/store.ts'
import { RateLimit } from './rate-limit.ts'
import { Slots } from './slots.ts'

/** A part of its share that a node must have used to want more. */
const eagerPart = 0.6

/** A rate and slots that all nodes share: what of them is this node's, as its last beat was answered. */
export class LentLimits {
  readonly rate: RateLimit
  readonly slots: Slots
  readonly #name: string
  readonly #clock: Clock
  readonly #hurry: () => void
  #limits: DependencyLimits = {}
  /** No more slots than these, whatever is lent. */
  #most: number | undefined
  #rateShare = 0
  #slotShare = 0
  #usedSinceBeat = 0
  #beatAtMs = 0
  #wasEager = false
  #lined = 0

  /** @param hurry a beat is wanted before its time: there is too little, or it is to be said that there is less */
  constructor(name: string, clock: Clock, hurry: () => void) {
    this.#name = name
    this.#clock = clock
    this.#hurry = hurry
    this.rate = new RateLimit(clock, () => this.#lined > 0)
    this.slots = new Slots(clock)
  }

  /** What holds over all nodes. */
  get limits(): DependencyLimits {
    return this.#limits
  }

  set(limits: DependencyLimits): void {
    this.#limits = limits
    this.#apply()
  }

  /** No more slots than so many; undefined: as many as are lent. */
  bound(most: number | undefined): void {
    this.#most = most
    this.#apply()
  }

  /** Times a second on this node. */
  get rateShare(): number {
    return this.#rateShare
  }

  /** Slots on this node; undefined: no limit. */
  get slotShare(): number | undefined {
    return this.#limits.concurrency === undefined ? undefined : this.#slotShare
  }

  /** Runs that wait in lines and come as soon as there are turns. */
  get waiting(): number {
    return this.#lined
  }

  /** A run waits in a line, or no longer. */
  lined(by: 1 | -1): void {
    this.#lined += by
    if (by > 0 && this.#lined === 1) this.rate.beginsAnew()
  }

  /** One of the rate was used. */
  used(): void {
    this.#usedSinceBeat++
  }

  /** What this node uses, and wants. @param waits somebody waits here who could go if there were more */
  claims(waits: boolean): LimitClaim[] {
    const { rate, concurrency } = this.#limits
    const nowMs = this.#clock.monotonicMs()
    const spanMs = Math.max(1, nowMs - this.#beatAtMs)
    const usesRate = this.#usedSinceBeat >= Math.max(1, (eagerPart * this.#rateShare * spanMs) / 1_000)
    const usesSlots = this.slots.taken >= eagerPart * Math.max(1, this.#slotShare)
    this.#wasEager = waits || usesRate
    this.#usedSinceBeat = 0
    this.#beatAtMs = nowMs
    const claims: LimitClaim[] = []
    if (rate !== undefined) {
      const eager = waits || usesRate
      claims.push({ name: `rate:${this.#name}`, amount: rate, whole: false, held: this.#rateShare, eager })
    }
    if (concurrency !== undefined) {
      const held = Math.max(this.#slotShare, this.slots.taken)
      claims.push({ name: `slots:${this.#name}`, amount: concurrency, whole: true, held, eager: waits || usesSlots })
    }
    return claims
  }

  /** What it may use from now on. */
  lent(shares: ReadonlyMap<string, number>): void {
    const before = [this.#rateShare, this.#slotShare] as const
    this.#rateShare = shares.get(`rate:${this.#name}`) ?? 0
    this.#slotShare = shares.get(`slots:${this.#name}`) ?? 0
    this.#apply()
    const { rate, concurrency } = this.#limits
    const isLess = this.#rateShare < before[0] || this.#slotShare < before[1]
    const lacks = (rate !== undefined && this.#rateShare === 0) || (concurrency !== undefined && this.#slotShare === 0)
    if (isLess || (lacks && this.#wasEager)) this.#hurry()
  }

  /** The lease has run out: what was lent is others' now. */
  lapsed(): void {
    this.#rateShare = 0
    this.#slotShare = 0
    this.#apply()
  }

  /** Somebody waits: a node at rest has a small part, and others may have left the rest. */
  wanted(): void {
    const { rate, concurrency } = this.#limits
    if (!this.#wasEager && (rate !== undefined || concurrency !== undefined)) this.#hurry()
  }

  #apply(): void {
    const { rate, concurrency } = this.#limits
    this.rate.set(rate === undefined ? undefined : Math.min(rate, this.#rateShare))
    const slots = concurrency === undefined ? undefined : Math.min(concurrency, this.#slotShare)
    const most = this.#most
    this.slots.set(slots === undefined || most === undefined ? (slots ?? most) : Math.min(slots, most))
  }
}
