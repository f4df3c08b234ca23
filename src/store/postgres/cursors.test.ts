import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { ownAll } from '../../../test/support/postgres-work.ts'
import { type PostgresServer, startPostgres } from '../../../test/support/services/postgres.ts'
import { mintEventKey } from '../../event/event-key.ts'
import { systemClock } from '../../kit/clock.ts'
import { systemRandom } from '../../kit/random.ts'
import type { Owned, OwnedCursor, Store, TailPage } from '../store.ts'
import { postgresStore } from './index.ts'

let server: PostgresServer
let store: Store
let owned: Owned
let tag: string

beforeAll(async () => {
  // One that is crashed is nobody else's.
  server = await startPostgres({ from: 'registry', always: true })
  store = await postgresStore({
    url: server.url,
    clock: systemClock,
    random: systemRandom(),
    migrate: 'auto',
    shards: 1,
  })
  const [grant] = await ownAll(store)
  if (!grant) throw new Error('nothing granted')
  tag = (await store.registry()).handlers[0]?.tag ?? ''
  owned = { group: grant.group, shard: grant.shard, epoch: grant.epoch }
})

afterAll(async () => {
  await store.close()
  await server.stop()
})

async function read(cursor: OwnedCursor): Promise<TailPage> {
  const [page] = await store.tail({ cursors: [cursor], limit: 100 })
  if (!page) throw new Error('no page')
  return page
}

/** Ids of transactions are taken, of which the log has nothing: a recovery gives them once more. */
async function takeIds(count: number): Promise<void> {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  for (let taken = 0; taken < count; taken++) await client.query('select pg_current_xact_id()')
  await client.end()
}

/** Until it serves again: connections of before are noticed to be gone. */
async function recover(): Promise<void> {
  await server.crash()
  await server.restart()
  await expect.poll(() => store.registry().then(() => true)).toBe(true)
}

it('reads what was committed under ids that a recovery gave once more, by its cursor and by its mark (G5)', async () => {
  await store.commit({ accept: [acceptItem()] })
  await takeIds(50)
  const { cursor, asked } = await read(owned)
  await store.own(nodeBeat({ lowMarks: [{ ...owned, position: cursor + 1 }] }))
  await takeIds(50)
  const later = await read({ ...owned, cursor, asked })
  expect(later.events).toEqual([])
  await recover()
  const item = acceptItem()
  await store.commit({ accept: [item] })
  const key = mintEventKey(systemClock.now(), 0, systemRandom())
  await store.commit({ intervene: [{ key, event: item.key, tag, verb: 'cancel', detail: 'null', actor: 'a test' }] })
  const { events, interventions } = await read({ ...owned, cursor: later.cursor, asked: later.asked })
  expect(events.map(({ event }) => event.key)).toEqual([item.key])
  expect(interventions.map((one) => one.key)).toEqual([key])
  expect((await read(owned)).events.map(({ event }) => event.key)).toContain(item.key)
})
