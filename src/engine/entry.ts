import type { EventRecord } from '../event/event.ts'
import { type RunState, runId } from '../event/run.ts'
import type { LineTurn } from '../flow/line.ts'
import type { Instant } from '../kit/clock.ts'
import type { Rank } from '../kit/fair-queue.ts'
import type { Owned, RunRecord, StandingRun } from '../store/store.ts'
import type { LiveAttempt } from './attempt.ts'
import type { Outcome } from './decide.ts'

/**
 * How a run in memory stands. `aside`: ready, but behind the head of its order key, or paused. `moving`: an intervention
 * has it in hand. `standing`: it only holds its order key. `gone`: it has left memory; a queue that names it passes it by.
 */
export type Stage = 'ready' | 'aside' | 'moving' | 'running' | 'standing' | 'gone'

/** The burst that a run may be of. */
export interface BurstPlace {
  /** (handler, tenant, order key, key). */
  readonly name: string
  readonly windowMs: number
  /** Its event's. */
  readonly acceptedAt: Instant
}

/** A run in its owner's memory. */
export interface Entry {
  readonly id: string
  readonly position: number
  /** In its order key. */
  readonly place: number
  readonly tag: string
  readonly owned: Owned
  source: string
  /** Absent where the run cannot begin now: it stands, waits behind its order key's head, or is paused. */
  event: EventRecord | undefined
  record: RunRecord
  /** (handler, order key) of an ordered run. */
  readonly orderName: string | undefined
  /** Where its handler coalesces, and it has neither begun nor been moved; undefined: it goes by itself. */
  burst: BurstPlace | undefined
  /** The run of its burst that goes in its stead. */
  coalescedBy: string | undefined
  /** Found unfinished after an ungraceful loss: from when it may have been executing elsewhere. */
  readonly mayHaveBegunAt: Instant | undefined
  stage: Stage
  /** How urgent it is, and with whom it takes turns. */
  rank: Rank
  /** When it is too old to begin; undefined: never, or not known. */
  expiresAt: Instant | undefined
  /** It waited in line until it was too old: it begins without its turn, and ends. */
  isTooOld: boolean
  /** While it runs, its turn at the dependencies that its handler uses. */
  turn: LineTurn | undefined
  /** An attempt of it was begun: no other run of its order key goes before it. */
  begun: boolean
  /** While it runs. */
  attempt: LiveAttempt | undefined
  /** A cancel that came before its attempt had begun. */
  cancelled: Outcome | undefined
}

/** The record of a run that left none. */
export function freshRecord(event: EventRecord, tag: string): RunRecord {
  const { key, position } = event
  return { event: key, position, tag, state: undefined, checkpoints: [], begins: [], interventions: [], tried: [] }
}

/** A run whose event is here; it stands until it is given its place. */
export function entryOf(
  owned: Owned,
  id: string,
  event: EventRecord,
  record: RunRecord,
  orderName: string | undefined,
  mayHaveBegunAt: Instant | undefined,
  rank: Rank,
): Entry {
  return {
    id,
    source: event.source,
    event,
    position: event.position,
    place: record.state?.place ?? event.position,
    tag: record.tag,
    owned,
    record,
    orderName,
    mayHaveBegunAt,
    rank,
    burst: undefined,
    coalescedBy: undefined,
    stage: 'standing',
    isTooOld: false,
    turn: undefined,
    expiresAt: undefined,
    begun: record.begins.length > 0 || (record.state?.attempt ?? 0) > 0,
    attempt: undefined,
    cancelled: undefined,
  }
}

/** A run of which nothing is needed but that it holds its order key. */
export function standingEntry(owned: Owned, standing: StandingRun, orderName: string): Entry {
  const { state } = standing
  return {
    id: runId(standing),
    source: '',
    event: undefined,
    position: standing.position,
    place: state.place ?? standing.position,
    tag: standing.tag,
    owned,
    record: standingRecord({ ...standing, begins: [], tried: [] }, state),
    orderName,
    mayHaveBegunAt: undefined,
    rank: { priority: 0, owner: standing.tenant, key: '' },
    burst: undefined,
    coalescedBy: undefined,
    stage: 'standing',
    isTooOld: false,
    turn: undefined,
    expiresAt: undefined,
    begun: standing.begun,
    attempt: undefined,
    cancelled: undefined,
  }
}

/** What is kept in memory of the record of a run that stands: the rest is read when it goes on. */
export function standingRecord(
  record: Omit<RunRecord, 'state' | 'checkpoints' | 'interventions'>,
  state: RunState,
): RunRecord {
  return { ...record, state, checkpoints: [], interventions: [] }
}
