/**
 * Where a run stands. Each says who moves it on, and the operator verb that ends it.
 *
 * - `ready`: waits for a slot; its owner moves it on (reason `paused`: `resume`; `behind`: the order head that it names).
 * - `running`: an attempt executes; it moves itself on.
 * - `scheduled`: a retry, a sleep or a deferral until a time; the owner moves it on, `retry` brings it forward.
 * - `waiting`: for a signal (`signal`), or `no_handler` (a deploy).
 * - `parked`: a dependency is down; comes back by itself when it is up (with flow control).
 * - `undoing`: steps are undone in reverse; the owner moves it on.
 * - `unknown`: a step's effect is in doubt; a person decides by `resolve`.
 * - `completed`, `dead`, `cancelled`: terminal for this generation.
 */
export const runStatuses = [
  'ready',
  'running',
  'scheduled',
  'waiting',
  'parked',
  'undoing',
  'unknown',
  'completed',
  'dead',
  'cancelled',
] as const

/** One of {@link runStatuses}. */
export type RunStatus = (typeof runStatuses)[number]

/** The statuses in which a generation has ended for good. */
export type TerminalStatus = 'completed' | 'dead' | 'cancelled'

/** Whether a generation in this status has ended. */
export function isTerminal(status: RunStatus): status is TerminalStatus {
  return status === 'completed' || status === 'dead' || status === 'cancelled'
}

const any = runStatuses.filter((status) => status !== 'running')

/** The only moves within one generation (DESIGN section 2). `undoBegun` says whether undo had begun before. */
const moves: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  // Completed without an attempt: a later run of its burst goes in its stead.
  ready: ['running', 'scheduled', 'waiting', 'parked', 'completed', 'cancelled', 'dead'],
  running: any,
  scheduled: ['ready', 'undoing', 'cancelled', 'dead'],
  waiting: ['ready', 'undoing', 'cancelled', 'dead'],
  parked: ['ready', 'undoing', 'cancelled', 'dead'],
  unknown: ['ready', 'undoing', 'cancelled', 'dead'],
  undoing: ['undoing', 'scheduled', 'waiting', 'parked', 'unknown', 'cancelled', 'dead'],
  completed: [],
  dead: [],
  cancelled: [],
}

/** Whether a run may go from one status to the other within one generation. */
export function mayMove(from: RunStatus, to: RunStatus): boolean {
  return moves[from].includes(to)
}
