import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { check } from './check.ts'
import { type Answered, type Effect, type History, type OnRecord, type Sent, steps } from './records.ts'

const attempt = (id: string, tenant: string, number: number, stages: readonly string[]): Effect[] =>
  stages.map((what) => {
    const value = what === 'begin' ? '' : what === 'end' ? `"${id}"` : `key-${id}-${what}`
    return { id, tenant, attempt: number, pid: number, what, value }
  })
const all = ['begin', ...steps, 'end']
const answer = (answered: string, outcome: string, at: number): Answered => {
  return { answered, outcome, eventKey: `event-${answered}`, at, altered: outcome === 'conflict' }
}
const sent = (id: string, tenant: string, at: number, orderKey?: string): Sent => {
  return { id, tenant, at, ...(orderKey === undefined ? {} : { orderKey }) }
}
const found = (id: string, tenant: string): OnRecord => {
  return { id, eventKey: `event-${id}`, tenant, status: 'completed', result: `"${id}"` }
}

/** All is well: one plain, one killed in its second step and resumed, one resent and altered, two in order. */
function good(): { ledger: (Sent | Answered)[]; effects: Effect[]; record: OnRecord[] } {
  return {
    ledger: [
      sent('plain', 'acme', 1),
      answer('plain', 'accepted', 2),
      sent('killed', 'acme', 3),
      answer('killed', 'duplicate', 4),
      sent('resent', 'globex', 5),
      answer('resent', 'accepted', 6),
      answer('resent', 'duplicate', 7),
      answer('resent', 'conflict', 8),
      sent('first', 'acme', 9, 'one'),
      answer('first', 'accepted', 10),
      sent('second', 'acme', 11, 'one'),
      answer('second', 'accepted', 12),
    ],
    effects: [
      ...attempt('plain', 'acme', 1, all),
      ...attempt('killed', 'acme', 1, ['begin', 'authorise', 'capture']),
      ...attempt('killed', 'acme', 2, ['begin', 'capture', 'notify', 'end']),
      ...attempt('resent', 'globex', 1, all),
      ...attempt('first', 'acme', 1, all),
      ...attempt('second', 'acme', 1, all),
    ],
    record: [
      found('plain', 'acme'),
      found('killed', 'acme'),
      found('resent', 'globex'),
      found('first', 'acme'),
      found('second', 'acme'),
    ],
  }
}

const changed = <Item>(list: Item[], where: (item: Item) => boolean, by: Partial<Item>): Item[] =>
  list.map((item) => (where(item) ? { ...item, ...by } : item))

type Good = ReturnType<typeof good>
const doctored: readonly [rule: string, what: string, doctor: (history: Good) => Partial<History>][] = [
  [
    'lost',
    'an acknowledged event is gone',
    ({ record, effects }) => ({
      record: record.filter(({ id }) => id !== 'plain'),
      effects: effects.filter(({ id }) => id !== 'plain'),
    }),
  ],
  [
    'unsent',
    'an event nobody sent',
    ({ record, effects }) => ({
      record: [...record, found('ghost', 'acme')],
      effects: [...effects, ...attempt('ghost', 'acme', 1, all)],
    }),
  ],
  ['twice', 'an event on record twice', ({ record }) => ({ record: [...record, found('plain', 'acme')] })],
  ['answer', 'a resend accepted again', ({ ledger }) => ({ ledger: [...ledger, answer('plain', 'accepted', 20)] })],
  [
    'answer',
    'another content called a duplicate',
    ({ ledger }) => ({ ledger: [...ledger, { ...answer('plain', 'duplicate', 20), altered: true }] }),
  ],
  [
    'key',
    'a retry under another key',
    ({ effects }) => ({
      effects: changed(effects, ({ id, attempt, what }) => id === 'killed' && attempt === 2 && what === 'capture', {
        value: 'key-new',
      }),
    }),
  ],
  [
    'checkpoint',
    'a durable step run by a later attempt',
    ({ effects }) => ({
      effects: [
        ...effects.filter(({ id }) => id !== 'killed'),
        ...attempt('killed', 'acme', 1, ['begin', 'authorise', 'capture']),
        ...attempt('killed', 'acme', 2, all),
      ],
    }),
  ],
  [
    'fence',
    'a zombie that goes on',
    ({ effects }) => ({
      effects: [
        ...effects.filter(({ id }) => id !== 'killed'),
        ...attempt('killed', 'acme', 1, ['begin', 'authorise']),
        ...attempt('killed', 'acme', 2, ['begin', 'authorise', 'capture']),
        ...attempt('killed', 'acme', 1, ['capture', 'notify']),
        ...attempt('killed', 'acme', 2, ['notify', 'end']),
      ],
    }),
  ],
  [
    'whole',
    'a step left out',
    ({ effects }) => ({ effects: effects.filter(({ id, what }) => !(id === 'plain' && what === 'capture')) }),
  ],
  [
    'ended',
    'a run that stands',
    ({ record }) => ({ record: changed(record, ({ id }) => id === 'plain', { status: 'running' }) }),
  ],
  [
    'tenant',
    "an event in another tenant's hands",
    ({ record }) => ({ record: changed(record, ({ id }) => id === 'resent', { tenant: 'acme' }) }),
  ],
  [
    'result',
    'a result nobody came to',
    ({ record }) => ({ record: changed(record, ({ id }) => id === 'plain', { result: '"other"' }) }),
  ],
  [
    'order',
    'the second of an order key before the first',
    ({ effects }) => ({
      effects: [
        ...effects.filter(({ id }) => id !== 'first' && id !== 'second'),
        ...attempt('second', 'acme', 1, all),
        ...attempt('first', 'acme', 1, all),
      ],
    }),
  ],
]

describe('the checker of real faults', () => {
  it('has nothing against a good history', async () => expect(await check(good())).toEqual([]))

  for (const [rule, what, doctor] of doctored) {
    it(`tells ${what} by the rule ${rule} alone`, async () => {
      const history = good()
      const told = await check({ ...history, ...doctor(history) })
      expect([...new Set(told.map((violation) => violation.rule))]).toEqual([rule])
    })
  }

  it('imports nothing of the product', () => {
    for (const name of ['main', 'rules', 'records']) {
      const text = readFileSync(new URL(`./${name}.ts`, import.meta.url), 'utf8')
      const imports = [...text.matchAll(/ from '([^']+)'/g)].map(([, from = '']) => from)
      expect(imports.filter((from) => !/^node:|^\.\/[a-z]+\.ts$/.test(from))).toEqual([])
    }
  })
})
