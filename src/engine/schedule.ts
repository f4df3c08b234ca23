import { configInvalid, found } from '../errors/config-invalid.ts'
import type { StandardSchema } from '../event/standard-schema.ts'
import { type CronRule, type CronTimes, openCron } from '../flow/cron.ts'
import { type MissedTicks, missedTicks, type ScheduleTick, tickType } from '../flow/schedule.ts'
import { limits } from '../kit/limits.ts'
import { type Handler, type HandlerEvent, type HandlerOptions, handler, type Run } from './handler.ts'
import { handlerProblems } from './handler-problems.ts'

/** When a schedule ticks, and how the runs of its ticks are treated: as those of any handler. */
export interface ScheduleOptions
  extends Pick<
    HandlerOptions,
    'retry' | 'timeout' | 'expires' | 'needs' | 'order' | 'undoOnDeath' | 'version' | 'formerly'
  > {
  /** The IANA time zone that the cron expression is read in, like `'Europe/Athens'`. Default `'UTC'`. */
  readonly timezone?: string
  /** What becomes of ticks that nobody was there for. Default `'latest'`: one run, for the last of them. */
  readonly missed?: MissedTicks
}

/** A schedule as {@link schedule} declares it: frozen; its state lives in each Hapax and its store. */
export interface Schedule extends CronRule {
  readonly name: string
  /** The first name that it had: in its ticks' type, id and data, so that a rename changes none of them. */
  readonly firstName: string
  readonly missed: MissedTicks
  /** The handler of its ticks, whose source is the group's name. */
  handlerIn(group: string): Handler
}

/** A schedule whose cron expression was read. */
export interface OpenSchedule {
  readonly schedule: Schedule
  readonly times: CronTimes
}

/**
 * Declares a schedule: a function that is called at certain times, once for each on any number of nodes. A tick is an event,
 * and the function its handler: what is true of runs is true of it. The name is its identity: change it only with `formerly`.
 *
 * The cron expression has five fields (minute, hour, day of month, month, day of week), or six with seconds first. It is read
 * when a Hapax is created with it.
 *
 * @throws `config_invalid` with everything that is wrong with its options
 * @example
 * const nightly = schedule('nightly', '0 3 * * *', { timezone: 'Europe/Athens' }, async (event, run) => {
 *   await run.step('close', (key) => closeBooks(event.data.at, key))
 * })
 * const hapax = await createHapax({ store: 'sqlite:hapax.db', schedules: [nightly] })
 */
export function schedule(
  name: string,
  cron: string,
  options: ScheduleOptions,
  body: (event: HandlerEvent<ScheduleTick>, run: Run) => unknown,
): Schedule {
  const problems = declarationProblems(name, cron, options, body)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `schedule ${found(name)}: ${problem}`))
  const { timezone = 'UTC', missed = 'latest', ...handling } = options
  const firstName = options.formerly?.[0] ?? name
  const ofTicks = { on: tickType(firstName), schema: tickSchema, pickUp: 0, ...handling }
  return Object.freeze({
    name,
    firstName,
    cron,
    timezone,
    missed,
    handlerIn: (group: string) => handler(name, { ...ofTicks, source: group }, body),
  })
}

/**
 * Reads the cron expressions.
 *
 * @throws `config_invalid` with all that are not understood
 */
export async function openSchedules(schedules: readonly Schedule[]): Promise<readonly OpenSchedule[]> {
  const read = await Promise.all(schedules.map(async (schedule) => ({ schedule, times: await openCron(schedule) })))
  const problems = read.flatMap(({ schedule, times }) => problemOf(schedule, times))
  if (problems.length > 0) throw configInvalid(problems)
  return read.flatMap(({ schedule, times }) => ('problem' in times ? [] : [{ schedule, times }]))
}

/** What is wrong with the cron expressions and time zones of these. */
export async function cronProblems(schedules: readonly Schedule[]): Promise<readonly string[]> {
  const read = await Promise.all(schedules.map(async (schedule) => problemOf(schedule, await openCron(schedule))))
  return read.flat()
}

function problemOf({ name }: Schedule, times: Awaited<ReturnType<typeof openCron>>): string[] {
  return 'problem' in times ? [`schedule ${found(name)}: ${times.problem}`] : []
}

const known = [
  'timezone',
  'missed',
  'retry',
  'timeout',
  'expires',
  'needs',
  'order',
  'undoOnDeath',
  'version',
  'formerly',
]

const nameLengthMost = limits.nameLength - tickType('').length

function declarationProblems(name: unknown, cron: unknown, options: ScheduleOptions, body: unknown): string[] {
  if (typeof options !== 'object' || options === null) return ['options: wanted { timezone, missed, … }']
  const { timezone, missed } = options
  const names: readonly unknown[] = [name, ...(Array.isArray(options.formerly) ? options.formerly : [])]
  return [
    ...handlerProblems(name, { ...options, source: 'any', on: 'any' }, body),
    ...(names.some((one) => typeof one === 'string' && one.length > nameLengthMost)
      ? [`name: wanted at most ${nameLengthMost} characters`]
      : []),
    ...(typeof cron === 'string' && cron.trim() !== ''
      ? []
      : [`cron: wanted an expression like '0 3 * * *', found ${found(cron)}`]),
    ...(timezone === undefined || (typeof timezone === 'string' && timezone !== '')
      ? []
      : [`timezone: wanted one like 'Europe/Athens', found ${found(timezone)}`]),
    ...(missed === undefined || missedTicks.includes(missed)
      ? []
      : [`missed: wanted one of ${missedTicks.join(', ')}, found ${found(missed)}`]),
    ...Object.keys(options)
      .filter((option) => !known.includes(option))
      .map((option) => `${option} is no option of a schedule`),
  ]
}

/** Types the data, and turns away what somebody else sent under a schedule's type. */
const tickSchema: StandardSchema<ScheduleTick> = {
  '~standard': {
    version: 1,
    vendor: 'hapax',
    validate(value) {
      if (typeof value === 'object' && value !== null && 'schedule' in value && 'at' in value) {
        const { schedule, at } = value
        if (typeof schedule === 'string' && typeof at === 'string') return { value: { schedule, at } }
      }
      return { issues: [{ message: 'is no tick of a schedule: wanted { schedule, at }' }] }
    },
  },
}
