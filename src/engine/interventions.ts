import { HapaxError } from '../errors/hapax-error.ts'
import { type RunState, type StepAddress, stepText } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import type { Instant } from '../kit/clock.ts'
import type { InterventionRecord, RunRecord, SettleItem, TriedStep } from '../store/store.ts'
import { nextGeneration } from './decide.ts'
import { doubtsOf, isUndoable } from './doubts.ts'
import { recordError } from './run-errors.ts'

/** What an owner makes of an intervention on a run that does not execute. */
export type Judgement =
  | { readonly outcome: 'refused'; readonly reason: string }
  /** Known, and nothing moves: an early signal. */
  | { readonly outcome: 'noted' }
  | {
      readonly outcome: 'applied'
      readonly state: RunState
      readonly keepCheckpoints?: NonNullable<SettleItem['keepCheckpoints']>
      /** A step that a person decided: its result, kept as its checkpoint. */
      readonly resolved?: { readonly step: StepAddress; readonly value: string | undefined; readonly undoable: boolean }
      readonly tried?: SettleItem['tried']
    }

interface Detail {
  readonly undo?: boolean
  readonly fromStep?: string
  readonly newKeys?: boolean
  readonly step?: string
  readonly of?: string
  readonly result?: unknown
  readonly repeat?: boolean
  readonly fail?: boolean
}

/** What a judgement rests on beside the run. */
export interface Circumstances {
  readonly now: Instant
  /** The run is a dead one that blocks its order key. */
  readonly blocksKey: boolean
  /** It is of an ordered handler and holds its key no more: it comes back behind the others. */
  readonly hasLeftKey: boolean
  /** It is of a handler that takes the event now, and did not when it was accepted. */
  readonly isAdoptable: boolean
  /** What its handler says of death; undefined where this node does not have the handler. */
  readonly undoOnDeath: boolean | undefined
}

const refused = (reason: string): Judgement => ({ outcome: 'refused', reason })

/**
 * Judges an intervention on a run that is not executing. Pure: the run's owner applies what it says in one commit with
 * the answer.
 *
 */
export function judge(record: RunRecord, intervention: InterventionRecord, given: Circumstances): Judgement {
  const { now, blocksKey, isAdoptable, undoOnDeath } = given
  const place = given.hasLeftKey ? { place: intervention.position } : {}
  const state = record.state
  const seen = Math.max(state?.seenIntervention ?? 0, intervention.position)
  const detail: Detail = parseDetail(intervention)
  const status = state?.status ?? 'ready'
  if (intervention.verb === 'signal') return judgeSignal(state, intervention, now, seen)
  if (intervention.verb === 'cancel') return judgeCancel(record, detail, now, seen, blocksKey)
  if (intervention.verb === 'replay') {
    if (!state) return refused('never_ran')
    if (state.undoBegun && (detail.fromStep !== undefined || detail.newKeys !== true))
      return refused('undone_needs_new_keys')
    const from = detail.fromStep === undefined ? undefined : findStep(record, detail.fromStep, detail.of)
    if (detail.fromStep !== undefined && !from) return refused('step_unknown')
    return {
      outcome: 'applied',
      state: { ...nextGeneration(state, 'replay', detail.newKeys === true, now, seen), ...place },
      keepCheckpoints: from ? { before: from } : 'none',
      tried: [],
    }
  }
  if (!state && isAdoptable) {
    const reason = intervention.actor === 'engine' ? 'picked_up' : 'redrive'
    return { outcome: 'applied', state: adopted(now, reason, seen) }
  }
  if (!state) return refused(status)
  if (intervention.verb === 'resolve') return judgeResolve(record, state, detail, now, seen, undoOnDeath)
  if (state.undoBegun) return refused('undo_begun')
  if (state.status === 'completed' || state.status === 'cancelled' || state.status === 'ready')
    return refused(state.status)
  // A person says "again": a step in doubt keeps its doubt, and is confirmed or stays unknown as before.
  const verb = intervention.verb === 'redrive' ? 'redrive' : 'retry'
  if (verb === 'redrive' && state.status !== 'dead') return refused(state.status)
  return {
    outcome: 'applied',
    state: { ...nextGeneration(state, verb, false, now, seen), ...place },
    keepCheckpoints: 'all',
    tried: doubtsOf(record),
  }
}

function judgeSignal(
  state: RunState | undefined,
  intervention: InterventionRecord,
  now: Instant,
  seen: number,
): Judgement {
  if (!state) return { outcome: 'noted' }
  if (isTerminal(state.status)) return refused(state.status)
  if (state.status !== 'waiting' || state.reason === 'no_handler') return { outcome: 'noted' }
  if (state.waitingFor && !state.waitingFor.includes(intervention.name ?? '')) return { outcome: 'noted' }
  return {
    outcome: 'applied',
    state: {
      ...state,
      status: 'ready',
      reason: 'signal',
      since: now,
      turn: state.turn + 1,
      dueAt: now,
      waitingFor: undefined,
      seenIntervention: seen,
    },
  }
}

function judgeCancel(record: RunRecord, detail: Detail, now: Instant, seen: number, blocksKey: boolean): Judgement {
  const { state } = record
  if (state?.status === 'dead' && blocksKey) {
    // It stays dead; a generation of its own says that the key is free.
    const released = nextGeneration(state, 'retry', false, now, seen)
    return {
      outcome: 'applied',
      state: { ...released, status: 'dead', reason: 'released', dueAt: undefined, error: state.error },
    }
  }
  if (state && isTerminal(state.status)) return refused(state.status)
  if (state?.undoBegun) return refused('undo_begun')
  const undoable = isUndoable(record)
  if (undoable && detail.undo === undefined) return refused('undo_unspecified')
  const base = state ?? freshState(now)
  const undo = undoable && detail.undo === true
  return {
    outcome: 'applied',
    state: {
      ...base,
      status: undo ? 'undoing' : 'cancelled',
      reason: 'cancel',
      since: now,
      turn: base.turn + 1,
      failures: 0,
      dueAt: undo ? now : undefined,
      waitingFor: undefined,
      error: undefined,
      undoBegun: undo ? 'cancel' : false,
      seenIntervention: seen,
    },
    tried: doubtsOf(record),
  }
}

function judgeResolve(
  record: RunRecord,
  state: RunState,
  detail: Detail,
  now: Instant,
  seen: number,
  undoOnDeath: boolean | undefined,
): Judgement {
  if (state.status !== 'unknown') return refused(state.status)
  const doubts = doubtsOf(record)
  const step = findDoubt(state, doubts, detail) ?? findStep(record, detail.step ?? '', detail.of)
  if (!step) return refused('step_unknown')
  const isIt = (tried: TriedStep) => stepText(tried.step) === stepText(step)
  const ready: RunState = {
    ...state,
    status: state.undoBegun ? 'undoing' : 'ready',
    reason: 'resolved',
    since: now,
    turn: state.turn + 1,
    failures: 0,
    dueAt: now,
    error: state.undoBegun ? state.error : undefined,
    seenIntervention: seen,
    openedAt: now,
  }
  const others = doubts.filter((tried) => !isIt(tried))
  if (detail.fail === true) {
    const error = recordError(new HapaxError('step_in_doubt', { name: step.name }), step.name)
    const dead: RunState = { ...ready, status: 'dead', reason: 'resolved', dueAt: undefined, error }
    if (state.undoBegun) return { outcome: 'applied', state: dead, tried: doubts }
    if (undoOnDeath === undefined) return refused('no_handler')
    // The person has answered that it failed: its own undo, if it has one, has nothing to undo.
    const answered = [...others, ...doubts.filter(isIt).map((tried) => ({ ...tried, doubt: false }))]
    const undoes = undoOnDeath && isUndoable({ ...record, tried: answered, begins: [] })
    const undoing: RunState = { ...ready, status: 'undoing', error, undoBegun: 'death' }
    return { outcome: 'applied', state: undoes ? undoing : dead, tried: undoes ? answered : doubts }
  }
  if (detail.repeat === true) {
    return { outcome: 'applied', state: ready, tried: [...others, { step, firstTriedAt: now, doubt: false }] }
  }
  const value = detail.result === undefined ? undefined : JSON.stringify(detail.result)
  const undoable = doubts.some((tried) => isIt(tried) && tried.undoable)
  return { outcome: 'applied', state: ready, resolved: { step, value, undoable }, tried: others }
}

/** The step in doubt of this name; where undoing has begun, its undo. */
function findDoubt({ undoBegun }: RunState, doubts: readonly TriedStep[], { step: name, of = '' }: Detail) {
  const kind = undoBegun ? 'undo' : 'step'
  return doubts.find(({ step, doubt }) => doubt && step.kind === kind && step.name === name && step.of === of)?.step
}

/** A step of the run by its name: one that left a checkpoint, was tried, or was begun. */
function findStep(record: RunRecord, name: string, of = ''): StepAddress | undefined {
  const known = [
    ...record.checkpoints.map((checkpoint) => checkpoint.step),
    ...doubtsOf(record).map((tried) => tried.step),
    ...record.begins.flatMap((begin) => begin.step ?? []),
  ]
  return known.find((step) => step.name === name && step.of === of)
}

/** Of a run that never settled. */
export function freshState(now: Instant): RunState {
  return {
    status: 'ready',
    reason: undefined,
    since: now,
    generation: 1,
    turn: 0,
    attempt: 0,
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
  }
}

/** The first settlement of a run whose handler appeared after the event. */
export function adopted(now: Instant, reason: string, seen: number): RunState {
  return { ...freshState(now), turn: 1, reason, dueAt: now, seenIntervention: seen, openedAt: now }
}

function parseDetail(intervention: InterventionRecord): Detail {
  if (intervention.verb === 'signal') return {}
  const detail: unknown = JSON.parse(intervention.detail)
  return typeof detail === 'object' && detail !== null ? detail : {}
}
