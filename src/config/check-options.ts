import type { Handler } from '../engine/handler.ts'
import { cronProblems, type Schedule } from '../engine/schedule.ts'
import type { Retention } from '../engine/sweeper.ts'
import { configInvalid, found } from '../errors/config-invalid.ts'
import { type AlertChannel, alertKinds } from '../event/alert.ts'
import { type Duration, durationMs, formatDuration } from '../kit/duration.ts'
import { elementsOf } from '../kit/elements.ts'
import { limits } from '../kit/limits.ts'
import { nearest } from '../kit/nearest.ts'
import type { Source } from '../sources/source.ts'

/** What of a Hapax's options is checked: by `createHapax`, and by the loader of config files. */
export interface CheckedOptions {
  readonly sources?: readonly Source[]
  readonly handlers?: readonly Handler[]
  readonly schedules?: readonly Schedule[]
  readonly group?: string
  readonly concurrency?: number
  readonly lease?: Duration
  readonly beat?: Duration
  readonly grace?: Duration
  readonly retention?: Retention
  readonly alerts?: readonly AlertChannel[] | undefined
  readonly key?: string
  readonly migrate?: unknown
}

/** One thing that is wrong, and which options it is about. */
export interface OptionProblem {
  readonly about: readonly string[]
  readonly says: string
}

const known = [
  'store',
  'migrate',
  'sources',
  'handlers',
  'schedules',
  'group',
  'concurrency',
  'lease',
  'beat',
  'grace',
  'retention',
  'alerts',
  'key',
]
const knownToTests = ['log', 'clock', 'random']
const retentions = ['payloads', 'journal', 'identities']

/**
 * Checks all options of a Hapax at once, whoever wrote them: JavaScript, a cast, a computed number.
 *
 * @param others what else was found to be wrong
 * @throws `config_invalid` with everything that is wrong
 */
export function checkOptions(
  options: CheckedOptions & { readonly store: unknown },
  others: readonly string[] = [],
): void {
  const problems = [
    ...unknownNames(options, [...known, ...knownToTests], ''),
    ...unknownNames(options.retention, retentions, 'retention.'),
    ...storeProblems(options.store),
    ...optionProblems(options).map(({ says }) => says),
    ...others,
  ]
  if (problems.length > 0) throw configInvalid([...new Set(problems)])
}

/** What is wrong with when schedules tick: their expressions are read by a library that is loaded only for them. */
export async function scheduleProblems(schedules: unknown): Promise<readonly string[]> {
  return cronProblems(listOf<Schedule>(schedules, 'handlerIn') ?? [])
}

/** What is wrong with the options that a config file has too; absent ones count as their defaults. */
export function optionProblems(options: CheckedOptions): OptionProblem[] {
  const problems: OptionProblem[] = []
  const refuse = (about: readonly string[], says: string) => problems.push({ about, says })
  const span = (path: string, value: unknown, defaultMs: number, leastMs = 0): number => {
    const ms = value === undefined ? defaultMs : durationMs(value)
    if (ms !== undefined && ms >= leastMs) return ms
    const wanted = leastMs > 0 ? "a duration of 1 ms or more, like '10s'" : "a duration like '10s'"
    refuse([path], `${path}: wanted ${wanted}, found ${found(value)}`)
    return Number.NaN
  }
  nameProblems(options, refuse)
  const { migrate } = options
  if (migrate !== undefined && migrate !== 'check' && migrate !== 'auto')
    refuse(['migrate'], `migrate: wanted check or auto, found ${found(migrate)}`)
  const { concurrency = limits.concurrency } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1)
    refuse(['concurrency'], `concurrency: wanted a whole number of 1 or more, found ${found(concurrency)}`)
  const leaseMs = span('lease', options.lease, limits.leaseMs, 1)
  const beatMs = span('beat', options.beat, limits.beatMs, 1)
  span('grace', options.grace, limits.graceMs)
  // NaN, of what is wrong already, compares with nothing.
  if (leaseMs < 3 * beatMs)
    refuse(['lease', 'beat'], `lease (${leaseMs} ms) must be at least three beats (${beatMs} ms each)`)

  const payloadsMs = span('retention.payloads', options.retention?.payloads, limits.payloadRetentionMs)
  const journalMs = span('retention.journal', options.retention?.journal, limits.journalRetentionMs)
  const identitiesMs = span('retention.identities', options.retention?.identities, limits.identityRetentionMs)
  if (journalMs < payloadsMs)
    refuse(['retention.journal', 'retention.payloads'], 'retention.journal must be at least retention.payloads')
  if (identitiesMs < journalMs)
    refuse(
      ['retention.identities', 'retention.journal'],
      'retention.identities must be at least retention.journal: a kept event needs its identity',
    )
  sourceProblems(options.sources, identitiesMs, refuse)
  handlerProblems(options, refuse)
  alertProblems(options.alerts, refuse)
  return problems
}

type Refuse = (about: readonly string[], says: string) => void

function nameProblems({ group, key }: CheckedOptions, refuse: Refuse): void {
  if (group !== undefined && (typeof group !== 'string' || group === '' || group.length > limits.nameLength))
    refuse(['group'], `group: wanted 1 to ${limits.nameLength} characters, found ${found(group)}`)
  else if (group !== undefined && (/\p{Cc}/u.test(group) || !group.isWellFormed()))
    refuse(['group'], 'group: wanted text without control characters and lone surrogates')
  if (key !== undefined && (typeof key !== 'string' || key === ''))
    refuse(['key'], 'key: wanted text, found none; leave it out to keep fingerprint keys as they are')
}

function sourceProblems(sources: unknown, identitiesMs: number, refuse: Refuse): void {
  const given = listOf<Source>(sources, 'verify')
  if (!given) {
    refuse(['sources'], 'sources: wanted a list of what stripe({ … }), github({ … }) … returns')
    return
  }
  for (const name of repeated(given.map((source) => source.name)))
    refuse(['sources'], `two sources are named ${name}: give one a name`)
  for (const { name, resendsMs, identity } of given) {
    if (resendsMs !== undefined && identitiesMs < resendsMs) {
      const span = formatDuration(resendsMs)
      refuse(
        ['sources', 'retention.identities'],
        `retention.identities (${formatDuration(identitiesMs)}) is shorter than source ${name} may resend (${span}): a late resend would be a new event; keep identities for ${span} or longer`,
      )
    }
    const windowMs = identity ? durationMs(identity.window) : undefined
    if (windowMs !== undefined && identitiesMs < windowMs)
      refuse(
        ['sources', 'retention.identities'],
        `retention.identities (${formatDuration(identitiesMs)}) is shorter than the identity window of source ${name} (${formatDuration(windowMs)}): keep identities for as long`,
      )
  }
}

/** A schedule is a handler of its ticks: its name is one, too. */
function handlerProblems({ handlers, schedules }: CheckedOptions, refuse: Refuse): void {
  const given = listOf<Handler>(handlers, 'body')
  const timed = listOf<Schedule>(schedules, 'handlerIn')
  if (!given) refuse(['handlers'], 'handlers: wanted a list of what handler(…) returns')
  if (!timed) refuse(['schedules'], 'schedules: wanted a list of what schedule(…) returns')
  const all = [
    ...(given ?? []).map(({ name, formerly }) => ({ name, firstName: formerly[0] ?? name })),
    ...(timed ?? []),
  ]
  const names = new Set(repeated(all.map(({ name }) => name)))
  for (const name of names)
    refuse(['handlers', 'schedules'], `two handlers are named ${name}: a name is a handler's identity`)
  for (const name of repeated(all.filter((one) => !names.has(one.name)).map(({ firstName }) => firstName)))
    refuse(['handlers', 'schedules'], `two handlers take over the runs of ${name}: name it in formerly of one alone`)
}

function alertProblems(alerts: unknown, refuse: Refuse): void {
  const given = listOf<AlertChannel>(alerts, 'send')
  if (!given) {
    refuse(['alerts'], 'alerts: wanted a list of what slackAlert({ … }), webhookAlert({ … }) … returns')
    return
  }
  for (const { name = 'channel', kinds } of given) {
    const wanted: readonly unknown[] | undefined = kinds === undefined ? [] : elementsOf(kinds)
    if (!wanted) refuse(['alerts'], `alerts: wanted a list of kinds for ${name}, found ${found(kinds)}`)
    for (const kind of wanted ?? []) {
      if (alertKinds.some((known) => known === kind)) continue
      const meant = typeof kind === 'string' ? nearest(kind, alertKinds) : undefined
      const hint = meant === undefined ? `wanted of ${alertKinds.join(', ')}` : `did you mean ${meant}?`
      refuse(['alerts'], `alerts: ${found(kind)} of ${name} is no kind; ${hint}`)
    }
  }
}

function unknownNames(options: object | undefined, names: readonly string[], section: string): string[] {
  return Object.keys(options ?? {})
    .filter((name) => !names.includes(name))
    .map((name) => {
      const meant = nearest(name, names)
      return `${section}${name} is no option${meant === undefined ? '' : `; did you mean ${section}${meant}?`}`
    })
}

function storeProblems(store: unknown): string[] {
  const isOpen = typeof store === 'object' && store !== null && typeof Reflect.get(store, 'commit') === 'function'
  if (typeof store === 'string' || isOpen) return []
  return [`store: wanted a URL like 'sqlite:hapax.db', or an open store; found ${found(store)}`]
}

/** The list, where each of its items has this method: what a factory of Hapax returns. */
function listOf<Item extends object>(list: unknown, method: keyof Item & string): readonly Item[] | undefined {
  if (list === undefined) return []
  const items = elementsOf(list)
  const fits = (item: unknown): item is Item =>
    typeof item === 'object' && item !== null && typeof Reflect.get(item, method) === 'function'
  return items?.every(fits) ? items : undefined
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}
