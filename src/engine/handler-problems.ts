import { found } from '../errors/config-invalid.ts'
import { durationMs } from '../kit/duration.ts'
import { elementsOf } from '../kit/elements.ts'
import { limits } from '../kit/limits.ts'
import { countProblems, isName, names, spanProblems } from '../kit/option-problems.ts'
import { ratePerSecond } from '../kit/rate.ts'
import type { HandlerOptions, RetryOptions } from './handler.ts'

/** All that is wrong with how a handler is declared, by whoever wrote it: JavaScript, a cast, a computed number. */
export function handlerProblems<Data>(name: unknown, options: HandlerOptions<Data>, body: unknown): string[] {
  if (typeof options !== 'object' || options === null) return ['options: wanted { source, on, … }']
  const { retry, order, coalesce, uses = [], needs = [], formerly = [], version, schema, undoOnDeath } = options
  const { rate, concurrency, priority, supersede } = options
  return [
    ...(isName(name) ? [] : [`name: wanted ${names}`]),
    ...patternProblems('source', options.source),
    ...patternProblems('on', options.on),
    ...(retry === undefined ? [] : retryProblems(retry)),
    ...spanProblems('timeout', options.timeout, 1),
    ...spanProblems('expires', options.expires, 1),
    ...spanProblems('pickUp', options.pickUp, 0),
    ...(isOrder(order) ? [] : ["order: wanted true, { onDead: 'block' } or { onDead: 'skip' }"]),
    ...(coalesce === undefined ? [] : coalesceProblems(coalesce)),
    ...(supersede === undefined || isSupersede(supersede)
      ? []
      : ['supersede: wanted { key, version }, each a function of the event']),
    ...(elementsOf(uses)?.every(isDependency) ? [] : ['uses: wanted a list of what dependency() declares']),
    ...(rate === undefined || ratePerSecond(rate) !== undefined
      ? []
      : [`rate: wanted how often, like '50/s' or '5/m', found ${found(rate)}`]),
    ...concurrencyProblems(concurrency),
    ...(priority === undefined || typeof priority === 'function' || Number.isFinite(priority)
      ? []
      : [`priority: wanted a number or a function of the event, found ${found(priority)}`]),
    ...(elementsOf(needs)?.every((need) => need === 'transaction')
      ? []
      : ["needs: wanted a list of 'transaction', or none"]),
    ...(elementsOf(formerly)?.every((before) => isName(before) && before !== name)
      ? []
      : [`formerly: wanted a list of names that it had before, each ${names}`]),
    ...(version === undefined || typeof version === 'string' ? [] : ['version: wanted text']),
    ...(undoOnDeath === undefined || typeof undoOnDeath === 'boolean' ? [] : ['undoOnDeath: wanted true or false']),
    ...(schema === undefined || isSchema(schema)
      ? []
      : ['schema: wanted a Standard Schema, as zod, valibot or arktype make']),
    ...(typeof body === 'function' ? [] : ['body: wanted a function of (event, run)']),
  ]
}

/** All that is wrong with a retry policy, of a handler or of a step. */
export function retryProblems(retry: RetryOptions): string[] {
  if (typeof retry !== 'object' || retry === null) return ['retry: wanted { attempts, min, max, factor, jitter }']
  const { attempts, factor, jitter, min, max } = retry
  const problems = [...spanProblems('retry.min', min, 0), ...spanProblems('retry.max', max, 0)]
  if (attempts !== undefined && !(Number.isSafeInteger(attempts) && attempts >= 1))
    problems.push(`retry.attempts: wanted a whole number of 1 or more, found ${attempts}`)
  if (factor !== undefined && !(Number.isFinite(factor) && factor >= 1))
    problems.push(`retry.factor: wanted a number of 1 or more, found ${factor}`)
  if (jitter !== undefined && jitter !== 'full' && jitter !== 'none')
    problems.push(`retry.jitter: wanted 'full' or 'none', found ${found(jitter)}`)
  const minMs = durationMs(min)
  const maxMs = durationMs(max)
  if (minMs !== undefined && maxMs !== undefined && minMs > maxMs)
    problems.push(`retry.min (${minMs} ms) must be at most retry.max (${maxMs} ms)`)
  return problems
}

function coalesceProblems(coalesce: unknown): string[] {
  if (typeof coalesce !== 'object' || coalesce === null) return ['coalesce: wanted { key, window }']
  const window: unknown = Reflect.get(coalesce, 'window')
  const windowMs = durationMs(window)
  const problems = []
  if (typeof Reflect.get(coalesce, 'key') !== 'function') problems.push('coalesce.key: wanted a function of the event')
  if (windowMs === undefined || windowMs < 1 || windowMs > limits.coalesceWindowMs)
    problems.push(`coalesce.window: wanted a duration of 1 ms to 1 hour, like '5s', found ${found(window)}`)
  return problems
}

function isSupersede(supersede: unknown): boolean {
  if (typeof supersede !== 'object' || supersede === null) return false
  return ['key', 'version'].every((name) => typeof Reflect.get(supersede, name) === 'function')
}

/** A wildcard is the last character; elsewhere it would match nothing but itself. */
function patternProblems(option: string, value: unknown): string[] {
  const patterns: readonly unknown[] = elementsOf(value) ?? [value]
  if (patterns.length === 0) return [`${option}: the list is empty, so that it takes nothing`]
  return patterns.flatMap((pattern) => {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > limits.nameLength + 1)
      return [`${option}: wanted 1 to ${limits.nameLength} characters, found ${found(pattern)}`]
    return pattern.slice(0, -1).includes('*') ? [`${option}: "${pattern}" has its * before the end`] : []
  })
}

function concurrencyProblems(concurrency: unknown): string[] {
  if (typeof concurrency !== 'object' || concurrency === null) return countProblems('concurrency', concurrency)
  return (['limit', 'perKey'] as const).flatMap((name) =>
    countProblems(`concurrency.${name}`, Reflect.get(concurrency, name)),
  )
}

function isDependency(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && 'circuit' in value
}

function isOrder(order: unknown): boolean {
  if (order === undefined || typeof order === 'boolean') return true
  if (typeof order !== 'object' || order === null) return false
  const onDead: unknown = Reflect.get(order, 'onDead')
  return onDead === 'block' || onDead === 'skip'
}

/** An object, or a function: some schemas are called. */
function isSchema(schema: unknown): boolean {
  return ((typeof schema === 'object' && schema !== null) || typeof schema === 'function') && '~standard' in schema
}
