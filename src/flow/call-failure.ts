import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'
import { statusOf } from './error-response.ts'

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

/**
 * HTTP statuses that are not transient (DESIGN section 4, and those by which RFC 9110 and 6585 refuse the request as it is); all
 * others from 400 on are. 412 is, too: that a precondition does not hold may be the effect of the try before.
 */
const byStatus: ReadonlyMap<number, CallVerdict> = new Map([
  ...[400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 426, 428, 431, 451].map(
    (status) => [status, 'fatal'] as const,
  ),
  ...[401, 403, 407].map((status) => [status, 'configuration'] as const),
  [429, 'later'],
])

/**
 * Codes of Node and OpenSSL for a certificate that does not convince, and for sides that have no TLS in common: to ask again does
 * not mend it, and nothing was sent. A connection that broke once TLS stood is not among them: what was sent may have arrived.
 */
const certificateCode = new RegExp(
  [
    '^CERT_(?:HAS_EXPIRED|NOT_YET_VALID|REJECTED|REVOKED|UNTRUSTED|CHAIN_TOO_LONG|SIGNATURE_FAILURE)$',
    '^ERR_TLS_(?:CERT_|INVALID_|DH_PARAM_SIZE|PROTOCOL_VERSION_CONFLICT)',
    '^UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)_',
    '^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)$',
    '^ERR_SSL_(?:WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$',
    '^ERR_SSL_.*_ALERT_(?:HANDSHAKE_FAILURE|UNKNOWN_CA|PROTOCOL_VERSION|INSUFFICIENT_SECURITY|UNRECOGNIZED_NAME)$',
    '^ERR_SSL_.*_ALERT_(?:NO_APPLICATION_PROTOCOL|ACCESS_DENIED|.*CERTIFICATE.*)$',
  ].join('|'),
)

/** Which verdict an HTTP status has, in the place of the usual one. */
export type Statuses = Readonly<Record<number, CallVerdict>>

/**
 * What an error of a client means, by the status that it bears (as fetch wrappers, Stripe's and most SDKs have it), else by its
 * code; undefined: it is a mistake of the code that called, and says nothing of the other side.
 */
export function verdictOf(error: unknown, statuses: Statuses = {}): CallVerdict | undefined {
  if (error instanceof RetryLater) return 'later'
  if (error instanceof Fatal) return 'fatal'
  if (error instanceof NotSent) return 'transient'
  if (error instanceof HapaxError) return verdictOfOurs(error)
  const status = statusOf(error)
  // A redirect that was not followed refuses nothing, and the next try finds it again.
  if (status !== undefined)
    return statuses[status] ?? (status < 400 ? undefined : (byStatus.get(status) ?? 'transient'))
  if (codesOf(error).some((code) => certificateCode.test(code))) return 'configuration'
  return isMistake(error) ? undefined : 'transient'
}

/** A timeout of ours, a Hapax elsewhere that is called as a dependency; most others are mistakes of the code. */
function verdictOfOurs({ status }: HapaxError): CallVerdict | undefined {
  if (status === 429) return 'later'
  return status === 503 || status === 504 ? 'transient' : undefined
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

/** `fetch` throws a TypeError with a cause where the network failed, and where its own arguments are wrong. */
function isMistake(error: unknown): boolean {
  if (error instanceof ReferenceError || error instanceof RangeError) return true
  if (codesOf(error).some((code) => /^ERR_INVALID_(?:ARG|CHAR|HTTP|PROTOCOL|URL)/.test(code))) return true
  return error instanceof TypeError && error.cause === undefined && error.message !== 'fetch failed'
}
