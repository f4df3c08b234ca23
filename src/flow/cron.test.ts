import { describe, expect, it } from 'vitest'
import { isoTime, parseTime } from '../kit/iso-time.ts'
import { type CronTimes, openCron } from './cron.ts'

const at = (text: string) => parseTime(text) ?? Number.NaN

async function opened(cron: string, timezone = 'UTC'): Promise<CronTimes> {
  const times = await openCron({ cron, timezone })
  if ('problem' in times) expect.fail(times.problem)
  return times
}

/** The first ticks after a time; and the same, looked for from behind. */
async function ticks(cron: string, timezone: string, after: string, count: number): Promise<string[]> {
  const times = await opened(cron, timezone)
  const found: number[] = []
  for (let last: number | undefined = at(after); found.length < count; found.push(last)) {
    last = times.next(last)
    if (last === undefined) break
  }
  const back: number[] = []
  for (let until = found.at(-1); until !== undefined && until > at(after); until = times.latest(until - 1)) {
    back.unshift(until)
  }
  expect(back).toEqual(found)
  return found.map((one) => isoTime(one).slice(0, 19))
}

const problem = async (cron: string, timezone = 'UTC') => {
  const times = await openCron({ cron, timezone })
  return 'problem' in times ? times.problem : ''
}

describe('a cron expression', () => {
  it('ticks after a time, and at it or before', async () => {
    const { next, latest } = await opened('*/10 * * * *')
    const ten = at('2026-01-01T00:10:00Z')
    expect(next(ten)).toBe(at('2026-01-01T00:20:00Z'))
    expect(next(ten - 1)).toBe(ten)
    expect(latest(ten)).toBe(ten)
    expect(latest(ten - 1)).toBe(at('2026-01-01T00:00:00Z'))
  })

  it('may have seconds, names and the last day of a month', async () => {
    const from = '2026-01-30T00:00:00Z'
    expect(await ticks('*/20 * * * * *', 'UTC', from, 2)).toEqual(['2026-01-30T00:00:20', '2026-01-30T00:00:40'])
    expect(await ticks('0 9 * * mon-fri', 'UTC', from, 2)).toEqual(['2026-01-30T09:00:00', '2026-02-02T09:00:00'])
    expect(await ticks('0 0 L * *', 'UTC', from, 2)).toEqual(['2026-01-31T00:00:00', '2026-02-28T00:00:00'])
    expect(await ticks('@daily', 'UTC', from, 1)).toEqual(['2026-01-31T00:00:00'])
    for (const name of ['@hourly', '@weekly', '@monthly', '@yearly']) expect(await problem(name)).toBe('')
    expect(await ticks('0 0 * * fri#2', 'UTC', from, 1)).toEqual(['2026-02-13T00:00:00'])
  })

  it('ticks on a day of the month and on a day of the week, where both are given', async () => {
    expect(await ticks('0 0 3 * sun', 'UTC', '2026-01-30T00:00:00Z', 3)).toEqual([
      '2026-02-01T00:00:00',
      '2026-02-03T00:00:00',
      '2026-02-08T00:00:00',
    ])
  })

  it('is refused with what is wrong with it', async () => {
    expect(await problem('61 * * * *')).toBe('cron: "61 * * * *" is not understood: Invalid value for minute: 61')
    expect(await problem('nightly')).toMatch(/^cron: "nightly" is not understood: .*space separated parts/)
    expect(await problem('* * * * * * *')).toMatch(/5 or 6 parts/)
    expect(await problem('2026-01-01T00:00:00')).toBe(
      'cron: wanted five or six fields, found the date "2026-01-01T00:00:00"',
    )
    expect(await problem('0 0 31 2 *')).toBe('cron: "0 0 31 2 *" never ticks')
    expect(await problem('0 3 * * *', 'Mars/Olympus')).toBe(
      `timezone: wanted one like 'Europe/Athens', found "Mars/Olympus"`,
    )
    expect(await problem('0 0 29 2 *', 'Europe/Athens')).toBe('')
  })
})

describe('a day of 23 hours', () => {
  it('has a time of day that it lacks when the clock has jumped', async () => {
    // At 03:00 it becomes 04:00 in Athens, at 02:00 it becomes 03:00 in New York.
    expect(await ticks('30 3 * * *', 'Europe/Athens', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00',
      '2026-03-29T01:00:00',
      '2026-03-30T00:30:00',
    ])
    expect(await ticks('30 2 * * *', 'America/New_York', '2026-03-07T00:00:00Z', 3)).toEqual([
      '2026-03-07T07:30:00',
      '2026-03-08T07:00:00',
      '2026-03-09T06:30:00',
    ])
  })

  it('has a list of times of day by the same rule, and those that fall together once', async () => {
    expect(await ticks('30 3,15 * * *', 'Europe/Athens', '2026-03-28T22:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00',
      '2026-03-29T12:30:00',
    ])
    expect(await ticks('0,30 3,4 * * *', 'Europe/Athens', '2026-03-28T22:00:00Z', 3)).toEqual([
      '2026-03-29T01:00:00',
      '2026-03-29T01:30:00',
      '2026-03-30T00:00:00',
    ])
  })

  it('leaves out of what goes on through the day the times that it lacks', async () => {
    expect(await ticks('*/30 * * * *', 'Europe/Athens', '2026-03-29T00:00:00Z', 3)).toEqual([
      '2026-03-29T00:30:00',
      '2026-03-29T01:00:00',
      '2026-03-29T01:30:00',
    ])
    expect(await ticks('*/30 2 * * *', 'America/New_York', '2026-03-08T00:00:00Z', 1)).toEqual(['2026-03-09T06:00:00'])
  })
})

describe('a day of 25 hours', () => {
  it('has a time of day that it has twice the first time', async () => {
    // At 04:00 it becomes 03:00 in Athens, at 02:00 it becomes 01:00 in New York.
    expect(await ticks('30 3 * * *', 'Europe/Athens', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00',
      '2026-10-26T01:30:00',
    ])
    expect(await ticks('30 1,13 * * *', 'America/New_York', '2026-11-01T00:00:00Z', 3)).toEqual([
      '2026-11-01T05:30:00',
      '2026-11-01T18:30:00',
      '2026-11-02T06:30:00',
    ])
  })

  it('ticks twice what goes on through the day: an hour stays an hour', async () => {
    expect(await ticks('0 * * * *', 'America/New_York', '2026-11-01T04:30:00Z', 3)).toEqual([
      '2026-11-01T05:00:00',
      '2026-11-01T06:00:00',
      '2026-11-01T07:00:00',
    ])
    expect(await ticks('*/30 3 * * *', 'Europe/Athens', '2026-10-25T00:00:00Z', 4)).toEqual([
      '2026-10-25T00:30:00',
      '2026-10-25T01:00:00',
      '2026-10-25T01:30:00',
      '2026-10-26T01:00:00',
    ])
  })
})
