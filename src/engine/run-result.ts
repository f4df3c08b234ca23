import { HapaxError } from '../errors/hapax-error.ts'
import type { RunState } from '../event/run.ts'
import { decodeJson } from '../kit/json-value.ts'

/**
 * What a run that has ended resolves to, in the library and over HTTP alike.
 *
 * @throws `run_ended` with the recorded error, where it did not complete
 */
export function resultIn(state: RunState): unknown {
  if (state.status === 'completed') return decodeJson(state.result)
  const reason = state.error?.message ?? state.reason ?? state.status
  throw new HapaxError('run_ended', { status: state.status, reason })
}
