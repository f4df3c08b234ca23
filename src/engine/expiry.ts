import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import type { RunState } from '../event/run.ts'
import type { Instant } from '../kit/clock.ts'
import type { RunRecord, TriedStep } from '../store/store.ts'
import { doubtsOf } from './doubts.ts'
import type { Handler } from './handler.ts'

/** When a run is too old: counted from when a verb last set it going, else from its event's acceptance. */
export function expiryOf(
  { expiresMs }: Handler,
  { acceptedAt }: EventRecord,
  state: RunState | undefined,
): Instant | undefined {
  return expiresMs === undefined ? undefined : (state?.openedAt ?? acceptedAt) + expiresMs
}

/** When a run that waits is too old to begin; undefined: never, or not while a step is in doubt. */
export function expiryToBegin(
  handler: Handler | undefined,
  event: EventRecord,
  record: RunRecord,
): Instant | undefined {
  if (!handler || doubtsOf(record).some(({ doubt }) => doubt)) return undefined
  return expiryOf(handler, event, record.state)
}

/** Whether nothing new is begun of the run: a step in doubt is confirmed, or repeated, first. */
export function isExpired(expiresAt: Instant | undefined, now: Instant, tried: Iterable<TriedStep>): boolean {
  if (expiresAt === undefined || now < expiresAt) return false
  for (const { doubt } of tried) if (doubt) return false
  return true
}

/** What an expired run dies of. */
export function expiredError({ expiresMs = 0 }: Handler): HapaxError {
  return new HapaxError('run_expired', { expiresMs })
}
