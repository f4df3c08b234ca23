import pg from 'pg'
import { afterAll, afterEach, beforeEach, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { PostgresHand } from '../../../test/support/postgres-hand.ts'
import { systemClock } from '../../kit/clock.ts'
import type { Log } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import type { AcceptAnswer, AcceptItem, PurgeRequest, Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { keyUuid } from './key-bytes.ts'
import { Naming } from './schema.ts'

/** The ledger while its generations change under accepts that are held open. */
const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 6 })
const dayMs = 86_400_000
const began = 20_416 * dayMs
let schemas = 0
let naming: Naming
let nowMs = began
let store: Store
let warned: string[]
const stores: Store[] = []
const hands: PostgresHand[] = []

beforeEach(async () => {
  naming = new Naming(`generations_${process.pid}_${++schemas}`)
  nowMs = began
  warned = []
  store = await open()
})

afterEach(async () => {
  await Promise.all(hands.splice(0).map((hand) => hand.end()))
  await Promise.all(stores.splice(0).map((one) => one.close()))
  await sql('drop schema if exists :s cascade')
})

afterAll(() => admin.end())

async function open(at = url): Promise<Store> {
  const quiet = () => {}
  const log: Log = { debug: quiet, info: quiet, error: quiet, warn: (text) => warned.push(text) }
  const one = await postgresStore({
    url: at,
    schema: naming.schema,
    clock: systemClock,
    random: systemRandom(),
    log,
    migrate: at === url ? 'auto' : 'check',
    shards: 1,
    now: () => nowMs,
    rangeMs: dayMs,
    generationBytes: 1,
  })
  stores.push(one)
  return one
}

async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  return (await admin.query<Row>(naming.sql(text).replaceAll(':s', naming.schema), values)).rows
}

async function holding(begin = 'begin'): Promise<PostgresHand> {
  const hand = await PostgresHand.open(url, naming, begin)
  hands.push(hand)
  return hand
}

const openNext = async () => {
  const [{ newest } = { newest: 0 }] = await sql<{ newest: number }>('select newest from :s.ledger_open')
  await sql('select :s.make_generation_1($1, 5000)', [newest])
  expect(await sql('select :s.open_generation_1($1, $2) as is_open', [nowMs, newest])).toEqual([{ is_open: true }])
}
const mark = () => sql('select :s.mark_generation_1()')
const seal = async () => (await sql<{ done: boolean }>('select :s.seal_generation_1($1) as done', [nowMs]))[0]?.done
/** Other tests hold transactions open on the same server. */
const sealed = () => expect.poll(seal).toBe(true)
const written = async () =>
  (await sql<{ oldest: number; newest: number }>('select oldest, newest from :s.ledger_open'))[0]

async function accept(item: AcceptItem, by = store): Promise<AcceptAnswer | undefined> {
  return (await by.commit({ accept: [item] })).accept?.[0]
}
const again = ({ id }: AcceptItem, over: Partial<AcceptItem> = {}) => acceptItem({ id, ...over })
const accepted = { outcome: 'accepted' }
const duplicateOf = ({ key }: AcceptItem) => ({ outcome: 'duplicate', original: key })

/** Sweeps, as nodes do, until nothing more goes. */
async function sweep(request: Partial<PurgeRequest> = {}, by = store): Promise<void> {
  for (let goes = true; goes; ) {
    const asked = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100, ...request }
    const { payloads, events, identities, more } = await by.purge(asked)
    goes = more === true || payloads + events + identities > 0
  }
}

/** Sweeps until this generation alone is written. */
function untilSealed(number: number, by = store): Promise<void> {
  return expect
    .poll(async () => {
      await sweep({}, by)
      return written()
    })
    .toEqual({ oldest: number, newest: number })
}

/** Sweeps until the first generation is gone. */
function untilDropped(request: Partial<PurgeRequest>, by = store): Promise<void> {
  return expect
    .poll(async () => {
      await sweep(request, by)
      return sql("select from pg_class where relname = 'ledger_1' and relnamespace = ':s'::regnamespace")
    })
    .toEqual([])
}

it('of all accepts of an identity, one is accepted, in whatever generation it lies (G2)', async () => {
  const items: AcceptItem[] = []
  const one = async () => {
    const item = acceptItem()
    items.push(item)
    expect(await accept(item)).toMatchObject(accepted)
    for (const earlier of items) {
      expect(await accept(again(earlier))).toMatchObject(duplicateOf(earlier))
      expect(await accept(earlier)).toMatchObject(accepted)
      expect(await store.identity({ tenant: 'default', source: 'shop', id: earlier.id })).toMatchObject({
        key: earlier.key,
      })
    }
    const answers = (await store.commit({ accept: [...items.map((item) => again(item)), acceptItem()] })).accept
    expect(answers).toMatchObject([...items.map(duplicateOf), accepted])
  }
  for (let generation = 1; generation <= 3; generation++) {
    await one()
    await openNext()
    await one()
    await mark()
    await one()
    await sealed()
  }
  await one()
  expect(await written()).toEqual({ oldest: 4, newest: 4 })
})

it('writes the older generation too until all who know of it alone have ended, and only then seals it', async () => {
  const [item, hand] = [acceptItem(), await holding()]
  await hand.accept([item], nowMs)
  await openNext()
  await mark()
  expect(await seal()).toBe(false)
  const answer = accept(again(item))
  await hand.isWaitedFor()
  await hand.run('commit')
  expect(await answer).toMatchObject(duplicateOf(item))
  await sealed()
  expect(await accept(again(item))).toMatchObject(duplicateOf(item))
})

it('waits for who began while the opening was under way, and did not see it', async () => {
  const [opening, hand, item] = [await holding(), await holding(), acceptItem()]
  await sql('select :s.make_generation_1(1, 5000)')
  await opening.run(`select :s.open_generation_1(${nowMs}, 1)`)
  await hand.accept([item], nowMs)
  await opening.run('commit')
  await mark()
  expect(await seal()).toBe(false)
  const answer = accept(again(item))
  await hand.isWaitedFor()
  await hand.run('commit')
  expect(await answer).toMatchObject(duplicateOf(item))
  await sealed()
})

it('is not marked by a transaction that has a number already', async () => {
  const hand = await holding()
  await hand.run('select pg_current_xact_id()')
  await openNext()
  await expect(hand.run('select :s.mark_generation_1()')).rejects.toThrow('has done nothing else')
})

it('writes the newer generation too while there are two: who sees the older sealed meets it there', async () => {
  await openNext()
  await mark()
  const [item, hand] = [acceptItem(), await holding()]
  await hand.accept([item], nowMs)
  await sealed()
  const answer = accept(again(item))
  await hand.isWaitedFor()
  await hand.run('commit')
  expect(await answer).toMatchObject(duplicateOf(item))
})

it('lets who comes late to the newer generation lose there, whatever it wrote into the older', async () => {
  const [first, second] = await inLedgerOrder(acceptItem(), acceptItem())
  await openNext()
  await mark()
  const [blocking, late] = [await holding(), await holding()]
  await blocking.accept([first], nowMs)
  const [lateFirst, lateSecond] = [again(first), again(second)]
  const answer = late.accept([lateFirst, lateSecond], nowMs, true)
  await blocking.isWaitedFor()
  await sealed()
  expect(await accept(second)).toMatchObject(accepted)
  await blocking.run('rollback')
  // It has its first, and is told that the second is another's.
  const told = { places: [2], same: [true], keys: [expect.stringContaining('-')] }
  expect(await answer).toEqual([expect.objectContaining(told)])
  await late.run('commit')
  expect(await accept(again(first))).toMatchObject(duplicateOf(lateFirst))
  expect(await accept(again(second))).toMatchObject(duplicateOf(second))
  expect(await store.event(lateSecond.key)).toBeUndefined()
})

it('keeps the last event of an identity whose window passed, wherever the one before lies', async () => {
  const windowMs = 1_000
  const items = [acceptItem({ windowMs })]
  for (let turn = 0; turn < 4; turn++) {
    const last = items.at(-1) ?? acceptItem()
    if (turn === 0) expect(await accept(last)).toMatchObject(accepted)
    nowMs += 2_000
    const hand = await holding()
    const next = again(last, { windowMs })
    await hand.accept([next], nowMs)
    if (turn % 2 === 0) {
      await openNext()
      await mark()
    } else await sealed()
    const other = again(last, { windowMs })
    const answer = accept(other)
    await hand.isWaitedFor()
    await hand.run('commit')
    expect(await answer).toMatchObject(duplicateOf(next))
    items.push(next)
    for (const one of items) expect(await accept(one)).toMatchObject(accepted)
  }
})

it('looks again in the snapshot that tells what is written: what came since the first look may be sealed', async () => {
  const [item, late] = [acceptItem(), acceptItem()]
  expect(await accept(item)).toMatchObject(accepted)
  await openNext()
  await mark()
  await sealed()
  const claim = (before: string | null) =>
    sql("select :s.claim_1(:s.identity_1('default', 'shop', $1), $2, $3) as is_first", [
      item.id,
      keyUuid(late.key),
      before && keyUuid(before),
    ])
  expect(await claim(null)).toEqual([{ is_first: false }])
  expect(await claim(late.key)).toEqual([{ is_first: false }])
  expect(await accept(again(item))).toMatchObject(duplicateOf(item))
})

it('judges unsigned ids by their content across generations', async () => {
  const unsigned = { idSigned: false, contentWindowMs: 10_000 }
  const item = acceptItem(unsigned)
  expect(await accept(item)).toMatchObject(accepted)
  await openNext()
  expect(await accept(acceptItem(unsigned))).toMatchObject(duplicateOf(item))
  await mark()
  await sealed()
  expect(await accept(acceptItem(unsigned))).toMatchObject(duplicateOf(item))
  nowMs += 20_000
  const next = acceptItem(unsigned)
  expect(await accept(next)).toMatchObject(accepted)
  expect(await accept(acceptItem(unsigned))).toMatchObject(duplicateOf(next))
})

it.each(['repeatable read', 'serializable'])(
  'refuses a snapshot that is older than a change of generations, to be taken anew (%s)',
  async (isolation) => {
    const by = (id: string) => `select :s.accept('shop', '${id}', 'order.paid', '{}')`
    const begin = `begin isolation level ${isolation}`
    const steps = [openNext, mark, sealed]
    const olds = [await holding(begin)]
    for (const step of steps) {
      for (const old of olds) await old.run('select 1')
      await step()
      olds.push(await holding(begin))
    }
    const fresh = olds.pop()
    for (const [index, old] of olds.entries()) {
      await expect(old.run(by(`old ${index}`)), String(index)).rejects.toMatchObject({ code: '40001' })
    }
    await fresh?.run(by('fresh'))
    await fresh?.run('commit')
    expect(await accept(acceptItem({ id: 'fresh' }))).toMatchObject({
      outcome: expect.stringMatching(/duplicate|unfing/),
    })
  },
)

it('goes on from wherever a node died, by any other', async () => {
  const item = acceptItem()
  await accept(item)
  await openNext()
  await untilSealed(2)
  await accept(acceptItem())
  await openNext()
  await mark()
  const other = await open()
  await untilSealed(3, other)
  expect(await accept(again(item), other)).toMatchObject(duplicateOf(item))
})

it('is dropped when all of it is forgotten; an identity whose event is there outlives it, and goes with that', async () => {
  const gone = acceptItem()
  await accept(gone)
  // Without its fingerprint an event stays.
  await sql("select :s.accept('shop', 'kept', 'order.paid', '{}')")
  const kept = (await store.identity({ tenant: 'default', source: 'shop', id: 'kept' }))?.key ?? ''
  const byRow = async () => (await sql<{ count: string }>('select count(*) from :s.ledger_0'))[0]?.count
  await untilSealed(2)
  nowMs += 3 * dayMs
  const old = await holding('begin isolation level repeatable read')
  await old.run('select 1')
  const request = { journalBefore: began + dayMs, identitiesBefore: began + dayMs }
  await sweep({ ...request, identitiesBefore: 0 })
  expect(await accept(again(gone))).toMatchObject(duplicateOf(gone))
  await untilDropped(request)
  expect(await byRow()).toBe('1')
  expect(await accept(again(gone))).toMatchObject(accepted)
  expect(await accept(acceptItem({ id: 'kept' }))).toMatchObject({ outcome: 'unfingerprinted' })
  await expect(old.run("select :s.accept('shop', 'kept', 'order.paid', '{}')")).rejects.toMatchObject({ code: '40001' })

  await store.appendFingerprints?.([{ event: kept, fingerprint: { keyId: 1, hash: 'content' } }])
  await sweep({ journalBefore: 1e15, identitiesBefore: 1e15 })
  expect(await store.event(kept)).toBeUndefined()
  expect(await byRow()).toBe('0')
  expect(await accept(acceptItem({ id: 'kept' }))).toMatchObject(accepted)
})

it('is changed by a role that only serves', async () => {
  await sql(`create role :s_role login; grant usage on schema :s to :s_role;
    grant select, insert, update, delete on all tables in schema :s to :s_role;
    grant execute on all functions in schema :s to :s_role`)
  const serving = new URL(url)
  serving.username = `${naming.schema}_role`
  const node = await open(serving.href)
  await accept(acceptItem(), node)
  await untilSealed(2, node)
  nowMs += 3 * dayMs
  await untilDropped({ journalBefore: began + dayMs, identitiesBefore: began + dayMs }, node)
  await node.close()
  await sql('drop owned by :s_role; drop role :s_role')
})

it('tells where a transaction of another hour keeps two being written; no accept waits for it', async () => {
  const [item, hand] = [acceptItem(), await holding()]
  await accept(item)
  await hand.run("select :s.accept('shop', 'open for long', 'order.paid', '{}')")
  await sweep()
  await sweep()
  nowMs += 2 * 3_600_000
  await sweep()
  await sweep()
  expect(await written()).toEqual({ oldest: 1, newest: 2 })
  expect(warned.filter((text) => text.includes('written twice'))).toHaveLength(1)
  expect(await accept(acceptItem())).toMatchObject(accepted)
  expect(await accept(again(item))).toMatchObject(duplicateOf(item))
})

it('accepts each identity once while nodes race each other and change generations (G2)', async () => {
  const nodes = [store, await open(), await open()]
  const winners = new Map<string, string[]>()
  let racing = true
  const sweeping = nodes.map(async (node) => {
    while (racing) await node.purge({ payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 50 })
  })
  const race = async (ids: readonly string[]) => {
    const batches = nodes.map((_, turn) => (turn % 2 === 0 ? ids : [...ids].reverse()).map((id) => acceptItem({ id })))
    const answered = await Promise.all(batches.map((accept, index) => nodes[index]?.commit({ accept })))
    for (const [turn, batch] of batches.entries())
      for (const [index, { id, key }] of batch.entries())
        if (answered[turn]?.accept?.[index]?.outcome === 'accepted') winners.set(id, [...(winners.get(id) ?? []), key])
  }
  try {
    for (let round = 0; round < 100 || ((await written())?.newest ?? 0) < 5; round++)
      await race([0, 1, 2, 3].map((place) => `raced ${round}/${place}`))
  } finally {
    racing = false
    await Promise.all(sweeping)
  }
  expect([...winners.values()].filter((keys) => keys.length !== 1)).toEqual([])
  expect(winners.size).toBeGreaterThanOrEqual(400)
  for (const [id, [key]] of winners)
    expect(await accept(acceptItem({ id }))).toMatchObject({ outcome: 'duplicate', original: key })
})

/** As a commit takes them. */
async function inLedgerOrder(one: AcceptItem, other: AcceptItem): Promise<[AcceptItem, AcceptItem]> {
  const rows = await sql<{ in_order: boolean }>(
    "select :s.identity_1('default', 'shop', $1) < :s.identity_1('default', 'shop', $2) as in_order",
    [one.id, other.id],
  )
  return rows[0]?.in_order ? [one, other] : [other, one]
}
