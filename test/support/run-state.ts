import type { RunState } from '../../src/event/run.ts'

/** How a run stands that went well at once; what a test is about is given. */
export function completed(more: Partial<RunState> = {}): RunState {
  return {
    status: 'completed',
    reason: undefined,
    since: 1,
    generation: 1,
    turn: 1,
    attempt: 1,
    failures: 0,
    failuresInAll: 0,
    losses: 0,
    dueAt: undefined,
    waitingFor: undefined,
    result: undefined,
    error: undefined,
    undoBegun: false,
    keySeries: 0,
    handlerVersion: undefined,
    seenIntervention: 0,
    openedAt: undefined,
    ...more,
  }
}
