import { expect, it } from 'vitest'
import { eventWith } from '../../test/support/entry.ts'
import { on } from '../../test/support/shop.ts'
import { silentLog } from '../kit/log.ts'
import type { RunRecord } from '../store/store.ts'
import { BurstPlaces } from './burst-places.ts'
import { freshRecord } from './entry.ts'
import { type HandlerOptions, handler } from './handler.ts'
import { freshState } from './interventions.ts'

const event = eventWith('a', { body: new TextEncoder().encode('{"total":5}'), contentType: 'application/json' })
const fresh = freshRecord(event, 'tagtagta')

function placesFor(options: Partial<HandlerOptions>, warnings: string[] = []): BurstPlaces {
  const one = handler('one', { ...on, ...options }, () => {})
  const log = { ...silentLog, warn: (text: string, more: object = {}) => warnings.push(text + JSON.stringify(more)) }
  return new BurstPlaces({ log, handlerOf: () => one })
}

const keyed = (key: NonNullable<HandlerOptions['coalesce']>['key']) => ({ coalesce: { key, window: '5s' } }) as const

it('says of no run that began, or was moved, that it may be overtaken', () => {
  const places = placesFor(keyed(() => 'k'))
  const step = { kind: 'step', name: 's', of: '' } as const
  const checkpoint = {
    step,
    value: '1',
    generation: 1,
    attempt: 1,
    epoch: 1,
    order: 1,
    startedAt: 1,
    endedAt: 1,
    firstTriedAt: 1,
  }
  const others: Partial<RunRecord>[] = [
    { state: freshState(1) },
    { begins: [{ generation: 1, attempt: 1, step: undefined, at: 1 }] },
    { checkpoints: [checkpoint] },
    { tried: [{ step, firstTriedAt: 1, doubt: true }] },
  ]
  expect(places.mayBe(fresh)).toBe(true)
  for (const other of others) {
    expect(places.mayBe({ ...fresh, ...other })).toBe(false)
    expect(places.of(event, { ...fresh, ...other })).toBeUndefined()
  }
  expect(placesFor({}).mayBe(fresh)).toBe(false)
})

it('reads the key from the event as the handler sees it', () => {
  const schema: HandlerOptions['schema'] = {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: { through: value } }) },
  }
  const key = ({ data, tenant }: { data: unknown; tenant: string }) => `${tenant} ${JSON.stringify(data)}`
  const place = placesFor({ schema, ...keyed(key) }).of(event, fresh)
  expect(place).toMatchObject({ windowMs: 5_000, acceptedAt: event.acceptedAt })
  expect(JSON.parse(place?.name ?? '[]').at(-1)).toBe(`${event.tenant} {"through":{"total":5}}`)
})

it('tells keys of order keys apart where the handler is ordered, and only there', () => {
  const other = { ...event, orderKey: 'other' }
  const ordered = placesFor({ order: true, ...keyed(() => 'k') })
  expect(ordered.of(event, fresh)?.name).not.toBe(ordered.of(other, fresh)?.name)
  const unordered = placesFor(keyed(() => 'k'))
  expect(unordered.of(event, fresh)?.name).toBe(unordered.of(other, fresh)?.name)
})

it('leaves a run by itself whose key cannot be told, and says why once', () => {
  const answering = (validate: NonNullable<HandlerOptions['schema']>['~standard']['validate']) => {
    const schema: HandlerOptions['schema'] = { '~standard': { version: 1, vendor: 'test', validate } }
    return { schema, ...keyed(({ data }) => String(data)) }
  }
  const promised: unknown = Promise.reject(new TypeError('late'))
  const cases: [Partial<HandlerOptions>, string][] = [
    [keyed(() => Reflect.get(promised ?? {}, 'then') && (promised as string)), 'found object'],
    [keyed(() => 'k'.repeat(1_001)), 'at most 1000 characters'],
    [keyed(({ data }) => Reflect.get(Object(data), 'gone').name), 'undefined'],
    [answering(() => ({ issues: [{ message: 'no' }] })), 'does not fit the schema'],
    [answering(() => Promise.reject(new TypeError('late'))), 'answers by a promise'],
  ]
  for (const [options, reason] of cases) {
    const warnings: string[] = []
    const places = placesFor(options, warnings)
    expect(places.of(event, fresh)).toBeUndefined()
    expect(places.of(event, fresh)).toBeUndefined()
    expect(warnings).toEqual([expect.stringContaining(reason)])
  }
  const unread = placesFor(keyed(({ data }) => String(data)))
  expect(unread.of({ ...event, unparsed: true, body: new TextEncoder().encode('{') }, fresh)).toBeUndefined()
  expect(unread.of({ ...event, body: undefined }, fresh)).toBeUndefined()
})
