import type { EventKey } from '../event/event-key.ts'
import type { RecordedError, RunState } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import { backoffMs } from '../kit/backoff.ts'
import type { Instant } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { RetryPolicy } from './handler.ts'

/** How an attempt ended, or what else moves a run. */
export type Outcome =
  | { readonly kind: 'completed'; readonly result: string | undefined }
  /** Any error that is not one of the others: retried by policy. */
  | {
      readonly kind: 'failed'
      readonly error: RecordedError
      readonly policy: RetryPolicy
      /** At whose call. */
      readonly dependency?: string | undefined
      /** Not before then, as the other side asked. */
      readonly notBefore?: Instant | undefined
    }
  | { readonly kind: 'fatal'; readonly error: RecordedError }
  | { readonly kind: 'deferred'; readonly error: RecordedError; readonly until: Instant }
  /** A dependency that it needs is down: it comes back when that is up. */
  | { readonly kind: 'parked'; readonly error: RecordedError; readonly dependency: string }
  | {
      readonly kind: 'suspended'
      readonly status: 'scheduled' | 'waiting'
      readonly dueAt: Instant | undefined
      readonly waitingFor: readonly string[] | undefined
    }
  /** The node stops or gives its shard away: no attempt is lost by it. */
  | { readonly kind: 'handed_back' }
  /** The signal it was about to wait for is there. */
  | { readonly kind: 'signalled' }
  /** The node lacks its handler. `elsewhere`: another node has it, and gets the shard. */
  | { readonly kind: 'no_handler'; readonly error: RecordedError; readonly elsewhere: boolean }
  /** A step's effect is in doubt for good. */
  | { readonly kind: 'unknown'; readonly error: RecordedError }
  | {
      readonly kind: 'cancelled'
      readonly undo: boolean
      /** Whose hand it was: the settlement names it. */
      readonly intervention?: EventKey
    }
  | { readonly kind: 'undone' }
  /** A later run of its burst goes in its stead; it never began. */
  | { readonly kind: 'coalesced'; readonly by: string }
  /** A newer version of the same thing was processed already. */
  | { readonly kind: 'superseded'; readonly by: number | string }

/** What the decision rests on beside state and outcome. */
export interface Policy {
  readonly undoOnDeath: boolean
  /** Whether a checkpointed or doubtful step has an undo. */
  readonly undoable: boolean
  /** Whether a step in doubt is marked `once` or has a `confirm`: the run may not die with its question unanswered. */
  readonly guarded: boolean
  /** When the run is too old; undefined: never, or not while a step is in doubt. */
  readonly expiresAt: Instant | undefined
  readonly handlerVersion: string | undefined
}

/** The attempt that ended; absent where none executed. */
export interface AttemptFacts {
  /** Its number. */
  readonly attempt: number
  /** Whether it left a new checkpoint: failures are counted from there. */
  readonly progressed: boolean
  /** Leases lost before it, in this generation. */
  readonly losses: number
  readonly seenIntervention: number
  /** So many of the failures before, the last ones, were an outage's: they cost nothing. */
  readonly refunded?: number
}

/** Of what it failed, and since when again and again: what opens a circuit comes in a row, and is given back as one. */
function failedAgain(
  dependency: string,
  before: RunState | undefined,
  refund: number,
): Pick<RunState, 'dependency' | 'failing'> {
  if (refund > 0 || before?.reason !== 'retry' || before.dependency !== dependency) return { dependency }
  const { times, since } = before.failing ?? { times: 1, since: before.since }
  return { dependency, failing: { times: times + 1, since } }
}

/**
 * THE decision: where a run stands after an outcome. Pure: the same arguments give the same state, and nothing else in
 * the product makes a {@link RunState} from an attempt.
 *
 * @param before the state of the last settlement; undefined for a run that never settled.
 */
export function decide(
  before: RunState | undefined,
  facts: AttemptFacts,
  outcome: Outcome,
  policy: Policy,
  now: Instant,
  random: Random,
): RunState {
  const refund = facts.refunded ?? 0
  const failures = facts.progressed ? 0 : Math.max(0, (before?.failures ?? 0) - refund)
  const base: RunState = {
    status: 'ready',
    reason: undefined,
    since: now,
    generation: before?.generation ?? 1,
    turn: (before?.turn ?? 0) + 1,
    attempt: facts.attempt,
    failures,
    failuresInAll: Math.max(0, (before?.failuresInAll ?? 0) - refund),
    losses: facts.losses,
    dueAt: undefined,
    waitingFor: undefined,
    result: undefined,
    error: undefined,
    undoBegun: before?.undoBegun ?? false,
    keySeries: before?.keySeries ?? 0,
    handlerVersion: policy.handlerVersion,
    seenIntervention: facts.seenIntervention,
    openedAt: before?.openedAt,
    ...(before?.place === undefined ? {} : { place: before.place }),
  }
  const undoing = base.undoBegun
  const { expiresAt } = policy
  const beforeItExpires = (dueAt: Instant | undefined): Instant | undefined => {
    if (undoing || expiresAt === undefined) return dueAt
    const expiry = Math.max(expiresAt, now)
    return Math.min(dueAt ?? expiry, expiry)
  }

  switch (outcome.kind) {
    case 'completed':
      return { ...base, status: 'completed', result: outcome.result, failures: 0 }

    case 'failed': {
      const failed = failures + 1
      const failuresInAll = base.failuresInAll + 1
      const counted = { ...base, failures: failed, failuresInAll }
      const error = afterDeath(before, outcome.error)
      const exhausted = failed >= outcome.policy.attempts || failuresInAll >= limits.maxAttempts
      if (exhausted && (policy.guarded || undoing)) {
        return { ...counted, status: 'unknown', reason: 'step_in_doubt', error }
      }
      if (exhausted) return dead(counted, 'attempts_exhausted', outcome.error, policy, now)
      const dueAt = Math.max(now + backoffMs(outcome.policy, failed, random), outcome.notBefore ?? 0)
      return {
        ...counted,
        status: undoing ? 'undoing' : 'scheduled',
        reason: 'retry',
        dueAt: beforeItExpires(dueAt),
        error,
        ...(outcome.dependency === undefined ? {} : failedAgain(outcome.dependency, before, refund)),
      }
    }

    case 'fatal':
      // What cannot be undone is for a person: a failing undo never ends quietly.
      if (undoing)
        return { ...base, status: 'unknown', reason: 'undo_failed', error: afterDeath(before, outcome.error) }
      // A run that wears its nodes out is not entered again to be asked; its doubts stay on record.
      if (policy.guarded && outcome.error.code !== 'crash_loop')
        return { ...base, status: 'unknown', reason: 'step_in_doubt', error: outcome.error }
      return dead(base, outcome.error.code, outcome.error, policy, now)

    case 'deferred':
      return {
        ...base,
        status: undoing ? 'undoing' : 'scheduled',
        reason: 'deferred',
        dueAt: beforeItExpires(outcome.until),
        error: afterDeath(before, outcome.error),
      }

    case 'parked':
      // Due at once: its owner has it in memory, in the line of those that wait for the dependency, the oldest first.
      return {
        ...base,
        status: undoing ? 'undoing' : 'parked',
        reason: 'circuit_open',
        dueAt: now,
        error: afterDeath(before, outcome.error),
        dependency: outcome.dependency,
      }

    case 'suspended':
      return {
        ...base,
        status: outcome.status,
        reason: outcome.status === 'waiting' ? 'signal' : 'sleep',
        dueAt: beforeItExpires(outcome.dueAt),
        waitingFor: outcome.waitingFor,
      }

    case 'handed_back':
      return { ...base, status: undoing ? 'undoing' : 'ready', reason: 'handed_back', dueAt: now, error: before?.error }

    case 'signalled':
      return { ...base, status: 'ready', reason: 'signal', dueAt: now }

    case 'no_handler': {
      const error = afterDeath(before, outcome.error)
      const dueAt = now + (outcome.elsewhere ? limits.pollMaxMs : limits.noHandlerLookMs)
      return { ...base, status: 'waiting', reason: 'no_handler', dueAt, error }
    }

    case 'unknown':
      return { ...base, status: 'unknown', reason: 'step_in_doubt', error: afterDeath(before, outcome.error) }

    case 'cancelled':
      if (outcome.undo && policy.undoable)
        return { ...base, status: 'undoing', reason: 'cancel', dueAt: now, undoBegun: 'cancel' }
      return { ...base, status: 'cancelled', reason: 'cancel' }

    case 'coalesced':
      return { ...base, status: 'completed', reason: 'coalesced', result: JSON.stringify({ coalescedBy: outcome.by }) }

    case 'superseded': {
      const result = JSON.stringify({ supersededBy: outcome.by })
      return { ...base, status: 'completed', reason: 'superseded', result, failures: 0 }
    }

    case 'undone':
      return undoing === 'death'
        ? { ...base, status: 'dead', reason: 'undone', error: before?.error?.cause ?? before?.error }
        : { ...base, status: 'cancelled', reason: 'undone' }
  }
}

/**
 * Whether a run was looked at anew, and still nobody has its handler. The first look may only have given the shard to a node
 * that has it, or have come while it was being given; where none has it, the shard comes back.
 */
export function lacksHandler(before: RunState | undefined, next: RunState): boolean {
  const waits = (state: RunState | undefined) => state?.status === 'waiting' && state.reason === 'no_handler'
  const { since, dueAt = since } = next
  return waits(before) && waits(next) && dueAt - since >= limits.noHandlerLookMs
}

/** An undo's failure, beside what the run died of before it. */
function afterDeath(before: RunState | undefined, error: RecordedError): RecordedError {
  const died = before?.undoBegun === 'death' ? (before.error?.cause ?? before.error) : undefined
  return died ? { ...error, cause: died } : error
}

function dead(base: RunState, reason: string, error: RecordedError, policy: Policy, now: Instant): RunState {
  // Undo is a stage of its own: the failures that led to it are not its own.
  if (policy.undoOnDeath && policy.undoable)
    return { ...base, status: 'undoing', reason, dueAt: now, undoBegun: 'death', error, failures: 0 }
  return { ...base, status: 'dead', reason, error }
}

/**
 * The state that opens the next generation of a run that ended.
 *
 * @param newKeys whether steps get new keys: the other side will see new requests.
 */
export function nextGeneration(
  before: RunState,
  verb: 'retry' | 'redrive' | 'replay',
  newKeys: boolean,
  now: Instant,
  seenIntervention: number,
): RunState {
  const terminal = isTerminal(before.status)
  return {
    ...before,
    status: 'ready',
    reason: verb,
    since: now,
    generation: before.generation + (terminal || verb === 'replay' ? 1 : 0),
    turn: terminal || verb === 'replay' ? 1 : before.turn + 1,
    attempt: terminal || verb === 'replay' ? 0 : before.attempt,
    failures: 0,
    failuresInAll: terminal || verb === 'replay' ? 0 : before.failuresInAll,
    losses: 0,
    dueAt: now,
    waitingFor: undefined,
    result: undefined,
    error: undefined,
    undoBegun: verb === 'replay' ? false : before.undoBegun,
    keySeries: before.keySeries + (newKeys ? 1 : 0),
    seenIntervention,
    openedAt: now,
  }
}
