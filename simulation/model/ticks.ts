import { tickTime } from '../../src/flow/schedule.ts'
import { wallStartMs } from '../node-clock.ts'
import type { SchedulePlan } from '../plan.ts'
import type { EventFacts } from './ledger.ts'
import type { Owners } from './owners.ts'
import type { Watch } from './watch.ts'

/** A tick that was decided upon may come so much later: its node stands still, and its commit takes long. */
const slackMs = 18_000

/** So long after a shard was granted its node ticks. */
const heardMs = 2_000

/** Later than a lease and half a minute, a tick counts as missed. */
const lateMs = 34_000

/** Each time of a schedule is an event once: not before its time, and what was missed as the schedule says. */
export class Ticks {
  readonly #watch: Watch
  readonly #owners: Owners
  readonly #plans: readonly SchedulePlan[]
  readonly #came = new Map<string, Set<number>>()
  /** Where each ticks. */
  readonly #shards = new Map<string, number>()

  constructor(watch: Watch, owners: Owners, plans: readonly SchedulePlan[]) {
    this.#watch = watch
    this.#owners = owners
    this.#plans = plans
  }

  /** The store has an event that it did not have before. */
  accepted({ type, id, shard }: EventFacts): void {
    const plan = this.#plans.find(({ name }) => type === `schedule.${name}`)
    if (!plan) return
    const at = tickTime(plan.name, id)
    const came = this.#cameOf(plan)
    if (at === undefined || at % plan.everyMs !== 0 || at < wallStartMs || came.has(at)) {
      this.#watch.violate('G2.tick', `${id} is no time at which ${plan.name} ticks`)
      return
    }
    const lateness = this.#watch.storeNow - at
    // Where machines' seconds differ, a node may be wrong by what it drifts between two beats.
    if (-lateness > (this.#watch.clocksAgree ? 2 : 300))
      this.#watch.violate('G2.tick', `${id} came ${-lateness} ms early`)
    if (lateness > plan.everyMs) this.#watch.reach('missed tick made up for')
    const latestMs = plan.missed === 'all' ? Number.POSITIVE_INFINITY : plan.everyMs
    const mostMs = plan.missed === 'skip' ? Math.min(latestMs, lateMs) : latestMs
    if (lateness > mostMs + slackMs)
      this.#watch.violate('G2.tick', `${id} came ${lateness} ms late, though ${plan.name} lets ${plan.missed} come`)
    const first = Math.min(...came)
    for (let before = at - plan.everyMs; plan.missed === 'all' && before >= first; before -= plan.everyMs)
      if (!came.has(before)) this.#watch.violate('G2.tick', `${id} came before the tick ${at - before} ms before it`)
    came.add(at)
    this.#shards.set(plan.name, shard)
  }

  #cameOf({ name }: SchedulePlan): Set<number> {
    const came = this.#came.get(name) ?? new Set()
    this.#came.set(name, came)
    return came
  }

  /**
   * At the end, when nothing has broken for long.
   *
   * @param span when the store first heard of it, until when all must have come, and since when nothing breaks.
   */
  compare(
    plan: SchedulePlan,
    span: { readonly since: number; readonly until: number; readonly calmSince: number },
  ): void {
    const came = this.#cameOf(plan)
    const { name, everyMs, missed } = plan
    const grantedAt = this.#owners.grantedAt(this.#shards.get(name) ?? -1)
    const calmSince = Math.max(span.calmSince, grantedAt) + heardMs
    for (let at = Math.ceil((span.since + 1) / everyMs) * everyMs; at <= span.until; at += everyMs) {
      const isLast = at + everyMs > span.until
      const isDue = missed === 'all' || at > calmSince || (missed === 'latest' && isLast)
      if (came.has(at)) continue
      if (isDue)
        this.#watch.violate('G2.tick', `${name} did not tick at ${at - wallStartMs} ms, and lets ${missed} come`)
      else this.#watch.reach('missed tick let go')
    }
  }
}
