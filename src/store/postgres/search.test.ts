import pg from 'pg'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { systemClock } from '../../kit/clock.ts'
import { systemRandom } from '../../kit/random.ts'
import { postgresStore } from './index.ts'

const url = inject('postgresUrl')
const schema = `search_${process.pid}`
const admin = new pg.Pool({ connectionString: url, max: 2 })

afterAll(async () => {
  await admin.query(`drop schema if exists ${schema} cascade`)
  await admin.end()
})

const opened = () =>
  postgresStore({ url, schema, clock: systemClock, random: systemRandom(), migrate: 'auto', shards: 4 })

async function counted(column: string, tables: string): Promise<number> {
  const { rows } = await admin.query<{ count: string }>(
    `select sum(${column}) as count from pg_stat_user_tables where schemaname = $1 and relname ~ $2`,
    [schema, tables],
  )
  return Number(rows[0]?.count)
}

it('finds unclaimed events without a look at the others: each start of a node asks for them', async () => {
  const before = await opened()
  const taken = Array.from({ length: 2_000 }, (_, index) => acceptItem({ shard: index % 4 }))
  const left = acceptItem({ unclaimed: true })
  await before.commit({ accept: [left, ...taken] })
  // The server counts what a connection did at the latest when it ends.
  await before.close()
  await vi.waitUntil(async () => (await counted('n_tup_ins', '^event')) > 2_000, { timeout: 20_000 })
  const [read, looks] = [await counted('idx_tup_fetch', '^event'), await counted('idx_scan', '^unclaimed$')]
  const after = await opened()
  const { events } = await after.searchEvents({ unclaimed: true, limit: 10 })
  expect(events.map(({ key }) => key)).toEqual([left.key])
  await after.close()
  await vi.waitUntil(async () => (await counted('idx_scan', '^unclaimed$')) > looks, { timeout: 20_000 })
  expect((await counted('idx_tup_fetch', '^event')) - read).toBeLessThan(100)
})
