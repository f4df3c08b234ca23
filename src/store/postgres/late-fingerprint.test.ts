import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { contentVectors, signedBodies } from '../../../test/support/content-vectors.ts'
import type { NewEvent } from '../../engine/api.ts'
import { createEngine } from '../../engine/engine.ts'
import type { Engine } from '../../engine/engine-options.ts'
import { FingerprintKeys } from '../../engine/fingerprint-keys.ts'
import { type Handler, type HandlerEvent, handler } from '../../engine/handler.ts'
import { LateFingerprints } from '../../engine/late-fingerprints.ts'
import type { SourceTraits } from '../../engine/source-traits.ts'
import type { EventKey } from '../../event/event-key.ts'
import { type Clock, systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import type { HistoryEntry, Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { keyUuid } from './key-bytes.ts'

const url = inject('postgresUrl')
const schema = `late_${process.pid}`
const random = systemRandom()
const pool = new pg.Pool({ connectionString: url, max: 8 })
const partial: SourceTraits = {
  name: 'partial',
  tenant: 'default',
  fingerprintWithout: ['pending'],
  identity: undefined,
  replayWindowMs: 0,
  orderKey: undefined,
}
const traits = { source: (name: string) => (name === 'partial' ? partial : undefined) }
let store: Store
/** Accepts, and runs nothing: what it accepts or meets stays where it is. */
let door: Engine
let ids = 0

beforeAll(async () => {
  store = await open()
  door = await engine([])
})

afterAll(async () => {
  await door.stop()
  await store.close()
  await pool.query(`drop schema if exists ${schema} cascade`)
  await pool.end()
})

function open(): Promise<Store> {
  return postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 4 })
}

async function engine(handlers: readonly Handler[], more: { clock?: Clock; store?: Store; payloads?: number } = {}) {
  const { clock = systemClock, payloads } = more
  return createEngine({
    store: more.store ?? (await open()),
    clock,
    random,
    log: silentLog,
    handlers,
    sources: [partial],
    ...(payloads === undefined ? {} : { retention: { payloads } }),
  })
}

function late(over: Partial<ConstructorParameters<typeof LateFingerprints>[0]> = {}): LateFingerprints {
  return new LateFingerprints({ store, keys: new FingerprintKeys(store, random), log: silentLog, ...traits, ...over })
}

type Given = Pick<NewEvent, 'source' | 'type'> & {
  readonly id: string
  readonly body: string | Uint8Array
  readonly contentType?: string | undefined
}

const bytesOf = (body: string | Uint8Array) => Buffer.from(body)

async function bySql(
  given: Given,
  client: pg.Pool | pg.ClientBase = pool,
): Promise<{ outcome: string; key: EventKey }> {
  const { rows } = await client.query<{ answer: { outcome: string; event: { key: EventKey } } }>(
    `select ${schema}.accept($1, $2, $3, $4, content_type => $5) as answer`,
    [given.source, given.id, given.type, bytesOf(given.body), given.contentType ?? 'application/json'],
  )
  const { outcome, event } = rows[0]?.answer ?? {}
  if (outcome === undefined || event === undefined) throw new Error('no answer')
  return { outcome, key: event.key }
}

async function byLibrary(given: Given, through = door): Promise<{ outcome: string; key: EventKey }> {
  const { body, contentType, ...event } = given
  const receipt = await through.accept({ ...event, body: bytesOf(body), ...(contentType && { contentType }) })
  return { outcome: receipt.outcome, key: receipt.event.key }
}

const ways = { bySql, byLibrary }

function fresh(over: Partial<Given> = {}): Given {
  return { source: 'shop', id: `late-${++ids}`, type: 'order.paid', body: '{"total":5}', ...over }
}

/** What the journal has of later accepts of the identity. */
async function judged(key: EventKey): Promise<string[]> {
  const entries: HistoryEntry[] = await store.history(key)
  return entries.flatMap(({ kind }) => (kind === 'duplicate' || kind === 'conflict' ? kind : []))
}

async function count(table: string, key: EventKey): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::integer as n from ${schema}.${table} where key = $1::uuid`,
    [keyUuid(key)],
  )
  return rows[0]?.n ?? 0
}

const purge = (over: { payloads?: boolean; journal?: boolean; identities?: boolean }) =>
  store.purge({
    payloadsBefore: over.payloads ? Number.MAX_SAFE_INTEGER : 0,
    journalBefore: over.journal ? Number.MAX_SAFE_INTEGER : 0,
    identitiesBefore: over.identities ? Number.MAX_SAFE_INTEGER : 0,
    rows: 1_000,
  })

describe('the content of an event', () => {
  it.concurrent.each([...contentVectors, ...signedBodies])(
    'is judged alike whichever way it comes: $name',
    async (vector) => {
      const source = vector.without ? 'partial' : 'shop'
      for (const first of ['byLibrary', 'bySql'] as const) {
        for (const second of ['byLibrary', 'bySql'] as const) {
          const given = fresh({ source, contentType: vector.contentType, body: vector.one })
          const again = { ...given, contentType: vector.otherType ?? vector.contentType, body: vector.other }
          const { outcome, key } = await ways[first](given)
          expect(outcome).toBe(first === 'bySql' ? 'pending' : 'accepted')
          const answer = await ways[second](again)
          expect(answer, `${first}, ${second}`).toEqual({
            outcome: second === 'bySql' ? 'exists' : vector.outcome,
            key,
          })
          await late().catchUp()
          expect(await judged(key), `${first}, ${second}`).toEqual([vector.outcome])
          expect(await count('unfingerprinted', key)).toBe(0)
          // What it is known by is what the library would have given it.
          const twin = await byLibrary({ ...given, id: `${given.id} twin` })
          const [event, same] = await Promise.all([store.event(key), store.event(twin.key)])
          expect(event?.fingerprint).toEqual(same?.fingerprint)
          expect(event?.body).toEqual(same?.body)
        }
      }
    },
  )

  it.concurrent.each([
    ['{"a":1,"a":1}', '{"a":1}'],
    ['{"a":', '{"a": '],
    ['\ufeff{}', '{}'],
    ['{"a":1e400}', '{"a":1e401}'],
    ['"\\ud800"', '"\\ud801"'],
  ])('that no parser takes is its bytes: %j', async (one, other) => {
    const given = fresh({ body: one })
    const { key } = await bySql(given)
    await bySql(given)
    await bySql({ ...given, body: other })
    await late().catchUp()
    expect(await judged(key)).toEqual(['duplicate', 'conflict'])
    await bySql(given)
    expect(await judged(key)).toEqual(['duplicate', 'conflict', 'duplicate'])
  })
})

describe('an identity that SQL accepted', () => {
  it('is judged right by all who meet it at once', async () => {
    const given = fresh()
    const { key } = await bySql(given)
    const others = Array.from({ length: 12 }, (_, at) => ({
      ...given,
      body: at % 2 ? '{"total":6}' : '{"total": 5.0}',
    }))
    const answers = await Promise.all(others.map((one) => byLibrary(one)))
    expect(answers).toEqual(others.map((_, at) => ({ outcome: at % 2 ? 'conflict' : 'duplicate', key })))
    expect((await judged(key)).sort()).toEqual([...Array(6).fill('conflict'), ...Array(6).fill('duplicate')])
    expect(await count('late_fingerprint', key)).toBe(1)
  })

  it('is judged right also where a repeat commits after the fingerprint was appended', async () => {
    const given = fresh()
    const { key } = await bySql(given)
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (const body of ['{"total":5}', '{"total":6}', '{"total":5.0}']) await bySql({ ...given, body }, client)
      await late().catchUp()
      expect((await store.event(key))?.fingerprint).toBeDefined()
      await client.query('commit')
    } finally {
      client.release(true)
    }
    await late().catchUp()
    expect(await judged(key)).toEqual(['duplicate', 'conflict', 'duplicate'])
  })

  it('is on record where a transactional accept of the library, or a follow-up event, meets it', async () => {
    const given = fresh()
    const { key } = await bySql(given)
    const client = await pool.connect()
    try {
      await client.query('begin')
      const { contentType: _, ...event } = given
      const answer = await door.accept({ ...event, body: bytesOf('{"total":6}') }, { transaction: client })
      expect(answer).toEqual({ outcome: 'exists', event: { key } })
      await client.query('commit')
    } finally {
      client.release(true)
    }
    await late().catchUp()
    expect(await judged(key)).toEqual(['conflict'])

    const source = `emits-${process.pid}`
    let met = ''
    const emit = handler('emit', { source, on: '*' }, async (_event, run) => {
      met = (await bySql({ source: 'followed', id: run.key('emit:next'), type: 'next', body: '{"a":1.0}' })).key
      await run.emit({ type: 'next', source: 'followed', data: { a: 1 } })
    })
    const running = await engine([emit])
    try {
      await running.start()
      const accepted = await byLibrary(fresh({ source }), running)
      await expect.poll(async () => (await running.events.get(accepted.key)).runs[0]?.status).toBe('completed')
    } finally {
      await running.stop()
    }
    await late().catchUp()
    expect(await judged(met)).toEqual(['duplicate'])
  })

  it('keeps one fingerprint, whoever appends another', async () => {
    const { key } = await bySql(fresh())
    const append = (hash: string) => store.appendFingerprints?.([{ event: key, fingerprint: { keyId: 1, hash } }])
    await append('first')
    await append('second')
    expect((await store.event(key))?.fingerprint).toEqual({ keyId: 1, hash: 'first' })
    const { events } = await store.searchEvents({ limit: 1_000 })
    expect(events.find((one) => one.key === key)?.fingerprint).toEqual({ keyId: 1, hash: 'first' })
    const accepted = await byLibrary(fresh())
    const before = (await store.event(accepted.key))?.fingerprint
    await store.appendFingerprints?.([{ event: accepted.key, fingerprint: { keyId: 1, hash: 'another' } }])
    expect((await store.event(accepted.key))?.fingerprint).toEqual(before)
  })
})

describe('what SQL accepted is kept until its fingerprint is there', () => {
  it('its payload, its journal, and what comes of its identity after both are gone', async () => {
    const given = fresh({ type: 'nobody.takes.it' })
    const { key } = await bySql(given)
    await purge({ payloads: true, journal: true, identities: true })
    expect((await store.event(key))?.body).toBeDefined()
    await late().catchUp()
    await purge({ payloads: true })
    expect(await store.event(key)).toMatchObject({ body: undefined, fingerprint: { keyId: 1 } })
    expect((await byLibrary({ ...given, body: '{"total": 5}' })).outcome).toBe('duplicate')
    expect((await bySql({ ...given, body: '{"total":6}' })).outcome).toBe('exists')
    await late().catchUp()
    expect(await judged(key)).toEqual(['duplicate', 'conflict'])
    await bySql({ ...given, body: '{"total":7}' })
    await purge({ journal: true })
    expect(await store.event(key)).toBeUndefined()
    expect(await count('unfingerprinted', key)).toBe(0)
    expect((await byLibrary({ ...given, body: '{"total": 5}' })).outcome).toBe('duplicate')
    expect((await byLibrary({ ...given, body: '{"total": 6}' })).outcome).toBe('conflict')
    expect((await bySql(given)).outcome).toBe('exists')
    await purge({ identities: true })
    expect(await count('late_fingerprint', key)).toBe(0)
    expect((await byLibrary({ ...given, body: '{"total": 6}' })).outcome).toBe('accepted')
  })

  it('by a sweep that could not append it, and not beyond one that could', async () => {
    const given = fresh({ type: 'nobody.takes.it' })
    const { key } = await bySql(given)
    let fails = true
    let swept = 0
    const mine = await open()
    const broken: Store = new Proxy(mine, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (name === 'appendFingerprints' && fails) return () => Promise.reject(new Error('no'))
        if (name !== 'purge') return member.bind(target)
        return async (...args: unknown[]) => {
          const result = await Reflect.apply(member, target, args)
          swept++
          return result
        }
      },
    })
    // A minute passes at once.
    const clock: Clock = new Proxy(systemClock, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (name !== 'setTimer' || typeof member !== 'function') return member
        return (ms: number, ...rest: unknown[]) => Reflect.apply(member, target, [ms === 60_000 ? 20 : ms, ...rest])
      },
    })
    const sweeping = await engine([], { clock, store: broken, payloads: 0 })
    try {
      await expect.poll(() => swept).toBeGreaterThan(1)
      expect((await store.event(key))?.body).toBeDefined()
      fails = false
      await expect.poll(async () => (await store.event(key))?.body).toBeUndefined()
      expect((await store.event(key))?.fingerprint).toBeDefined()
    } finally {
      await sweeping.stop()
    }
  })
})

describe('a run of what SQL accepted', () => {
  it('has steps as any other, sees what the library would have given, and leaves the fingerprint', async () => {
    const seen = new Map<string, HandlerEvent>()
    const source = `runs-${process.pid}`
    const settle = handler('settle', { source, on: '*' }, async (event, run) => {
      seen.set(event.id, event)
      const charged = await run.step('charge', () => 'charged')
      await run.sleep('a while', 20)
      await run.emit({ type: 'settled', source: 'followed', data: { of: event.id } })
      return run.step('note', () => `${charged}, noted`)
    })
    const running = await engine([settle])
    try {
      await running.start()
      const body = '{"big":9007199254740993,"\\u0061":[1.50]}'
      const contents: Pick<Given, 'body' | 'contentType'>[] = [
        { body },
        { body: 'a=1&b=%C3%BC', contentType: 'application/x-www-form-urlencoded' },
        { body: Uint8Array.of(0, 255), contentType: 'application/octet-stream' },
      ]
      for (const content of contents) {
        const given = fresh({ source, ...content })
        const twin = { ...given, id: `${given.id} twin` }
        const { key } = await bySql(given)
        await byLibrary(twin, running)
        await expect.poll(async () => (await running.events.get(key)).runs[0]?.status).toBe('completed')
        await expect.poll(() => seen.has(twin.id)).toBe(true)
        const [event, other] = [seen.get(given.id), seen.get(twin.id)]
        expect(event?.data).toEqual(other?.data)
        expect(event?.raw).toEqual(other?.raw)
        const [run] = (await running.events.get(key)).runs
        expect(await running.runs.result(run?.id ?? '')).toBe('charged, noted')
        expect((await store.event(key))?.fingerprint).toBeDefined()
        expect(await count('unfingerprinted', key)).toBe(0)
      }
    } finally {
      await running.stop()
    }
  })

  it('ends dead with the parser’s word where the body is not the JSON that it says, before the handler', async () => {
    const source = `wrong-${process.pid}`
    let calls = 0
    const count_ = handler('count', { source, on: '*' }, () => {
      calls++
    })
    const running = await engine([count_])
    try {
      await running.start()
      for (const [body, code] of [
        ['{"a":1,"a":2}', 'duplicate_key'],
        ['{"a":', 'malformed_json'],
        [Uint8Array.of(34, 255, 34), 'invalid_utf8'],
      ] as const) {
        const { key } = await bySql(fresh({ source, body }))
        await expect.poll(async () => (await running.events.get(key)).runs[0]?.status).toBe('dead')
        const id = (await running.events.get(key)).runs[0]?.id ?? ''
        expect(await running.runs.get(id)).toMatchObject({ state: { status: 'dead', error: { code } } })
        expect((await store.event(key))?.fingerprint).toBeDefined()
        // Nor does another try get past it.
        await running.runs.retry(id, { actor: 'me', reason: 'a test' })
        await expect
          .poll(async () => (await running.runs.get(id)).state)
          .toMatchObject({ generation: 2, status: 'dead' })
      }
      expect(calls).toBe(0)
    } finally {
      await running.stop()
    }
  })

  it('is begun in order with the library’s, by its key', async () => {
    const source = `ordered-${process.pid}`
    const order: string[] = []
    const keep = handler('keep', { source, on: '*', order: true }, (event) => {
      order.push(event.id)
    })
    const running = await engine([keep])
    try {
      await running.start()
      const accept = (id: string) =>
        pool.query(`select ${schema}.accept($1, $2, 't', '{}', order_key => 'k')`, [source, id])
      await accept('1')
      await running.accept({ source, id: '2', type: 't', orderKey: 'k' })
      await accept('3')
      await expect.poll(() => order).toEqual(['1', '2', '3'])
    } finally {
      await running.stop()
    }
  })
})
