import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { ownAll } from '../../../test/support/postgres-work.ts'
import { HapaxError } from '../../errors/hapax-error.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import type { Row } from '../sql/rows.ts'
import type { Owned, OwnedCursor, Store } from '../store.ts'
import { Connections, poolConfig } from './connection.ts'
import { postgresStore } from './index.ts'
import { LateFingerprints } from './late-fingerprint.ts'
import type { Param } from './params.ts'
import { Reads } from './read.ts'
import { Registers } from './registry.ts'
import { Naming } from './schema.ts'
import { Tails } from './tail.ts'

const url = inject('postgresUrl')
const schema = `tail_${process.pid}`
const naming = new Naming(schema)
const random = systemRandom()
const hand = new pg.Client({ connectionString: url })
let store: Store
let owned: Owned

beforeAll(async () => {
  await hand.connect()
  store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
  const [grant] = await ownAll(store)
  if (!grant) throw new Error('nothing granted')
  owned = { group: grant.group, shard: grant.shard, epoch: grant.epoch }
})

afterAll(async () => {
  await store.close()
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

/** Connections of which so many statements go well, and the next breaks. */
class Breaking extends Connections {
  left = Number.POSITIVE_INFINITY

  override async rows(text: string, values?: readonly Param[], replyMs?: number): Promise<Row[]> {
    if (this.left-- === 0) throw new HapaxError('store_unavailable', { reason: 'connection lost' })
    return super.rows(text, values, replyMs)
  }
}

it('gives what committed late also where a page before broke off, after whichever of its statements (G5)', async () => {
  const connections = new Breaking(new pg.Pool(poolConfig(url, 4)), silentLog)
  const now = () => null
  const late = new LateFingerprints(connections, naming)
  const registers = new Registers(connections, naming, now)
  const tails = new Tails(connections, naming, new Reads(connections, naming, late), registers)
  let cursor = 0
  const read = async () => {
    const [page] = await tails.tail({ cursors: [{ ...owned, cursor }], limit: 100 })
    if (!page) throw new Error('no page')
    cursor = page.cursor
    return page.events.map(({ event }) => event.key)
  }
  try {
    await read()
    for (let statements = 0; ; statements++) {
      const [late, early] = [acceptItem(), acceptItem()]
      await hand.query('begin')
      await store.acceptWithin?.(hand, late)
      await store.commit({ accept: [early] })
      expect(await read()).toEqual([early.key])
      await hand.query('commit')
      connections.left = statements
      const broken = await read().then(
        () => false,
        () => true,
      )
      connections.left = Number.POSITIVE_INFINITY
      if (!broken) {
        expect(statements).toBeGreaterThan(1)
        return
      }
      expect(await read()).toEqual([late.key])
    }
  } finally {
    await connections.close()
  }
})

it('brings every event with its body, however large that is', async () => {
  const read = async (cursor: OwnedCursor) => {
    const [page] = await store.tail({ cursors: [cursor], limit: 1_000 })
    if (!page) throw new Error('no page')
    return page
  }
  const { cursor } = await read(owned)
  const items = [1, 16_384, 16_385, 400_000].map((bytes) => acceptItem({ body: Buffer.alloc(bytes, bytes % 251) }))
  await store.commit({ accept: items })
  for (const from of [{ ...owned, cursor }, owned]) {
    const bodies = new Map((await read(from)).events.map(({ event }) => [event.key, event.body]))
    for (const { key, body } of items) expect(Buffer.compare(bodies.get(key) ?? Buffer.alloc(0), body)).toBe(0)
  }
})

it('reads a page through its index, as many rows as it brings, with statistics that are stale or mislead', async () => {
  const rows = 100
  const reader = new pg.Client({ connectionString: url })
  await reader.connect()
  const counted = async () => {
    const { rows: counts } = await reader.query<{ whole: string; fetched: string }>(
      `select sum(seq_tup_read) as whole, sum(idx_tup_fetch) as fetched from pg_stat_xact_user_tables
       where schemaname = $1 and relname like 'event%'`,
      [schema],
    )
    return { whole: Number(counts[0]?.whole), fetched: Number(counts[0]?.fetched) }
  }
  /** Rows that a page of this cursor read, by index and without. */
  const read = async (after: number) => {
    // Counts are not told to others before the transaction's end.
    await reader.query('begin')
    const before = await counted()
    const page = await reader.query(
      naming.sql(`select from :s.tail_1(array['g'], array[0], array[$1::bigint], array[$2::bigint], array[$2::bigint],
        array[$3::integer], array[0], '{}', '{}', '{}', '{}', '{}', '{}')`),
      [owned.epoch, after, rows],
    )
    const { whole, fetched } = await counted()
    await reader.query('rollback')
    return { brought: page.rowCount, whole: whole - before.whole, fetched: fetched - before.fetched }
  }
  try {
    // Planned while the table was nearly empty, and kept by the connection, whose sixth call has a plan for all that follow.
    await hand.query(naming.sql('analyze :s.event'))
    for (let call = 1; call <= 8; call++) await read(0)
    // Then come its rows, all of one shard, and nobody analyses them.
    await hand.query(
      naming.sql(`insert into :s.event
        select (lpad(to_hex($1::bigint + n), 12, '0') || substr(md5(n::text), 1, 20))::uuid, n, 0, 1, 1, 0, 0, null,
          md5(n::text)::uuid, null, 'default', 'shop', n::text, 'order.paid', 'f', 'c', null, null, null
        from generate_series(1, 200000) n`),
      [systemClock.now()],
    )
    // One row more says what its pair is.
    const page = { brought: rows + 1, whole: 0, fetched: rows }
    expect(await read(100_000)).toEqual(page)
    // Statistics of a minute in which every event had another shard.
    await hand.query(naming.sql('update :s.event set shard = position where position > 199900'))
    await hand.query(naming.sql('analyze :s.event'))
    await hand.query(naming.sql('update :s.event set shard = 0 where position > 199900'))
    expect(await read(100_000)).toEqual(page)
  } finally {
    await reader.end()
  }
})
