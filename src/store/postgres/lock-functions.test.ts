import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { random } from '../../../test/support/postgres-work.ts'
import { systemClock } from '../../kit/clock.ts'
import type { Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { pairLock } from './pair-lock.ts'
import { Naming } from './schema.ts'

const url = inject('postgresUrl')
const schema = `locks_${process.pid}`
const hand = new pg.Client({ connectionString: url })
let store: Store

beforeAll(async () => {
  await hand.connect()
  store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
  await store.register('g', 'one', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }])
})

afterAll(async () => {
  await store.close()
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

const beat = nodeBeat({ node: 'one' })

// That one which waits for a client that is frozen is ended, is in test/faults/postgres.test.ts.
it('a flush that is at work is not ended by who wants its pair: the beat counts, and the next one asks again (G6)', async () => {
  const atWork = new pg.Client({ connectionString: url })
  await atWork.connect()
  try {
    await atWork.query('begin')
    await atWork.query(new Naming(schema).sql(`select pg_advisory_xact_lock_shared(${pairLock(`'g'`, '0')})`))
    const working = atWork.query('select pg_sleep(4)')
    const { owned, nodes } = await store.own(beat)
    expect([owned, nodes]).toEqual([[], 1])
    await working
    await atWork.query('commit')
    expect((await store.own(beat)).owned).toMatchObject([{ shard: 0, epoch: 1 }])
  } finally {
    await atWork.end()
  }
})
