import { describe, expect, it } from 'vitest'
import { limits } from '../../src/kit/limits.ts'
import { violationsOf } from './check-history.ts'
import type { Effect, History, SentEvent } from './history.ts'

const lines = (id: string, attempt: number, ...what: string[]): Effect[] =>
  what.map((one) => ({ id, attempt, pid: 1, what: one }))
const whole = ['begin', 'authorise', 'capture', 'notify', 'end']

const answer = (id: string, outcome = 'accepted', at = 1, altered = false) => ({
  outcome,
  eventKey: `key-${id}`,
  at,
  altered,
})
const sent = (id: string, type: SentEvent['type'], more: Partial<SentEvent> = {}): SentEvent => {
  return { id, type, orderKey: undefined, sentAt: 0, answers: [answer(id)], ...more }
}

/** A history in which all is well: a run that was killed after its first step, two in order, one transaction. */
const well: History = {
  sent: [
    sent('a', 'paid', { answers: [answer('a'), answer('a', 'duplicate', 2), answer('a', 'conflict', 3, true)] }),
    sent('q1', 'queued', { orderKey: 'k', answers: [answer('q1', 'accepted', 5)] }),
    sent('q2', 'queued', { orderKey: 'k', sentAt: 6, answers: [answer('q2', 'duplicate', 7)] }),
    sent('b', 'booked'),
  ],
  effects: [
    ...lines('a', 1, 'begin', 'authorise', 'capture'),
    ...lines('a', 2, 'begin', 'capture', 'notify', 'end'),
    ...lines('q1', 1, ...whole),
    ...lines('q2', 1, ...whole),
  ],
  kills: [],
  record: {
    events: ['a', 'q1', 'q2', 'b'].map((id) => ({ id, eventKey: `key-${id}` })),
    runs: ['a', 'q1', 'q2', 'b'].map((id) => ({ eventKey: `key-${id}`, status: 'completed', reason: undefined })),
    bookings: ['b'],
  },
}

const withRecord = (more: Partial<History['record']>): History => ({ ...well, record: { ...well.record, ...more } })
const withAnswers = (id: string, answers: SentEvent['answers']): History => {
  return { ...well, sent: well.sent.map((event) => (event.id === id ? { ...event, answers } : event)) }
}
const looped = (id: string) => ({
  runs: well.record.runs.map((run) =>
    run.eventKey === `key-${id}` ? { ...run, status: 'dead' as const, reason: 'crash_loop' } : run,
  ),
})
/** A was killed in execution so often; every kill counts, also those that came before it. */
const killedOften = (times: number, more: { before?: number; spared?: number } = {}): History => ({
  ...withRecord(looped('a')),
  effects: [
    ...Array.from({ length: times }, (_, index) => ({ id: 'a', attempt: index + 1, pid: index + 10, what: 'begin' })),
    ...but('a'),
  ],
  kills: Array.from({ length: 20 }, (_, index) => ({
    pid: index < (more.spared ?? 0) ? 0 : index + 10,
    at: index < (more.before ?? 0) ? -1 : index + 1,
  })),
})
const withEffects = (effects: readonly Effect[]): History => ({ ...well, effects })
const of = (id: string) => well.effects.filter((effect) => effect.id === id)
const but = (id: string) => well.effects.filter((effect) => effect.id !== id)

describe('the checker of crash histories', () => {
  it('finds nothing where all was well', () => {
    expect(violationsOf(well)).toEqual([])
  })

  it('forgives a run that died because node after node was killed under it', () => {
    expect(violationsOf(killedOften(limits.lostLeases))).toEqual([])
    // One kill may have come before the handler's first line.
    expect(violationsOf(killedOften(limits.lostLeases - 1))).toEqual([])
  })

  it.each<[string, History, RegExp]>([
    [
      'an acknowledged event is lost',
      withRecord({ events: well.record.events.slice(1) }),
      /a was acknowledged and is not/,
    ],
    [
      'an answer names another key',
      withAnswers('b', [{ ...answer('b'), eventKey: 'other' }]),
      /b was answered as other/,
    ],
    ['an event was never answered', withAnswers('b', []), /b was never answered/],
    [
      'an event is on record twice',
      withRecord({ events: [...well.record.events, { id: 'a', eventKey: 'key-a' }] }),
      /twice/,
    ],
    [
      'an event comes from nowhere',
      withRecord({
        events: [...well.record.events, { id: 'x', eventKey: 'key-x' }],
        runs: [...well.record.runs, { eventKey: 'key-x', status: 'completed', reason: undefined }],
      }),
      /x is on record and was never sent/,
    ],
    ['an identity is accepted twice', withAnswers('b', [answer('b'), answer('b', 'accepted', 2)]), /accepted 2 times/],
    [
      'a repeat is a conflict',
      withAnswers('b', [answer('b'), answer('b', 'conflict', 2)]),
      /b, unchanged, was answered conflict/,
    ],
    [
      'other content is a duplicate',
      withAnswers('b', [answer('b'), answer('b', 'duplicate', 2, true)]),
      /altered, was answered/,
    ],
    ['a run is missing', withRecord({ runs: well.record.runs.slice(1) }), /a has no run/],
    [
      'a run never ends',
      withRecord({ runs: well.record.runs.map((run) => ({ ...run, status: 'scheduled' })) }),
      /the run of a is still scheduled/,
    ],
    [
      'a run died for no cause',
      withRecord({ runs: well.record.runs.map((run) => ({ ...run, status: 'dead', reason: 'attempts_exhausted' })) }),
      /is dead: attempts_exhausted/,
    ],
    ['a crash loop without kills', { ...withRecord(looped('a')), effects: but('a') }, /1 runs died .* 0 kills/],
    [
      'a crash loop of too few kills',
      killedOften(limits.lostLeases - 2),
      /a died of a crash loop, and was killed 3 times/,
    ],
    ['a crash loop of attempts that nobody killed', killedOften(5, { spared: 3 }), /a died .* was killed 2 times/],
    [
      'a crash loop of kills before it was sent',
      killedOften(5, { before: 16 }),
      /a died of a crash loop after 4 kills/,
    ],
    [
      'more crash loops than the kills explain',
      { ...killedOften(5), kills: killedOften(5).kills.slice(0, 3) },
      /1 runs died of a crash loop, and 3 kills explain 0/,
    ],
    [
      'a step runs again after its checkpoint',
      withEffects([...but('a'), ...lines('a', 1, 'begin', 'authorise', 'capture'), ...lines('a', 2, ...whole)]),
      /ran authorise again/,
    ],
    ['a step runs without its attempt', withEffects([...but('a'), ...of('a').slice(1)]), /without its begin/],
    [
      'a step is skipped',
      withEffects([...but('q2'), ...lines('q2', 1, 'begin', 'authorise', 'notify', 'end')]),
      /never came to capture/,
    ],
    [
      'steps swap',
      withEffects([
        ...but('q2'),
        ...lines('q2', 1, 'begin', 'capture'),
        ...lines('q2', 1, 'authorise', 'notify', 'end'),
      ]),
      /out of order/,
    ],
    ['a completed run had no effect', withEffects(but('q2')), /q2 is completed and never came to begin/],
    ['an effect has no event', withEffects([...well.effects, ...lines('x', 1, 'begin')]), /x had an effect/],
    ['a transaction takes effect twice', withRecord({ bookings: ['b', 'b'] }), /took effect 2 times/],
    ['a transaction takes no effect', withRecord({ bookings: [] }), /took no effect/],
    ['the order is reversed', withEffects([...of('a'), ...of('q2'), ...of('q1')]), /q2 began before q1/],
    [
      'two of one key overlap',
      withEffects([...of('a'), ...of('q1').slice(0, -1), ...of('q2'), ...of('q1').slice(-1)]),
      /q2 began before q1/,
    ],
  ])('finds it when %s', (_name, doctored, wanted) => {
    expect(violationsOf(doctored).join('\n')).toMatch(wanted)
  })
})
