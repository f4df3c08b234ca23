import { HapaxError } from '../errors/hapax-error.ts'
import { type Clock, within } from '../kit/clock.ts'
import type { Aborts } from './aborts.ts'
import type { StragglingSteps } from './straggling-steps.ts'

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
 * Calls `effect` with a deadline. A function that outlives it straggles: its step waits for it before it is tried again.
 *
 * @throws `step_timeout`; what `effect` throws
 */
export async function inTime<Value>(
  host: { readonly clock: Clock; readonly stragglers: StragglingSteps },
  call: TimedCall,
  effect: (signal: AbortSignal) => Value | Promise<Value>,
): Promise<Value> {
  const { timeoutMs, aborts } = call
  const controller = aborts.begin()
  try {
    const returned = effect(controller.signal)
    if (!isThenable(returned)) return returned
    const settling = Promise.resolve(returned)
    host.stragglers.add(call.run, call.text, settling, timeoutMs)
    return await within(host.clock, settling, timeoutMs, () => {
      controller.abort()
      return new HapaxError('step_timeout', { name: call.name, timeoutMs })
    })
  } finally {
    aborts.end(controller)
  }
}

/** A promise of any make: query builders and older libraries return their own. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
