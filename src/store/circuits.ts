import type { Instant } from '../kit/clock.ts'

/**
 * How the way to a dependency stands, for all nodes: `closed`: calls go. `open`: none goes. `probing`: one goes, to see.
 */
export type CircuitState = (typeof circuitStates)[number]

/** All of {@link CircuitState}. */
export const circuitStates = ['closed', 'open', 'probing'] as const

/** A dependency's circuit, as the store keeps it. One that never opened is not there, and closed. */
export interface CircuitRecord {
  readonly dependency: string
  /** Grows by one with each turn. From 1. */
  readonly version: number
  readonly state: CircuitState
  /** Since when it is in this state. */
  readonly since: Instant
  /** When calls last stopped: while it is not closed, the beginning of this outage; afterwards of the one that was. */
  readonly openedAt: Instant
  /** From when on somebody may probe, or probe again; absent: who opened it holds it open. */
  readonly probeAt: Instant | undefined
  /** Why it turned, in a word: `failures`, `configuration`, `probe`, `recovered`, an operator's reason. */
  readonly reason: string
  /** Who turned it: the engine's node, or a person. */
  readonly actor: string
}

/** A turn of a circuit, for all nodes. */
export interface CircuitTurn {
  readonly dependency: string
  /** The version that whoever turns it knows; 0: none. Another one there: nothing is turned. */
  readonly seen: number
  readonly state: CircuitState
  /** In how many milliseconds somebody may probe, or probe again; absent: never by itself. */
  readonly probeInMs?: number | undefined
  readonly reason: string
  readonly actor: string
}

/** What became of a {@link CircuitTurn}. */
export interface CircuitTurned {
  readonly applied: boolean
  /** As it is afterwards; undefined: it never turned. */
  readonly circuit: CircuitRecord | undefined
}

/** The circuit after a turn; undefined where it has turned since it was seen. Pure. */
export function turned(before: CircuitRecord | undefined, turn: CircuitTurn, now: Instant): CircuitRecord | undefined {
  if ((before?.version ?? 0) !== turn.seen) return undefined
  const isNewOutage = turn.state !== 'closed' && (before === undefined || before.state === 'closed')
  return {
    dependency: turn.dependency,
    version: turn.seen + 1,
    state: turn.state,
    since: now,
    openedAt: isNewOutage ? now : (before?.openedAt ?? now),
    probeAt: turn.probeInMs === undefined || turn.state === 'closed' ? undefined : now + turn.probeInMs,
    reason: turn.reason,
    actor: turn.actor,
  }
}
