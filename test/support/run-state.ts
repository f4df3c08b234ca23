import { freshState } from '../../src/engine/interventions.ts'
import type { RunState } from '../../src/event/run.ts'

/** How a run stands that went well at once; what a test is about is given. */
export function completed(more: Partial<RunState> = {}): RunState {
  return { ...freshState(1), status: 'completed', turn: 1, attempt: 1, ...more }
}
