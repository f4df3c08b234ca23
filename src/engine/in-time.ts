import { HapaxError } from '../errors/hapax-error.ts'
import { type Clock, within } from '../kit/clock.ts'
import type { Aborts } from './aborts.ts'
import type { StragglingSteps } from './straggling-steps.ts'

/** What a timed call needs of its node. */
export interface TimedHost {
  readonly clock: Clock
  readonly stragglers: StragglingSteps
}

/** One call of a caller's function on behalf of a step. */
export interface TimedCall {
  readonly run: string
  /** The step's text: what straggles under it is waited for before the step is tried again. */
  readonly text: string
  readonly name: string
  readonly timeoutMs: number
  /** Of the attempt that it is part of. */
  readonly aborts: Aborts
}

/**
 * Calls `effect` with a deadline. A function that outlives it straggles: its step waits for it before it is tried again. What is
 * answered at once is given back so, without a promise.
 *
 * @throws `step_timeout`; what `effect` throws
 */
export function inTime<Value>(
  host: TimedHost,
  call: TimedCall,
  effect: (signal: AbortSignal) => Value | Promise<Value>,
): Value | Promise<Value> {
  const { aborts } = call
  const controller = aborts.begin()
  let returned: Value | Promise<Value>
  try {
    returned = effect(controller.signal)
  } catch (error) {
    aborts.end(controller)
    throw error
  }
  if (isThenable(returned)) return settledInTime(host, call, controller, Promise.resolve(returned))
  aborts.end(controller)
  return returned
}

async function settledInTime<Value>(
  host: TimedHost,
  { run, text, name, timeoutMs, aborts }: TimedCall,
  controller: AbortController,
  settling: Promise<Value>,
): Promise<Value> {
  try {
    host.stragglers.add(run, text, settling, timeoutMs)
    return await within(host.clock, settling, timeoutMs, () => {
      controller.abort()
      return new HapaxError('step_timeout', { name, timeoutMs })
    })
  } finally {
    aborts.end(controller)
  }
}

/** A promise of any make: query builders and older libraries return their own. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
