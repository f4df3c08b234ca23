import { describe, expect, expectTypeOf, it } from 'vitest'
import { cronProblems, openSchedules, type ScheduleOptions, schedule } from './schedule.ts'

const nothing = () => {}

/** What an error says of this declaration. */
function said(name: string, cron: string, options: object = {}, body: unknown = nothing): string {
  try {
    // Options as JavaScript may give them: what the compiler would refuse is what is tested.
    schedule(name, cron, options as ScheduleOptions, body as () => void)
    return ''
  } catch (error) {
    expect(error).toMatchObject({ code: 'config_invalid' })
    return error instanceof Error ? error.message : ''
  }
}

describe('schedule', () => {
  it('is a handler of its ticks, which come from its group', () => {
    const nightly = schedule('nightly', '0 3 * * *', { retry: { attempts: 3 }, expires: '1d', version: '2' }, nothing)
    expect(nightly).toMatchObject({ cron: '0 3 * * *', timezone: 'UTC', missed: 'latest' })
    expect(Object.isFrozen(nightly)).toBe(true)
    expect(nightly.handlerIn('billing')).toMatchObject({
      name: 'nightly',
      sources: ['billing'],
      types: ['schedule.nightly'],
      retry: { attempts: 3 },
      expiresMs: 86_400_000,
      version: '2',
    })
  })

  it('keeps the type of its ticks when it is renamed', () => {
    const renamed = schedule('night', '0 3 * * *', { formerly: ['nightly'] }, nothing)
    expect(renamed.handlerIn('default')).toMatchObject({
      name: 'night',
      formerly: ['nightly'],
      types: ['schedule.nightly'],
    })
  })

  it('types what its ticks bring', () => {
    schedule('nightly', '0 3 * * *', {}, ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ readonly schedule: string; readonly at: string }>()
    })
  })

  it('says all that is wrong with how it is declared', () => {
    const message = said('no name', ' ', { timezone: '', missed: 'some', timeout: 0, source: 'shop', formerly: 5 }, 7)
    for (const part of [
      'schedule "no name": name: wanted 1 to 128 letters',
      'cron: wanted an expression like \'0 3 * * *\', found " "',
      'timezone: wanted one like \'Europe/Athens\', found ""',
      'missed: wanted one of skip, latest, all, found "some"',
      'timeout: wanted a duration',
      'source is no option of a schedule',
      'formerly: wanted a list of names',
      'body: wanted a function',
    ])
      expect(message).toContain(part)
    expect(said('x'.repeat(120), '0 3 * * *')).toContain('name: wanted at most 119 characters')
    expect(said('x', '0 3 * * *', { formerly: ['y'.repeat(120)] })).toContain('name: wanted at most 119 characters')
    expect(said('x'.repeat(119), '0 3 * * *')).toBe('')
  })

  it('has an expression that is read when it is opened, all mistakes at once', async () => {
    const wrong = [schedule('one', '61 * * * *', {}, nothing), schedule('two', '0 3 * * *', { timezone: 'X' }, nothing)]
    const right = schedule('three', '0 3 * * *', {}, nothing)
    expect(await openSchedules([right])).toMatchObject([{ schedule: right }])
    expect(await cronProblems([...wrong, right])).toEqual([
      'schedule "one": cron: "61 * * * *" is not understood: Invalid value for minute: 61',
      `schedule "two": timezone: wanted one like 'Europe/Athens', found "X"`,
    ])
    const refusal = { code: 'config_invalid', message: expect.stringContaining('schedule "two"') }
    await expect(openSchedules(wrong)).rejects.toMatchObject(refusal)
  })
})
