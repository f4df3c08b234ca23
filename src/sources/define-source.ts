import { configInvalid } from '../errors/config-invalid.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { type Duration, durationMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import { ratePerSecond } from '../kit/rate.ts'
import type {
  ContentIdentity,
  OrderKeyEvent,
  OutgoingMessage,
  RawRequest,
  Source,
  SourceOptions,
  Verdict,
} from './source.ts'

/** What a scheme brings to {@link defineSource}. */
export interface Scheme<Data> {
  readonly scheme: string
  readonly conflictStatus: 200 | 409
  /** Fields that the provider's own resends change. */
  readonly fingerprintWithout?: readonly string[]
  readonly identity?: ContentIdentity | undefined
  readonly replayWindowMs?: number
  /** How long the provider may send an event again; absent: not known. */
  readonly resendsMs?: number
  /** What of the options is wrong, one sentence each. */
  readonly problems?: readonly string[]
  /** The body as the order key's function may see it; undefined: the event is not ordered. */
  shape(data: unknown): Data | undefined
  verify(request: RawRequest): Verdict
  sign?: ((message: OutgoingMessage) => Record<string, string>) | undefined
}

/**
 * A source of a scheme: checks the options that all share, fills in defaults.
 *
 * @throws `config_invalid` with all that is wrong, and never a secret
 */
export function defineSource<Data>(options: SourceOptions<Data>, scheme: Scheme<Data>): Source {
  const { name = scheme.scheme, tenant = 'default', bodyBytes = limits.bodyBytes, orderKey } = options
  const problems = [...(scheme.problems ?? [])]
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name.length > limits.nameLength) {
    problems.push(`name: 1 to ${limits.nameLength} letters, digits, '.', '_' or '-', as a part of the URL`)
  }
  if (typeof tenant !== 'string' || tenant === '' || Buffer.byteLength(tenant) > limits.idBytes) {
    problems.push(`tenant: 1 to ${limits.idBytes} bytes of text`)
  }
  if (!Number.isSafeInteger(bodyBytes) || bodyBytes < 1) problems.push('bodyBytes: a whole number of bytes, at least 1')
  if (orderKey !== undefined && typeof orderKey !== 'function') problems.push('orderKey: a function of the event')
  const rate = ratePerSecond(options.rate)
  if (options.rate !== undefined && rate === undefined) problems.push("rate: how often, like '100/s' or '5/m'")
  const resendsMs = options.resends === undefined ? scheme.resendsMs : optionMs('resends', options.resends, problems)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `${scheme.scheme}(): ${problem}`))
  return Object.freeze({
    name,
    scheme: scheme.scheme,
    tenant,
    bodyBytes,
    fingerprintWithout: Object.freeze([...(scheme.fingerprintWithout ?? []), ...(options.fingerprintWithout ?? [])]),
    rate,
    identity: scheme.identity,
    replayWindowMs: scheme.replayWindowMs ?? 0,
    resendsMs,
    conflictStatus: scheme.conflictStatus,
    orderKey: orderKey && ((event: OrderKeyEvent) => orderKeyOf(orderKey, event.type, scheme.shape(event.data))),
    verify: scheme.verify,
    sign: scheme.sign,
  })
}

/** A duration option in milliseconds; NaN and a problem where it is none. */
export function optionMs(option: string, value: Duration, problems: string[]): number {
  const ms = durationMs(value)
  if (ms === undefined) problems.push(`${option}: a duration like '5m' or a number of milliseconds`)
  return ms ?? Number.NaN
}

function orderKeyOf<Data>(
  orderKey: (event: OrderKeyEvent<Data>) => string | null | undefined,
  type: string,
  data: Data | undefined,
): string | undefined {
  if (data === undefined) return undefined
  const key: unknown = orderKey({ type, data })
  if (key === undefined || key === null || key === '') return undefined
  // Unordered in silence would break the promise of order; a number's text could be another key's.
  if (typeof key !== 'string')
    throw new HapaxError('invalid_event', { reason: `orderKey gave a ${typeof key}, no text` })
  return key
}
