import { describe, expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import type { CronTimes } from './cron.ts'
import { dueTicks, tickId, tickTime } from './schedule.ts'

/** Ticks at each multiple of ten. */
const tens: CronTimes = {
  next: (after) => Math.floor(after / 10) * 10 + 10,
  latest: (until) => Math.floor(until / 10) * 10,
}

const due = (missed: 'skip' | 'latest' | 'all', since: number, now: number, lateMs = 5) =>
  dueTicks(tens, missed, { since, now, lateMs })

describe('dueTicks', () => {
  it('are none where none came since', () => {
    for (const missed of ['skip', 'latest', 'all'] as const) {
      expect(due(missed, 20, 29)).toEqual({ ticks: [], isCut: false })
      expect(due(missed, 20, 20)).toEqual({ ticks: [], isCut: false })
    }
  })

  it('are the last one, whatever its age, of latest', () => {
    expect(due('latest', 20, 30).ticks).toEqual([30])
    expect(due('latest', 20, 79).ticks).toEqual([70])
  })

  it('are the last one alone, and only as long as it is not late, of skip', () => {
    expect(due('skip', 20, 30).ticks).toEqual([30])
    expect(due('skip', 20, 75).ticks).toEqual([70])
    expect(due('skip', 20, 76).ticks).toEqual([])
  })

  it('are each, oldest first, and never more than the limit, of all', () => {
    expect(due('all', 20, 55)).toEqual({ ticks: [30, 40, 50], isCut: false })
    const most = limits.missedTicks
    expect(due('all', 0, most * 10)).toMatchObject({ isCut: false })
    const { ticks, isCut } = due('all', 0, most * 10 + 10)
    expect([ticks.length, ticks[0], ticks.at(-1), isCut]).toEqual([most, 20, most * 10 + 10, true])
  })
})

describe('a tick’s id', () => {
  it('is the schedule and the time, and tells the time again', () => {
    const id = tickId('nightly', 1_764_000_000_000)
    expect(id).toBe('nightly@2025-11-24T16:00:00.000Z')
    expect(tickTime('nightly', id)).toBe(1_764_000_000_000)
    expect(tickTime('monthly', id)).toBeUndefined()
    expect(tickTime('nightly', 'nightly@soon')).toBeUndefined()
  })
})
