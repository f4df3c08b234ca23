import { describe, expect, it } from 'vitest'
import { handler } from '../engine/handler.ts'
import { schedule } from '../engine/schedule.ts'
import { hmac } from '../sources/hmac.ts'
import { stripe } from '../sources/stripe.ts'
import { type CheckedOptions, checkOptions, scheduleProblems } from './check-options.ts'

const one = handler('one', { source: 'shop', on: 'order.*' }, () => {})

/** What an error says of these options. */
function said(options: object): string {
  try {
    // Options as JavaScript may give them: what the compiler would refuse is what is tested.
    checkOptions({ store: 'memory:', ...options } as CheckedOptions & { store: unknown })
    return ''
  } catch (error) {
    expect(error).toMatchObject({ code: 'config_invalid' })
    return error instanceof Error ? error.message : ''
  }
}

describe('checkOptions', () => {
  it('takes what is right, and absent options as their defaults', () => {
    expect(said({})).toBe('')
    expect(
      said({ concurrency: 1, lease: 3, beat: 1, grace: 0, sources: [stripe({ secret: 's' })], handlers: [one] }),
    ).toBe('')
    expect(said({ retention: { payloads: 0, journal: 0, identities: '3d' } })).toBe('')
  })

  it('says all that is wrong at once', () => {
    const message = said({
      store: 7,
      group: '',
      concurrency: Number.NaN,
      lease: '1s',
      beat: '2s',
      grace: -1,
      key: '',
      retention: { payloads: '40d', journal: '30d', identities: '1d', identites: '9d' },
      sources: [stripe({ secret: 's' }), stripe({ secret: 't' })],
      handlers: [one, one],
      concurency: 5,
    })
    for (const part of [
      'store: wanted a URL',
      'group: wanted 1 to 128 characters',
      'concurrency: wanted a whole number of 1 or more, found NaN',
      'lease (1000 ms) must be at least three beats (2000 ms each)',
      'grace: wanted a duration',
      'key: wanted text',
      'retention.journal must be at least retention.payloads',
      'retention.identities must be at least retention.journal',
      'retention.identites is no option; did you mean retention.identities?',
      'two sources are named stripe',
      'two handlers are named one',
      'concurency is no option; did you mean concurrency?',
    ]) {
      expect(message).toContain(part)
    }
  })

  it.each([
    ['concurrency', [0, -1, 1.5, Number.POSITIVE_INFINITY, '5']],
    ['lease', [0, 'soon', Number.NaN]],
    ['beat', [0, -1, Number.NaN]],
    ['grace', [Number.POSITIVE_INFINITY, 'never']],
    ['group', ['a\nb', 5, 'x'.repeat(129)]],
    ['sources', [{}, [{}], 'stripe', new Array(1), [stripe({ secret: 's' }), ...new Array(1)]]],
    ['alerts', [5, 'slack', [{}], [() => {}], new Array(1)]],
    ['handlers', [5, [() => {}], new Array(1)]],
    ['schedules', [5, [one], new Array(1)]],
  ])('refuses nonsense in %s', (name, values) => {
    for (const value of values) expect(said({ [name]: value })).toContain(`  ${name}: wanted`)
  })

  it('keeps identities for as long as a source may resend, and says for how long', () => {
    const short = { retention: { payloads: '1d', journal: '1d', identities: '7d' } }
    expect(said({ ...short, sources: [stripe({ secret: 's' })] })).toContain(
      'retention.identities (7d) is shorter than source stripe may resend (30d): a late resend would be a new event; keep identities for 30d or longer',
    )
    const options = { secret: 's', header: 'x-signature', content: '{body}' }
    expect(said({ ...short, sources: [hmac(options)] })).toBe('')
    expect(said({ ...short, sources: [hmac({ ...options, resends: '8d' })] })).toContain('source hmac may resend (8d)')
    const identity = { content: ['bet'], window: '30d' } as const
    expect(said({ ...short, sources: [hmac({ ...options, identity })] })).toContain(
      'the identity window of source hmac',
    )
  })

  it('takes channels for alerts, and refuses kinds that are none', () => {
    const send = async () => {}
    expect(said({ alerts: [{ kinds: ['run_dead'], send }, { send }] })).toBe('')
    expect(said({ alerts: [] })).toBe('')
    const message = said({
      alerts: [
        { name: 'pager', kinds: ['run_ded', 'xyzzy', 5], send },
        { kinds: 'all', send },
      ],
    })
    for (const part of [
      'alerts: "run_ded" of pager is no kind; did you mean run_dead?',
      'alerts: "xyzzy" of pager is no kind; wanted of circuit_opened, ',
      'alerts: 5 of pager is no kind',
      'alerts: wanted a list of kinds for channel, found "all"',
    ]) {
      expect(message).toContain(part)
    }
  })

  it('refuses two handlers that take over the runs of one', () => {
    const renamed = (name: string) => handler(name, { source: 'shop', on: 'a', formerly: ['old'] }, () => {})
    expect(said({ handlers: [renamed('new'), renamed('newer')] })).toContain('two handlers take over the runs of old')
  })

  it('counts a schedule among the handlers: their names are of one kind', () => {
    const timed = (name: string, formerly: string[] = []) => schedule(name, '0 3 * * *', { formerly }, () => {})
    expect(said({ handlers: [one], schedules: [timed('two')] })).toBe('')
    expect(said({ handlers: [one], schedules: [timed('one')] })).toContain('two handlers are named one')
    expect(said({ handlers: [one], schedules: [timed('two', ['one'])] })).toContain('take over the runs of one')
  })
})

describe('scheduleProblems', () => {
  it('says what is wrong with when they tick, and leaves what is no schedule to others', async () => {
    expect(await scheduleProblems(undefined)).toEqual([])
    expect(await scheduleProblems([5])).toEqual([])
    expect(await scheduleProblems([schedule('odd', '0 99 * * *', {}, () => {})])).toEqual([
      'schedule "odd": cron: "0 99 * * *" is not understood: Invalid value for hour: 99',
    ])
  })
})
