import { type Clock, settledWithin } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Dispatcher } from './dispatcher.ts'

/**
 * Waits for runs to end. Those that outlive the grace are asked to, and handed back, at no cost of an attempt; those that
 * do not even end then are handed back with their steps in doubt.
 */
export async function endRuns(
  clock: Clock,
  dispatcher: Pick<Dispatcher, 'quiet' | 'handBackAll' | 'abandonAll'>,
  graceMs: number,
): Promise<void> {
  if (await settledWithin(clock, dispatcher.quiet(), graceMs)) return
  dispatcher.handBackAll()
  if (await settledWithin(clock, dispatcher.quiet(), limits.lastWordMs)) return
  dispatcher.abandonAll()
  await settledWithin(clock, dispatcher.quiet(), limits.lastWordMs)
}
