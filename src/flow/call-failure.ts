import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'

/**
 * What a failed call means. `transient`: the other side may be down; it counts against the circuit. `later`: it is up and asks to
 * wait (429). `fatal`: it refuses this very request. `configuration`: it refuses us (401, a certificate), whatever we send.
 */
export type CallVerdict = 'transient' | 'later' | 'fatal' | 'configuration'

/** A call that failed: at which dependency, and what that means. */
export interface CallFailure {
  readonly dependency: string
  readonly verdict: CallVerdict
  /** When to try again at the earliest, as the other side asked; undefined: it did not say. */
  readonly retryAt: number | undefined
}

/** How deep a handler may have wrapped an error that a call threw. */
const causesLookedAt = 5

const failures = new WeakMap<object, CallFailure>()

/** Remembers of an error that a call through a dependency threw it, however far it is thrown on. */
export function markFailure(error: unknown, failure: CallFailure): void {
  if (typeof error === 'object' && error !== null) failures.set(error, failure)
}

/** The call that an error came of, also where a handler wrapped it; undefined: of none. */
export function callFailureOf(error: unknown): CallFailure | undefined {
  let one: unknown = error
  for (let depth = 0; depth < causesLookedAt && typeof one === 'object' && one !== null; depth++) {
    const failure = failures.get(one)
    if (failure) return failure
    one = 'cause' in one ? one.cause : undefined
  }
  return undefined
}

/** HTTP statuses that are not transient (DESIGN section 4); all others from 400 on are. */
const byStatus: ReadonlyMap<number, CallVerdict> = new Map([
  ...[400, 402, 404, 410, 413, 415, 422].map((status) => [status, 'fatal'] as const),
  ...[401, 403, 407].map((status) => [status, 'configuration'] as const),
  [429, 'later'],
])

/** Codes of Node and OpenSSL for a certificate that does not convince: to ask again does not mend it. */
const certificateCode = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH)/

/**
 * What an error of a client means, by the status that it bears (`status` or `statusCode`, as fetch wrappers, Stripe's and most
 * SDKs have it), else by its code; undefined: it is a mistake of the code that called, and says nothing of the other side.
 */
export function verdictOf(error: unknown): CallVerdict | undefined {
  if (error instanceof RetryLater) return 'later'
  if (error instanceof Fatal) return 'fatal'
  if (error instanceof NotSent) return 'transient'
  const status = statusOf(error)
  if (status !== undefined) return byStatus.get(status) ?? 'transient'
  if (codesOf(error).some((code) => certificateCode.test(code))) return 'configuration'
  return isMistake(error) ? undefined : 'transient'
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const status = 'status' in error ? error.status : 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined
}

function codesOf(error: unknown): string[] {
  const codes: string[] = []
  let one: unknown = error
  for (let depth = 0; depth < causesLookedAt && typeof one === 'object' && one !== null; depth++) {
    if ('code' in one && typeof one.code === 'string') codes.push(one.code)
    one = 'cause' in one ? one.cause : undefined
  }
  return codes
}

/** `fetch` throws a TypeError with a cause where the network failed. */
function isMistake(error: unknown): boolean {
  if (error instanceof ReferenceError || error instanceof RangeError) return true
  return error instanceof TypeError && error.cause === undefined && error.message !== 'fetch failed'
}
