import { expect, it } from 'vitest'
import { entryWith } from '../../test/support/entry.ts'
import { Dependencies } from '../flow/dependencies.ts'
import { systemClock } from '../kit/clock.ts'
import { silentLog } from '../kit/log.ts'
import type { RunRecord } from '../store/store.ts'
import { FoundRun, lossesOf } from './found-run.ts'
import { handler } from './handler.ts'

const ship = handler('ship', { source: 'shop', on: '*', expires: '1m', version: 'v2' }, () => {})
const dependencies = new Dependencies({
  clock: systemClock,
  log: silentLog,
  node: 'n',
  now: () => 0,
  turn: () => Promise.reject(new TypeError('no circuit turns here')),
  changed: () => {},
  turned: () => {},
  hurry: () => {},
})

function found(more: Partial<RunRecord> = {}) {
  const entry = entryWith('a')
  entry.record = { ...entry.record, ...more }
  return { entry, found: new FoundRun(entry, ship, entry.event, dependencies) }
}

const begun = (attempt: number) => ({ generation: 1, attempt, at: 0, step: undefined })

it('a fresh run begins its first attempt, and says so of every way out', () => {
  const { found: fresh } = found()
  expect(fresh).toMatchObject({ attempt: 1, losses: 0, tried: [], expiresAt: 60_000 })
  const outcome = { kind: 'completed', result: undefined } as const
  const facts = { attempt: 1, progressed: true, losses: 0, seenIntervention: 0, refunded: 0 }
  const policy = { undoOnDeath: false, undoable: true, guarded: false, expiresAt: 60_000, handlerVersion: 'v2' }
  const ended = { outcome, startedAt: 5, progressed: true, undoable: true, tried: [] }
  expect(fresh.ended(ended)).toEqual({ outcome, facts, policy, startedAt: 5, tried: [] })
  expect(fresh.unstarted(outcome)).toMatchObject({ facts: { attempt: 0, progressed: false }, startedAt: undefined })
  expect(fresh.unopened(outcome, 7)).toMatchObject({ facts: { attempt: 1, progressed: false }, startedAt: 7 })
  expect([fresh.isTooOld(59_999), fresh.isTooOld(60_000)]).toEqual([false, true])
})

it('attempts that left a begin and no settlement are lost leases, and the next comes after them', () => {
  const { entry, found: lost } = found({ begins: [begun(1), begun(2)] })
  expect([lossesOf(entry), lost.losses, lost.attempt]).toEqual([2, 2, 3])
})

it('with a step in doubt it does not expire, and the interventions that came meanwhile are seen', () => {
  const step = { kind: 'step', name: 'pay', of: '' } as const
  const { entry, found: doubtful } = found({ tried: [{ step, firstTriedAt: 0, doubt: true, guard: 'once' }] })
  expect(doubtful.isTooOld(90_000)).toBe(false)
  const intervention = {
    position: 9,
    at: 1,
    answer: undefined,
    key: 'k',
    event: 'e',
    tag: 't',
    detail: '{}',
    actor: 'me',
  }
  entry.record = { ...entry.record, interventions: [{ ...intervention, verb: 'signal' }] }
  const ended = doubtful.unstarted({ kind: 'handed_back' })
  expect(ended).toMatchObject({ facts: { seenIntervention: 9 }, policy: { guarded: true, expiresAt: undefined } })
})
