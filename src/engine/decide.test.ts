import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunState } from '../event/run.ts'
import { isTerminal, mayMove } from '../event/run-status.ts'
import { limits } from '../kit/limits.ts'
import { seededRandom } from '../kit/random.ts'
import { type AttemptFacts, decide, nextGeneration, type Outcome, type Policy } from './decide.ts'
import { defaultRetry } from './handler.ts'

const policy: Policy = {
  undoOnDeath: false,
  undoable: false,
  guarded: false,
  expiresAt: undefined,
  handlerVersion: undefined,
}
const facts: AttemptFacts = { attempt: 1, progressed: false, losses: 0, seenIntervention: 0 }
const error = { code: 'Error', message: 'no' }
const random = seededRandom(1)
const stateAfter = (outcome: Outcome, before?: RunState, over: Partial<AttemptFacts & Policy> = {}) =>
  decide(before, { ...facts, ...over }, outcome, { ...policy, ...over }, 1_000, random)

const failed = (): Outcome => ({
  kind: 'failed',
  error,
  policy: { ...defaultRetry, attempts: 3, jitter: 'none' },
})

describe('decide', () => {
  it('retries by the policy and is dead when its attempts are used up', () => {
    const first = stateAfter(failed())
    expect(first).toMatchObject({ status: 'scheduled', reason: 'retry', failures: 1, dueAt: 2_000, turn: 1 })
    const second = stateAfter(failed(), first, { attempt: 2 })
    expect(second).toMatchObject({ status: 'scheduled', failures: 2, dueAt: 3_000, turn: 2 })
    expect(stateAfter(failed(), second, { attempt: 3 })).toMatchObject({
      status: 'dead',
      reason: 'attempts_exhausted',
      error,
    })
  })

  it('completes, without an attempt, a run that another one goes in the stead of', () => {
    const state = stateAfter({ kind: 'coalesced', by: 'run-2' }, undefined, { attempt: 0 })
    expect(state).toMatchObject({ status: 'completed', reason: 'coalesced', turn: 1, attempt: 0, failures: 0 })
    expect(JSON.parse(state.result ?? '')).toEqual({ coalescedBy: 'run-2' })
    expect(mayMove('ready', state.status)).toBe(true)
  })

  it('counts failures from the last new checkpoint, but never beyond the most attempts of a run', () => {
    const second = { ...stateAfter(failed()), failures: 2 }
    expect(stateAfter(failed(), second, { attempt: 3, progressed: true })).toMatchObject({
      status: 'scheduled',
      failures: 1,
    })
    expect(
      stateAfter(failed(), { ...second, failuresInAll: limits.maxAttempts - 1 }, { attempt: 3, progressed: true }),
    ).toMatchObject({
      status: 'dead',
    })
  })

  it('never lets a step in doubt die unanswered', () => {
    const second = { ...stateAfter(failed()), failures: 2 }
    const unanswered = { status: 'unknown', reason: 'step_in_doubt' }
    expect(stateAfter(failed(), second, { guarded: true })).toMatchObject(unanswered)
    expect(stateAfter({ kind: 'fatal', error }, second, { guarded: true })).toMatchObject({ ...unanswered, error })
  })

  it('wakes no run later than it expires', () => {
    const sleeping = { kind: 'suspended', status: 'scheduled', dueAt: 90_000, waitingFor: undefined } as const
    const waiting = { kind: 'suspended', status: 'waiting', dueAt: undefined, waitingFor: ['x'] } as const
    for (const outcome of [sleeping, waiting, { kind: 'deferred', error, until: 90_000 }] as const) {
      expect(stateAfter(outcome, undefined, { expiresAt: 5_000 }).dueAt).toBe(5_000)
    }
    expect(stateAfter(failed(), undefined, { expiresAt: 1_500 }).dueAt).toBe(1_500)
    // It has passed while the attempt ended: at once.
    expect(stateAfter(waiting, undefined, { expiresAt: 500 }).dueAt).toBe(1_000)
  })

  it('keeps what a run died of while its undo fails, waits for its handler or is in doubt', () => {
    const undoing = stateAfter({ kind: 'fatal', error }, undefined, { undoOnDeath: true, undoable: true })
    const later = { code: 'Later', message: 'later' }
    for (const kind of ['no_handler', 'unknown'] as const) {
      expect(stateAfter({ kind, error: later, elsewhere: false }, undoing).error).toEqual({ ...later, cause: error })
    }
  })

  it('costs no failure to be deferred, suspended or handed back', () => {
    const before = { ...stateAfter(failed()), failures: 2 }
    for (const outcome of [
      { kind: 'deferred', error, until: 9 },
      { kind: 'suspended', status: 'waiting', dueAt: undefined, waitingFor: ['x'] },
      { kind: 'handed_back' },
    ] as const) {
      expect(stateAfter(outcome, before).failures).toBe(2)
    }
  })

  it('gives back what failed in a row of one dependency, and no failure before that', () => {
    const ofBank: Outcome = { kind: 'failed', error, policy: { ...defaultRetry, attempts: 9 }, dependency: 'bank' }
    const other = stateAfter(failed())
    const twice = stateAfter(ofBank, stateAfter(ofBank, other))
    expect(twice).toMatchObject({ failures: 3, dependency: 'bank', failing: { times: 2 } })
    const counted = { failures: 1, failuresInAll: 1 }
    const parked = { kind: 'parked', error, dependency: 'bank' } as const
    expect(stateAfter(parked, twice, { refunded: 2 })).toMatchObject(counted)
    expect(stateAfter(parked, twice, { refunded: 2 })).not.toHaveProperty('failing')
  })

  it('undoes where it is due, and ends as what it was undone for', () => {
    const undoing = stateAfter({ kind: 'fatal', error }, undefined, { undoOnDeath: true, undoable: true })
    expect(undoing).toMatchObject({ status: 'undoing', undoBegun: 'death', error })
    expect(stateAfter({ kind: 'undone' }, undoing)).toMatchObject({ status: 'dead', error })
    const cancelling = stateAfter({ kind: 'cancelled', undo: true }, undefined, { undoable: true })
    expect(stateAfter({ kind: 'undone' }, cancelling)).toMatchObject({ status: 'cancelled' })
    expect(stateAfter({ kind: 'fatal', error }, undoing)).toMatchObject({ status: 'unknown', reason: 'undo_failed' })
  })

  it('opens a new generation that keeps its keys, or gets new ones when asked', () => {
    const dead = { ...stateAfter({ kind: 'fatal', error }), keySeries: 2 }
    expect(nextGeneration(dead, 'redrive', false, 5, 0)).toMatchObject({
      generation: 2,
      turn: 1,
      attempt: 0,
      status: 'ready',
      keySeries: 2,
      error: undefined,
    })
    expect(nextGeneration(dead, 'replay', true, 5, 0)).toMatchObject({ generation: 2, keySeries: 3 })
    const scheduled = stateAfter(failed())
    expect(nextGeneration(scheduled, 'retry', false, 5, 0)).toMatchObject({
      generation: 1,
      turn: 2,
      attempt: 1,
      status: 'ready',
    })
  })

  it('only ever makes the moves that there are', () => {
    const outcome: fc.Arbitrary<Outcome> = fc.oneof(
      fc.record({ kind: fc.constant('completed' as const), result: fc.constant(undefined) }),
      fc.boolean().map(failed),
      fc.constant({ kind: 'fatal' as const, error }),
      fc.constant({ kind: 'deferred' as const, error, until: 5_000 }),
      fc.constant({ kind: 'suspended' as const, status: 'waiting' as const, dueAt: undefined, waitingFor: ['x'] }),
      fc.constant({ kind: 'suspended' as const, status: 'scheduled' as const, dueAt: 2_000, waitingFor: undefined }),
      fc.constant({ kind: 'handed_back' as const }),
      fc.boolean().map((elsewhere) => ({ kind: 'no_handler' as const, error, elsewhere })),
      fc.constant({ kind: 'unknown' as const, error }),
      fc.boolean().map((undo) => ({ kind: 'cancelled' as const, undo })),
      fc.constant({ kind: 'superseded' as const, by: 2 }),
    )
    fc.assert(
      fc.property(
        fc.array(outcome, { maxLength: 30 }),
        fc.boolean(),
        fc.boolean(),
        (outcomes, undoable, undoOnDeath) => {
          let state: RunState | undefined
          for (const [index, next] of outcomes.entries()) {
            if (state && isTerminal(state.status)) return
            // While undoing, a run completes or suspends no more.
            if (state?.undoBegun && ['completed', 'suspended', 'cancelled', 'superseded'].includes(next.kind)) continue
            const to: RunState = stateAfter(next, state, { undoable, undoOnDeath, attempt: index + 1 })
            expect(mayMove(state?.undoBegun ? 'undoing' : 'running', to.status) || to.status === 'ready').toBe(true)
            expect(to.turn).toBe((state?.turn ?? 0) + 1)
            if (to.status === 'scheduled') expect(to.dueAt).toBeGreaterThanOrEqual(1_000)
            state = to
          }
        },
      ),
    )
  })
})
