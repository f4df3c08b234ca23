import type { Instant } from '../kit/clock.ts'
import { isoTime, parseTime } from '../kit/iso-time.ts'
import { limits } from '../kit/limits.ts'
import type { CronRule, CronTimes } from './cron.ts'

/**
 * What becomes of ticks that nobody was there for. `latest`: one run, for the last of them. `all`: a run each, at most 1,000,
 * oldest first. `skip`: none.
 */
export type MissedTicks = 'skip' | 'latest' | 'all'

/** What the words for {@link MissedTicks} are. */
export const missedTicks: readonly MissedTicks[] = ['skip', 'latest', 'all']

/** The data of a tick: the same for every node, so that two of them make the same event. */
export interface ScheduleTick {
  /** The schedule's name: the first that it had. */
  readonly schedule: string
  /** The time that it ticked for, as RFC 3339 in UTC. The event's `acceptedAt` says when it came. */
  readonly at: string
}

/** Names the cron and time zone that a tick was made by: a tick of another rule tells nothing of what was missed. */
export const ruleHeader = 'hapax-cron'

/** A rule as a tick's header has it. */
export function ruleText({ cron, timezone }: CronRule): string {
  return `${cron} ${timezone}`
}

/** The type of a schedule's ticks. */
export function tickType(name: string): string {
  return `schedule.${name}`
}

/** A tick's id: schedule and time, so that a tick is one event on any number of nodes (G2). */
export function tickId(name: string, at: Instant): string {
  return `${name}@${isoTime(at)}`
}

/** The time of a tick, from its id; undefined for an id that is none of this schedule's. */
export function tickTime(name: string, id: string): Instant | undefined {
  return id.startsWith(`${name}@`) ? parseTime(id.slice(name.length + 1)) : undefined
}

/** Which ticks are to come now. */
export interface DueTicks {
  /** Oldest first. */
  readonly ticks: readonly Instant[]
  /** There were more, which are left out: the oldest. */
  readonly isCut: boolean
}

/**
 * The ticks after `since`, up to `now`, that are to come: of several, what {@link MissedTicks} leaves.
 *
 * @param lateMs a tick that is later than this was missed
 */
export function dueTicks(
  times: CronTimes,
  missed: MissedTicks,
  span: { readonly since: Instant; readonly now: Instant; readonly lateMs: number },
): DueTicks {
  const { since, now, lateMs } = span
  const ticks: Instant[] = []
  const most = missed === 'all' ? limits.missedTicks : 1
  let at = times.latest(now)
  while (at !== undefined && at > since && ticks.length < most) {
    if (missed === 'skip' && now - at > lateMs) break
    ticks.push(at)
    at = times.latest(at - 1)
  }
  const isCut = missed === 'all' && ticks.length === most && at !== undefined && at > since
  return { ticks: ticks.reverse(), isCut }
}
