import { found } from '../errors/config-invalid.ts'
import type { Instant } from '../kit/clock.ts'
import { dateOf } from '../kit/iso-time.ts'

/** When a cron expression ticks in its time zone. Pure: the same on every node. */
export interface CronTimes {
  /** The first tick after this instant; undefined: there is none any more. */
  next(after: Instant): Instant | undefined
  /** The last tick at this instant or before; undefined: there was none. */
  latest(until: Instant): Instant | undefined
}

/** What ticks: an expression and the time zone that it is read in. */
export interface CronRule {
  readonly cron: string
  readonly timezone: string
}

/** From here an expression must find a tick: one that never ticks is a mistake. Any instant would do. */
const referenceAt: Instant = 1_704_067_200_000

/**
 * Reads a cron expression; the library that does is loaded only now. Answers a sentence where there is something wrong with
 * it.
 *
 * Daylight saving: a time of day without `*` and `/` (`30 3,15 * * *`) that a day lacks ticks when the clock has jumped, and
 * one that a day has twice ticks the first time. With `*` or `/` in second, minute or hour (`0 * * * *`), times that a day
 * lacks are left out, and those that it has twice tick twice: an hour stays an hour.
 */
export async function openCron({ cron, timezone }: CronRule): Promise<CronTimes | { readonly problem: string }> {
  const { Cron } = await import('croner')
  try {
    const times = new Cron(cron, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' })
    const { next, latest }: CronTimes = {
      next: (after) => times.nextRun(dateOf(after))?.getTime(),
      // What lies in the same second counts as before: a millisecond later the tick of this very instant is found.
      latest: (until) => times.previousRuns(1, dateOf(until + 1))[0]?.getTime(),
    }
    if (!isTimeZone(timezone)) return { problem: `timezone: wanted one like 'Europe/Athens', found ${found(timezone)}` }
    if (times.getOnce()) return { problem: `cron: wanted five or six fields, found the date ${found(cron)}` }
    if (next(referenceAt) === undefined) return { problem: `cron: ${found(cron)} never ticks` }
    return { next, latest }
  } catch (error) {
    return { problem: `cron: ${found(cron)} is not understood: ${saidOf(error)}` }
  }
}

function isTimeZone(timezone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** What the library says, less its own names. */
function saidOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^\w+: /, '') : String(error)
}
