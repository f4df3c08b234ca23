import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Handler } from '../engine/handler.ts'
import type { Schedule } from '../engine/schedule.ts'
import { configInvalid, found } from '../errors/config-invalid.ts'
import type { AlertChannel } from '../event/alert.ts'
import { durationMs } from '../kit/duration.ts'
import { elementsOf } from '../kit/elements.ts'
import type { LogLevel } from '../kit/log.ts'
import { nearest } from '../kit/nearest.ts'
import type { Source } from '../sources/source.ts'
import { type CheckedOptions, optionProblems, scheduleProblems } from './check-options.ts'
import { lists, type Option, options } from './schema.ts'

/** A configuration with every default filled in; durations in milliseconds. */
export interface Config {
  readonly store: string
  readonly group: string
  readonly key: string | undefined
  readonly concurrency: number
  /** Undefined: as the store has it by default. */
  readonly migrate: 'check' | 'auto' | undefined
  readonly leaseMs: number
  readonly beatMs: number
  readonly graceMs: number
  readonly host: string
  readonly port: number
  /** Host names, beside those of loopback, by which the API may be called. */
  readonly hosts: readonly string[]
  readonly payloadsMs: number
  readonly journalMs: number
  readonly identitiesMs: number
  readonly logLevel: LogLevel
  readonly sources: readonly Source[]
  readonly handlers: readonly Handler[]
  readonly schedules: readonly Schedule[]
  /** Undefined: none are named, and the log has them. */
  readonly alerts: readonly AlertChannel[] | undefined
  /** The file that it came from. */
  readonly file: string | undefined
}

/** Where a configuration comes from. */
export interface LoadOptions {
  /** Path of the config file. Default: `hapax.config.ts`, `.js` or `.mjs` in the working directory, where there is one. */
  readonly file?: string
  /** By option path: `{ 'server.port': '0' }`. */
  readonly flags?: Readonly<Record<string, string>>
  /** Default: the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: the working directory. */
  readonly cwd?: string
}

const files = ['hapax.config.ts', 'hapax.config.js', 'hapax.config.mjs']
/** As a `Host` header has it, less the port. */
const hostName = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*)|\[[0-9A-Fa-f:.]+\])$/
const levels = ['debug', 'info', 'warn', 'error'] as const
const migrateModes = ['check', 'auto'] as const

/**
 * Loads the configuration: flag, environment, file, default, in this order.
 *
 * @throws `config_invalid` with every mistake at once; never the value of a secret
 */
export async function loadConfig(given: LoadOptions = {}): Promise<Config> {
  const env = given.env ?? readEnvironment()
  const cwd = given.cwd ?? process.cwd()
  const problems: string[] = []
  /** Options that are refused for themselves: not looked at again beside others. */
  const refused = new Set<string>()
  const file =
    given.file === undefined ? files.map((name) => resolve(cwd, name)).find(existsSync) : resolve(cwd, given.file)
  const written = file === undefined ? {} : await fileOf(file)
  refuseUnknown(written, problems)

  const value = (path: string): unknown => {
    const known = options.find((one) => one.path === path)
    if (!known) return undefined
    const [raw, from] = pick(known, written, given.flags ?? {}, env)
    const before = problems.length
    const value = checked(known, raw, from, problems)
    if (problems.length > before) refused.add(path)
    return value
  }
  const text = (path: string): string => String(value(path) ?? '')
  const number = (path: string): number => Number(value(path))
  const key = value('key')
  const migrate = value('migrate')
  const migrateMode = migrateModes.find((one) => one === migrate)
  if (migrate !== undefined && !migrateMode)
    problems.push(`migrate: wanted one of ${migrateModes.join(', ')}, found ${found(migrate)}`)
  const level = levels.find((one) => one === value('log.level'))
  if (!level) problems.push(`log.level: wanted one of ${levels.join(', ')}, found ${found(value('log.level'))}`)
  const config: Config = {
    store: text('store'),
    migrate: migrateMode,
    group: text('group'),
    key: typeof key === 'string' && key !== '' ? key : undefined,
    concurrency: number('concurrency'),
    leaseMs: number('lease'),
    beatMs: number('beat'),
    graceMs: number('grace'),
    host: text('server.host'),
    port: number('server.port'),
    payloadsMs: number('retention.payloads'),
    journalMs: number('retention.journal'),
    identitiesMs: number('retention.identities'),
    logLevel: level ?? 'info',
    hosts: hostsOf(text('server.hosts')),
    sources: listOf<Source>(written, 'sources', problems) ?? [],
    handlers: listOf<Handler>(written, 'handlers', problems) ?? [],
    schedules: listOf<Schedule>(written, 'schedules', problems) ?? [],
    alerts: listOf<AlertChannel>(written, 'alerts', problems),
    file,
  }
  for (const { about, says } of optionProblems(checkedOf(config)))
    if (!about.some((path) => refused.has(path))) problems.push(says)
  problems.push(...(await scheduleProblems(config.schedules)))
  if (config.port > 65_535) problems.push('server.port must be 65535 or less')
  if (problems.length > 0) throw configInvalid(problems)
  return Object.freeze(config)
}

/** The environment of the process: read here alone. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env
}

async function fileOf(file: string): Promise<object> {
  if (!existsSync(file)) throw configInvalid([`there is no file ${file}`])
  const loaded: { default?: unknown } = await import(pathToFileURL(file).href)
  if (typeof loaded.default !== 'object' || loaded.default === null) {
    throw configInvalid([`${file} has no default export: export default defineConfig({ … })`])
  }
  return loaded.default
}

function refuseUnknown(written: object, problems: string[]): void {
  const known = [...options.map(({ path }) => path), ...lists.map(({ path }) => path)]
  const sections = new Set(known.filter((path) => path.includes('.')).map((path) => path.split('.')[0]))
  for (const [name, value] of Object.entries(written)) {
    const paths =
      sections.has(name) && typeof value === 'object' && value !== null
        ? Object.keys(value).map((inner) => `${name}.${inner}`)
        : [name]
    for (const path of paths) {
      if (known.includes(path)) continue
      const meant = nearest(path, known)
      problems.push(`${path} is no option${meant === undefined ? '' : `; did you mean ${meant}?`}`)
    }
  }
}

function pick(
  { path, env: name, default: fallback }: Option,
  written: object,
  flags: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): [unknown, string] {
  if (flags[path] !== undefined) return [flags[path], `--${path.split('.').at(-1)}`]
  if (env[name] !== undefined && env[name] !== '') return [env[name], name]
  const inFile = path
    .split('.')
    .reduce<unknown>((at, part) => (typeof at === 'object' && at !== null ? Reflect.get(at, part) : undefined), written)
  return inFile === undefined ? [fallback, 'the default'] : [inFile, path]
}

function checked(
  { path, type, secret }: Option,
  raw: unknown,
  from: string,
  problems: string[],
): string | number | undefined {
  if (raw === undefined) return undefined
  const shown = secret ? 'a secret' : found(raw)
  if (type === 'text') {
    if (typeof raw === 'string') return raw
    problems.push(`${path} (from ${from}): wanted text, found ${shown}`)
    return undefined
  }
  if (type === 'list') {
    const items = elementsOf(raw) ?? (typeof raw === 'string' ? hostsOf(raw) : [raw])
    if (items.every((item) => typeof item === 'string' && hostName.test(item))) return items.join(',')
    problems.push(`${path} (from ${from}): wanted host names without their ports, found ${shown}`)
    return undefined
  }
  if (type === 'duration') {
    const ms = durationMs(raw)
    if (ms === undefined) problems.push(`${path} (from ${from}): wanted a duration like '10s', found ${shown}`)
    return ms ?? Number.NaN
  }
  const parsed = typeof raw === 'number' ? raw : typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : Number.NaN
  if (!Number.isSafeInteger(parsed) || parsed < 0)
    problems.push(`${path} (from ${from}): wanted a whole number, found ${shown}`)
  return parsed
}

/** What makes the items of each list. */
const makers = {
  sources: 'stripe({ … }), github({ … }) …',
  handlers: 'handler(…)',
  schedules: 'schedule(…)',
  alerts: 'slackAlert({ … }), webhookAlert({ … }) …',
}

/** A list of the file as it is written, where there is one: {@link optionProblems} looks at its items. */
function listOf<Item>(written: object, name: keyof typeof makers, problems: string[]): readonly Item[] | undefined {
  const list: unknown = Reflect.get(written, name)
  if (list === undefined || Array.isArray(list)) return list
  problems.push(`${name}: wanted a list of what ${makers[name]} returns`)
  return undefined
}

function hostsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '')
}

function checkedOf(config: Config): CheckedOptions {
  const {
    group,
    concurrency,
    leaseMs: lease,
    beatMs: beat,
    graceMs: grace,
    sources,
    handlers,
    schedules,
    alerts,
  } = config
  const retention = { payloads: config.payloadsMs, journal: config.journalMs, identities: config.identitiesMs }
  return { group, concurrency, lease, beat, grace, retention, sources, handlers, schedules, alerts }
}
