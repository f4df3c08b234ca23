import { expect, it } from 'vitest'
import { entryWith } from '../../test/support/entry.ts'
import { systemClock } from '../kit/clock.ts'
import { AttemptMemory } from './attempt-memory.ts'

const step = { kind: 'step', name: 'pay', of: '' } as const
const text = 'step:3:pay'
const times = { startedAt: 0, endedAt: 0, firstTriedAt: 0 }
const checkpoint = { generation: 1, attempt: 1, epoch: 1, order: 0, step, ...times }

it('knows what the record has, and is as good as empty of a run that left nothing', () => {
  const { record } = entryWith('a')
  const fresh = new AttemptMemory(systemClock, record)
  expect([fresh.undoable, fresh.leftTried, fresh.usedNames.size, fresh.checkpoints.size]).toEqual([false, [], 0, 0])
  const { usedNames, signals } = fresh
  expect([fresh.usedNames === usedNames, fresh.signals === signals]).toEqual([true, true])
  const tried = { step: { ...step, name: 'book' }, firstTriedAt: 0, doubt: true }
  const later = new AttemptMemory(systemClock, { ...record, checkpoints: [checkpoint], tried: [tried] })
  expect([later.checkpoints.get(text), later.leftTried, later.undoable]).toEqual([checkpoint, [tried], false])
})

it('is undoable by a checkpoint or a doubt that has an undo, and by an undo that is told for a checkpoint', () => {
  const { record } = entryWith('a')
  const kept = new AttemptMemory(systemClock, { ...record, checkpoints: [{ ...checkpoint, undoable: true }] })
  const doubtful = { step, firstTriedAt: 0, doubt: true, undoable: true }
  const inDoubt = new AttemptMemory(systemClock, { ...record, tried: [doubtful] })
  const refused = new AttemptMemory(systemClock, { ...record, tried: [{ ...doubtful, doubt: false }] })
  const told = new AttemptMemory(systemClock, { ...record, checkpoints: [checkpoint] })
  const retry = { attempts: 1, minMs: 0, maxMs: 0, factor: 1, jitter: 'none' } as const
  told.undoables.set(text, { step, undo: () => {}, confirm: undefined, timeoutMs: 1, keyTtlMs: 1, retry })
  expect([kept, inDoubt, refused, told].map(({ undoable }) => undoable)).toEqual([true, true, false, true])
})
