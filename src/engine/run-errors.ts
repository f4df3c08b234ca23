import { HapaxError } from '../errors/hapax-error.ts'
import { CircuitOpen, Fatal, NotGranted, NotSent, RetryLater } from '../event/outcome.ts'
import type { RecordedError } from '../event/run.ts'
import { callFailureOf } from '../flow/call-failure.ts'
import type { Instant } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Outcome } from './decide.ts'
import type { RetryPolicy } from './handler.ts'

/** What trying again cannot mend: mistakes of the handler's code, which a deploy and a redrive can, and a body that is gone. */
const notMended: ReadonlySet<string> = new Set([
  'result_not_json',
  'result_too_large',
  'step_name_repeated',
  'step_name_invalid',
  'transaction_async',
  'ability_missing',
  'schema_mismatch',
  'duration_invalid',
  'fetch_invalid',
  'confirm_invalid',
  'config_invalid',
  'payload_dropped',
  'batch_invalid',
])

/** Whether this error says for sure that the step had no effect (DESIGN section 2, "in doubt"). */
export function isDefiniteRefusal(error: unknown): boolean {
  if (error instanceof NotSent || error instanceof Fatal || error instanceof RetryLater) return true
  if (error instanceof HapaxError && error.code === 'fetch_invalid') return true
  const failure = callFailureOf(error)
  return failure !== undefined && failure.verdict !== 'transient'
}

/** Whether it says so of the step's earlier tries too: the other side has judged the key, or the handler has. */
export function isFinalRefusal(error: unknown): boolean {
  return error instanceof Fatal || callFailureOf(error)?.verdict === 'fatal'
}

/** What is kept of an error; anything can be thrown. */
export function recordError(error: unknown, step?: string): RecordedError {
  try {
    return recordOf(error, step)
  } catch {
    return { code: 'thrown', message: 'an error was thrown that cannot be read' }
  }
}

/** What is kept of a step's failure: without its stack, since every settlement hands it on. */
export function recordFailure(error: unknown): RecordedError {
  const { code, message } = recordError(error)
  return { code, message: message.slice(0, limits.failureTextLength) }
}

/** The error of a step that failed before, as near as it can be had: code that catches it may go by name and kind. */
export function revivedError({ code, message }: RecordedError): Error {
  return code === 'Fatal'
    ? new Fatal(message)
    : code === 'NotSent'
      ? new NotSent(message)
      : new FailedStep(code, message)
}

class FailedStep extends Error {
  override readonly name: string

  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

function recordOf(error: unknown, step: string | undefined): RecordedError {
  const kept = (text: unknown) =>
    typeof text === 'string' ? text.slice(0, limits.errorTextLength) : `a ${typeof text}`
  const at = step === undefined ? {} : { step }
  if (error instanceof HapaxError) return { code: error.code, message: kept(error.message), ...at }
  if (error instanceof Error) {
    const stack = error.stack === undefined ? {} : { stack: kept(error.stack) }
    return { code: kept(error.name) || 'Error', message: kept(textOf(error)), ...stack, ...at }
  }
  return { code: 'thrown', message: kept(`a ${typeof error} was thrown, wanted an Error`), ...at }
}

/** `fetch failed` alone tells nobody why: its cause has the code, like ECONNREFUSED. */
function textOf({ message, cause }: Error): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && typeof message === 'string' ? `${message} (${code})` : message
}

/**
 * What an error that leaves a handler means for its run.
 *
 * @param policy of the step that failed, else of the handler.
 * @param isDown whether the circuit of a dependency is open: what failed at it has not failed by itself.
 */
export function classify(
  error: unknown,
  from: { readonly policy: RetryPolicy; readonly step: string | undefined },
  now: Instant,
  isDown: (dependency: string) => boolean,
): Outcome {
  const recorded = recordError(error, from.step)
  if (error instanceof CircuitOpen) return { kind: 'parked', error: recorded, dependency: error.dependency }
  if (error instanceof NotGranted) return { kind: 'deferred', error: recorded, until: now + error.retryInMs }
  if (error instanceof RetryLater)
    return { kind: 'deferred', error: recorded, until: Math.max(now, error.at ?? now + (error.delayMs ?? 0)) }
  if (error instanceof Fatal) return { kind: 'fatal', error: recorded }
  if (error instanceof HapaxError && notMended.has(error.code)) return { kind: 'fatal', error: recorded }
  const failure = callFailureOf(error)
  if (!failure) return { kind: 'failed', error: recorded, policy: from.policy }
  const { dependency, verdict, retryAt } = failure
  if (verdict === 'fatal') return { kind: 'fatal', error: recorded }
  if (verdict === 'later')
    return { kind: 'deferred', error: recorded, until: Math.max(now, retryAt ?? now + from.policy.minMs) }
  if (verdict === 'configuration' || isDown(dependency)) return { kind: 'parked', error: recorded, dependency }
  return { kind: 'failed', error: recorded, policy: from.policy, dependency, notBefore: retryAt }
}
