import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { PostgresHand } from '../../../test/support/postgres-hand.ts'
import { random } from '../../../test/support/postgres-work.ts'
import { systemClock } from '../../kit/clock.ts'
import type { Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { Naming } from './schema.ts'

const url = inject('postgresUrl')
const naming = new Naming(`ledger_functions_${process.pid}`)
const other = new pg.Client({ connectionString: url })
let store: Store

beforeAll(async () => {
  await other.connect()
  store = await postgresStore({ url, schema: naming.schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
})

afterAll(async () => {
  await store.close()
  await other.query(`drop schema if exists ${naming.schema} cascade`)
  await other.end()
})

it('opens no generation while its table is being made, which not all others may know of when it can be seen', async () => {
  const open = async () => (await other.query(naming.sql('select :s.open_generation_1(1, 1) as is_open'))).rows
  const maker = await PostgresHand.open(url, naming)
  await maker.run('select :s.make_generation_1(1, 5000)')
  expect(await open()).toEqual([{ is_open: false }])
  await maker.run('commit')
  expect(await open()).toEqual([{ is_open: true }])
  await maker.end()
})
