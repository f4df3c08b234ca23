import type { RunState } from '../../src/event/run.ts'
import type { Sometimes } from '../invariants.ts'

/** What a settlement shows to have been reached. */
export function pointsOf(state: RunState): Sometimes[] {
  const points: (Sometimes | undefined)[] = [
    byReason[state.reason ?? ''],
    state.status === 'completed' ? 'completed' : undefined,
    state.status === 'cancelled' ? 'cancelled' : undefined,
    state.status === 'unknown' ? 'unknown' : undefined,
    state.status === 'dead' && state.reason === 'Fatal' ? 'dead: fatal' : undefined,
    state.status === 'waiting' && state.reason === 'signal' ? 'waiting for a signal' : undefined,
    state.reason === 'undone' ? (state.status === 'dead' ? 'dead after undo' : 'cancelled after undo') : undefined,
    state.losses > 0 ? 'lease lost and counted' : undefined,
    state.error?.code === 'step_timeout' ? 'step timed out' : undefined,
  ]
  return points.filter((point) => point !== undefined)
}

const byReason: Readonly<Record<string, Sometimes>> = {
  attempts_exhausted: 'dead: attempts exhausted',
  run_expired: 'dead: expired',
  no_handler: 'waiting: no handler',
  resolved: 'unknown resolved',
  deferred: 'deferred',
  handed_back: 'handed back',
  replay: 'replayed',
  redrive: 'redriven',
  picked_up: 'picked up while unclaimed',
}
