import type { EventKey } from '../event/event-key.ts'
import type { Registry } from '../event/handler-record.ts'
import { dueTicks, ruleHeader, ruleText, type ScheduleTick, tickId, tickTime, tickType } from '../flow/schedule.ts'
import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { isoTime } from '../kit/iso-time.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { Store } from '../store/store.ts'
import { type Accepter, shardOfOrderKey } from './accept.ts'
import type { NewEvent, ScheduleView } from './api.ts'
import type { Ownership } from './ownership.ts'
import type { OpenSchedule } from './schedule.ts'

/** What ticking needs of the node. */
export interface TickerHost {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly group: string
  readonly leaseMs: number
  /** How long an identity is kept: a tick that is older might be accepted a second time. */
  readonly identitiesMs: number
  registry(): Registry
  /** Whose shard it is, and the store's clock. */
  readonly ownership: Pick<Ownership, 'now' | 'pair' | 'holds'>
  /** The one door in. */
  readonly accepter: Pick<Accepter, 'accept'>
}

/** Ticks are nobody's: like all that the group itself makes. */
const tenant = 'default'

/**
 * Ticks for one schedule, where this node owns the shard of its name: each tick an event that is accepted through the one
 * door, under an identity of schedule and time. So no two nodes tick at once but for a moment in a takeover, and then both
 * make the same event.
 */
export class Ticker {
  readonly #open: OpenSchedule
  readonly #host: TickerHost
  readonly #shard: number
  readonly #lateMs: number
  #timer: Timer | undefined
  #isLooking = false
  #isAsked = false
  #isStopped = false
  /** Under which it is known what came before. */
  #epoch: number | undefined
  /** Ticks up to here have come, or need not. */
  #since: Instant = 0

  constructor(open: OpenSchedule, host: TickerHost) {
    this.#open = open
    this.#host = host
    this.#shard = shardOfOrderKey(tenant, open.schedule.firstName, host.store.shards)
    this.#lateMs = host.leaseMs + limits.tickLateMs
  }

  /** Looks now: the shard may have been granted. */
  async wake(): Promise<void> {
    this.#timer?.cancel()
    if (this.#isLooking || this.#isStopped) {
      this.#isAsked = true
      return
    }
    this.#isLooking = true
    let nextMs: number
    do {
      this.#isAsked = false
      nextMs = await this.#look().catch((error: unknown) => this.#failed(error))
    } while (this.#isAsked && !this.#isStopped)
    this.#isLooking = false
    if (!this.#isStopped) {
      this.#timer = this.#host.clock.setTimer(nextMs, () => void this.wake(), { unref: true })
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** As it is listed: where none of the last ticks came, it has no last one. */
  async view(): Promise<ScheduleView> {
    const { schedule, times } = this.#open
    const { name, cron, timezone, missed } = schedule
    const now = this.#host.ownership.now()
    return {
      name,
      group: this.#host.group,
      cron,
      timezone,
      missed,
      nextAt: times.next(now),
      last: await this.#last(now),
    }
  }

  async #last(now: Instant): Promise<ScheduleView['last']> {
    const { times } = this.#open
    let at = times.latest(now)
    for (let looked = 0; at !== undefined && looked < limits.ticksLookedBack; looked++) {
      const event = await this.#eventOf(at)
      if (event !== undefined) return { at, event }
      at = times.latest(at - 1)
    }
    return undefined
  }

  /** Lets come what is due; answers in how many milliseconds to look again. */
  async #look(): Promise<number> {
    const { schedule, times } = this.#open
    const owned = this.#host.ownership.pair(this.#shard)
    if (!owned) {
      this.#epoch = undefined
      return limits.tickLookMs
    }
    const now = this.#host.ownership.now()
    // Where the store's clock was far ahead, and was set right, all until then would seem to have come.
    if (this.#epoch !== owned.epoch || now < this.#since - this.#lateMs) {
      this.#since = await this.#sinceWhen(now)
      this.#epoch = owned.epoch
    }
    const { ticks, isCut } = dueTicks(times, schedule.missed, { since: this.#since, now, lateMs: this.#lateMs })
    if (isCut) {
      const told = { schedule: schedule.name, since: isoTime(this.#since), madeUpFor: ticks.length }
      this.#host.log.warn('more ticks were missed than are made up for: the oldest are left out', told)
    }
    for (const at of ticks) {
      // Whoever has it now goes on.
      if (!this.#host.ownership.holds(owned) || this.#isStopped) return limits.tickLookMs
      await this.#tick(at)
      this.#since = at
    }
    this.#since = Math.max(this.#since, now)
    const nextAt = times.next(this.#since) ?? Number.POSITIVE_INFINITY
    return Math.min(Math.max(0, nextAt - this.#host.ownership.now()), limits.tickLookMs)
  }

  async #tick(at: Instant): Promise<void> {
    const { schedule } = this.#open
    const { firstName } = schedule
    const tick: NewEvent = {
      tenant,
      source: this.#host.group,
      id: tickId(firstName, at),
      type: tickType(firstName),
      time: isoTime(at),
      // Brings it into the shard that ticks, and with `order` its runs one after the other.
      orderKey: firstName,
      headers: { [ruleHeader]: ruleText(schedule) },
      data: { schedule: firstName, at: isoTime(at) } satisfies ScheduleTick,
    }
    const { outcome, event } = await this.#host.accepter.accept(tick, {})
    if (outcome === 'conflict') {
      const told = { schedule: schedule.name, at: isoTime(at), event: event.key }
      this.#host.log.warn('a tick met an event with its id and other data: that event stands', told)
    }
  }

  /**
   * From when on ticks are to come, of a shard that was just granted. Where the last one is there, all before it is: they come
   * oldest first. Where it is not, the newest tick tells: what was made by another rule says that this one is new.
   */
  async #sinceWhen(now: Instant): Promise<Instant> {
    const { schedule, times } = this.#open
    const latest = times.latest(now)
    const keptSince = now - Math.max(this.#lateMs, this.#host.identitiesMs - this.#lateMs)
    const floor = Math.max(this.#firstSeenAt(), keptSince)
    if (latest === undefined || latest <= floor || (await this.#eventOf(latest)) !== undefined) return now
    const { events } = await this.#host.store.searchEvents({
      tenant,
      source: this.#host.group,
      type: tickType(schedule.firstName),
      after: floor,
      limit: 1,
    })
    const [newest] = events
    if (!newest) return floor
    const cameAt = tickTime(schedule.firstName, newest.id)
    const isOfThisRule = newest.headers[ruleHeader] === ruleText(schedule)
    if (cameAt !== undefined && isOfThisRule) return Math.min(now, Math.max(floor, cameAt))
    return Math.max(floor, now - this.#lateMs)
  }

  /** The event of a tick, where it is remembered. */
  async #eventOf(at: Instant): Promise<EventKey | undefined> {
    const id = tickId(this.#open.schedule.firstName, at)
    return (await this.#host.store.identity({ tenant, source: this.#host.group, id }))?.key
  }

  /** When the store first heard of the schedule: ticks before that were never asked for. */
  #firstSeenAt(): Instant {
    const { group, registry } = this.#host
    const { name } = this.#open.schedule
    // Whether or not it is live: another node may have renamed it, in a deploy that this one is still to come to.
    const record = registry().handlers.findLast((one) => one.group === group && one.name === name)
    return record?.firstSeenAt ?? this.#host.ownership.now()
  }

  #failed(error: unknown): number {
    if (this.#isStopped) return 0
    const told = { schedule: this.#open.schedule.name, error: error instanceof Error ? error.message : String(error) }
    this.#host.log.warn('a schedule could not tick, and will try again', told)
    return limits.pollMaxMs
  }
}
