import { HapaxError } from '../errors/hapax-error.ts'
import type { Instant } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'

/**
 * Thrown by a handler or step: this run can never succeed. It goes to `dead` at once, and a step that throws it did
 * definitely not have its effect.
 *
 * @example throw new Fatal('the account is closed')
 */
export class Fatal extends Error {
  override readonly name = 'Fatal'
}

/**
 * Thrown by a step: nothing left the house, so the step is not in doubt. Retried by policy.
 *
 * @example throw new NotSent('no connection could be had')
 */
export class NotSent extends Error {
  override readonly name: string = 'NotSent'
}

/**
 * Thrown by a handler or step: not now. Defers the run without costing an attempt; the step is not in doubt.
 *
 * @example throw new RetryLater('30s', 'the bank opens at nine')
 */
export class RetryLater extends Error {
  override readonly name = 'RetryLater'
  /** How long from now; or, with `at`, when. */
  readonly delayMs: number | undefined
  readonly at: Instant | undefined

  /**
   * @param when a span from now, or a Date; one that has passed means now.
   * @throws `duration_invalid`, also for a Date that is none
   */
  constructor(when: Duration | Date, message = 'deferred') {
    super(message)
    if (when instanceof Date && Number.isNaN(when.getTime())) {
      throw new HapaxError('duration_invalid', { found: 'an invalid Date' })
    }
    this.delayMs = when instanceof Date ? undefined : toMs(when)
    this.at = when instanceof Date ? when.getTime() : undefined
  }
}

/** What `run.waitFor` rejects with when no signal came in time. It is a checkpoint: every later attempt sees the same. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout'
  /** The signal's name. */
  readonly signal: string

  constructor(signal: string, timeoutMs: number) {
    super(`No signal "${signal}" came within ${timeoutMs} ms.`)
    this.signal = signal
  }
}

/**
 * Thrown by a call through a dependency whose circuit is open: nothing was sent. Where it leaves the handler the run is parked,
 * at no cost of an attempt, until the dependency is up.
 */
export class CircuitOpen extends NotSent {
  override readonly name = 'CircuitOpen'
  /** The dependency's name. */
  readonly dependency: string

  constructor(dependency: string) {
    super(`The circuit of ${dependency} is open.`)
    this.dependency = dependency
  }
}

/**
 * Thrown by a call through a dependency that got no slot, or no turn in its rate, in time: nothing was sent. Where it leaves the
 * handler the run is deferred, at no cost of an attempt.
 */
export class NotGranted extends NotSent {
  override readonly name = 'NotGranted'
  /** The dependency's name. */
  readonly dependency: string
  /** How long to wait before it is worth another try, in milliseconds. */
  readonly retryInMs: number

  constructor(dependency: string, retryInMs: number) {
    super(`The limits of ${dependency} gave no turn in time.`)
    this.dependency = dependency
    this.retryInMs = retryInMs
  }
}
