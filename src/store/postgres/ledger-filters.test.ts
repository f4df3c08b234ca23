import pg from 'pg'
import { afterAll, afterEach, beforeEach, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { PostgresHand } from '../../../test/support/postgres-hand.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import { identityDigest } from '../sql/identity-hash.ts'
import type { AcceptItem, Store } from '../store.ts'
import { Connections, poolConfig } from './connection.ts'
import { IdentityFilter } from './identity-filter.ts'
import { postgresStore } from './index.ts'
import { keyUuid } from './key-bytes.ts'
import { anyGeneration, type FilteredGenerations, LedgerFilters, noGeneration } from './ledger-filters.ts'
import { Naming } from './schema.ts'

/** What a node knows by heart of sealed generations, and what it makes of it. */
const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 4 })
const connections = new Connections(new pg.Pool(poolConfig(url, 2)), silentLog)
const began = 1_764_000_000_000
const kept = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100 }
let schemas = 0
let naming: Naming
let nowMs = began
let store: Store
const stores: Store[] = []
const hands: PostgresHand[] = []

beforeEach(async () => {
  naming = new Naming(`filters_${process.pid}_${++schemas}`)
  nowMs = began
  store = await open()
})

afterEach(async () => {
  await Promise.all(hands.splice(0).map((hand) => hand.end()))
  await Promise.all(stores.splice(0).map((one) => one.close()))
  await sql('drop schema if exists :s cascade')
})

afterAll(async () => {
  await admin.end()
  await connections.close()
})

async function open(): Promise<Store> {
  const one = await postgresStore({
    url,
    schema: naming.schema,
    clock: systemClock,
    random: systemRandom(),
    migrate: 'auto',
    shards: 1,
    now: () => nowMs,
    generationBytes: 1,
  })
  stores.push(one)
  return one
}

async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  return (await admin.query<Row>(naming.sql(text).replaceAll(':s', naming.schema), values)).rows
}

async function holding(): Promise<PostgresHand> {
  const hand = await PostgresHand.open(url, naming)
  hands.push(hand)
  return hand
}

async function outcomes(accept: readonly AcceptItem[], by = store): Promise<(string | undefined)[]> {
  return (await by.commit({ accept })).accept.map(({ outcome }) => outcome)
}

/** Accepts these into a generation of their own, which is then sealed and filtered. */
async function sealedWith(items: readonly AcceptItem[], by = store): Promise<void> {
  const [{ newest } = { newest: 0 }] = await sql<{ newest: number }>('select newest from :s.ledger_open')
  await by.commit({ accept: items })
  const isFiltered = 'select is_last from :s.ledger_filter where generation = $1 order by page desc limit 1'
  await expect
    .poll(async () => {
      await by.purge(kept)
      return sql(isFiltered, [newest])
    })
    .toEqual([{ is_last: true }])
  await by.purge(kept)
}

/** Seals what is written, without a sweep. */
async function sealNext(): Promise<void> {
  const [{ newest } = { newest: 0 }] = await sql<{ newest: number }>('select newest from :s.ledger_open')
  await sql('select :s.make_generation_1($1, 5000)', [newest])
  await sql('select :s.open_generation_1($1, $2)', [nowMs, newest])
  await sql('select :s.mark_generation_1()')
  await expect.poll(async () => (await sql('select :s.seal_generation_1($1) as done', [nowMs]))[0]?.done).toBe(true)
}

async function filters(mostBytes?: number): Promise<LedgerFilters> {
  const all = new LedgerFilters(connections, naming, silentLog, mostBytes)
  await all.renew()
  return all
}

const several = (count: number) => Array.from({ length: count }, () => acceptItem())
const again = ({ id }: AcceptItem, over: Partial<AcceptItem> = {}) => acceptItem({ id, ...over })
const idOf = (item: AcceptItem) => identityDigest(item)

it('says of each identity which sealed generation may have it', async () => {
  const windowMs = 1_000
  const twice = acceptItem({ windowMs })
  const [first, second, third] = [several(40), several(40), several(40)]
  await sealedWith([...first, twice])
  nowMs += 2_000
  await sealedWith([...second, again(twice, { windowMs })])
  await sealedWith(third)
  const { known } = await filters()
  expect(known).toMatchObject({ from: 1, to: 3 })
  // A false alarm comes once in 2,000 looks: then it may be in several.
  for (const [index, items] of [first, second, third].entries()) {
    const suspected = items.map((item) => known?.suspectedOf(idOf(item)))
    expect(suspected.filter((one) => one === index + 1).length).toBeGreaterThan(36)
    expect(new Set([...suspected, index + 1, anyGeneration]).size).toBe(2)
  }
  expect(known?.suspectedOf(idOf(twice))).toBe(anyGeneration)
  expect(several(200).filter((item) => known?.suspectedOf(idOf(item)) === noGeneration).length).toBeGreaterThan(195)
})

it('opens no sealed generation for what is new, and one for what one may have', async () => {
  const [first, second] = [several(3), several(3)]
  await sealedWith(first)
  await sealedWith(second)
  const { known } = await filters()
  const looksOf = async (filtered: FilteredGenerations | undefined, items: readonly AcceptItem[]) => {
    const hand = await holding()
    await hand.accept(items, nowMs, false, filtered)
    const looks = [1, 2].map((number) => `pg_stat_get_xact_numscans(':s.ledger_${number}_pkey'::regclass)::integer`)
    const { rows } = await hand.client.query(
      `select array[${looks.join(', ')}] as looks`.replaceAll(':s', naming.schema),
    )
    await hand.run('rollback')
    return rows[0]?.looks
  }
  expect(await looksOf(known, several(5))).toEqual([0, 0])
  // Whether it is there, and which it is.
  expect(await looksOf(known, [...several(5), ...first.map((item) => again(item))])).toEqual([6, 0])
  expect(await looksOf(undefined, several(5))).toEqual([5, 5])
})

it('judges by them as without them: new, of each generation, kept beside its own, and with a passing window', async () => {
  const windowMs = 1_000
  const passing = acceptItem({ windowMs })
  const [first, second, open] = [several(4), several(4), several(4)]
  await sealedWith([...first, passing])
  await sealedWith(second)
  await store.commit({ accept: open })
  // Three times over, since what was a repeat must be one again.
  for (let turn = 0; turn < 3; turn++) {
    const fresh = several(3)
    const repeats = [...first, ...second, ...open].map((item) => again(item))
    expect(await outcomes([...fresh, ...repeats])).toEqual([
      ...fresh.map(() => 'accepted'),
      ...repeats.map(() => 'duplicate'),
    ])
    expect(await outcomes([...fresh, ...first])).toEqual([...fresh, ...first].map(() => 'accepted'))
    nowMs += 2_000
    const next = again(passing, { windowMs })
    expect(await outcomes([next])).toEqual(['accepted'])
    expect(await outcomes([again(passing, { windowMs }), acceptItem()])).toEqual(['duplicate', 'accepted'])
    await sealedWith([])
  }
})

it('finds what was sealed and has no filter yet', async () => {
  await sealedWith(several(2))
  const items = several(2)
  await store.commit({ accept: items })
  await sealNext()
  const repeats = items.map((item) => again(item))
  expect(await outcomes([...repeats, acceptItem()])).toEqual([...repeats.map(() => 'duplicate'), 'accepted'])
})

it('still finds what outlived its generation, when that is gone', async () => {
  // Without its fingerprint an event stays.
  await sql("select :s.accept('shop', 'stays', 'order.paid', '{}')")
  await sealedWith(several(2))
  await sealedWith(several(2))
  nowMs += 40 * 86_400_000
  const old = { ...kept, journalBefore: nowMs - 1, identitiesBefore: nowMs - 1 }
  await expect
    .poll(async () => {
      await store.purge(old)
      return sql('select generation from :s.ledger_filter where generation < 2')
    })
    .toEqual([])
  expect(await sql('select identity from :s.ledger_0')).toHaveLength(1)
  const [{ repeated } = { repeated: '' }] = await sql<{ repeated: string }>(
    "select :s.accept('shop', 'stays', 'order.paid', '{}')::text as repeated",
  )
  expect(repeated).toMatch(/exists/)
  expect(await outcomes([acceptItem({ id: 'stays' }), acceptItem()])).toEqual(['unfingerprinted', 'accepted'])
})

it('counts for nothing in another history: a schema that was made anew below the node', async () => {
  await sealedWith(several(2))
  await sealedWith(several(2))
  await sql('drop schema :s cascade')
  const other = await open()
  const items = several(3)
  await sealedWith(items, other)
  await sealedWith(several(2), other)
  const repeats = items.map((item) => again(item))
  expect(await outcomes([...repeats, acceptItem()])).toEqual([...repeats.map(() => 'duplicate'), 'accepted'])
  // Read anew, they count again.
  await store.purge(kept)
  expect(await outcomes([...items.map((item) => again(item)), acceptItem()])).toEqual([
    ...repeats.map(() => 'duplicate'),
    'accepted',
  ])
})

it('is read page by page, whoever wrote which', async () => {
  const items = several(7)
  await store.commit({ accept: items })
  await sealNext()
  const next = () => sql<{ whole: boolean }>('select :s.filter_generation_1(1, 2) as whole')
  expect((await filters()).known).toBeUndefined()
  while (!(await Promise.all([next(), next()])).some(([row]) => row?.whole === true));
  const pages = 'select page, identities, is_last from :s.ledger_filter order by page'
  expect(await sql(pages)).toEqual([
    { page: 1, identities: 2, is_last: false },
    { page: 2, identities: 2, is_last: false },
    { page: 3, identities: 2, is_last: false },
    { page: 4, identities: 1, is_last: true },
  ])
  const { known } = await filters()
  for (const item of items) expect(known?.suspectedOf(idOf(item))).toBe(1)
})

it('keeps the newest generations in memory, as many as it may', async () => {
  for (let number = 1; number <= 3; number++) await sealedWith(several(4))
  const bytes = IdentityFilter.bytesOf(4)
  expect((await filters(bytes * 2)).known).toMatchObject({ from: 2, to: 3 })
  expect((await filters(bytes - 1)).known).toBeUndefined()
})

it('speaks for generations without a gap', async () => {
  for (let number = 1; number <= 3; number++) await sealedWith(several(2))
  await sql('delete from :s.ledger_filter where generation = 2')
  expect((await filters()).known).toMatchObject({ from: 3, to: 3 })
})

it('reads what came since, and drops what is gone', async () => {
  await sealedWith(several(2))
  const node = await filters()
  const before = node.known?.token
  await sealedWith(several(2))
  await node.renew()
  expect(node.known).toMatchObject({ from: 1, to: 2 })
  expect(node.known?.token).not.toBe(before)
  await sql('delete from :s.ledger_filter where generation = 1')
  await node.renew()
  expect(node.known).toMatchObject({ from: 2, to: 2 })
})

it('is no reason to fail: without filters the server looks', async () => {
  const item = acceptItem()
  await sealedWith([item])
  await sql('drop table :s.ledger_filter')
  const node = await filters()
  expect(node.known).toBeUndefined()
  expect(await outcomes([again(item), acceptItem()], await open())).toEqual(['duplicate', 'accepted'])
})

it('is not asked for by a node of an earlier version, which is answered as ever', async () => {
  const [first, second] = several(2)
  if (!first || !second) return expect.unreachable()
  await sealedWith([first, second])
  const hand = await holding()
  const conflicting = again(second, { fingerprints: [{ keyId: 1, hash: 'other' }] })
  const answer = await hand.acceptAsBefore([acceptItem(), again(first), acceptItem(), conflicting], nowMs)
  expect(answer).toMatchObject([
    { i: 1, o: 'd', k: keyUuid(first.key), at: nowMs, r: null, s: null },
    { i: 3, o: 'c', k: keyUuid(second.key), at: nowMs, r: null, s: null },
  ])
})
