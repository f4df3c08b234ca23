import pg from 'pg'
import { expect, inject, it } from 'vitest'
import { mintEventKey } from '../../event/event-key.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import { openStore, planMigration } from '../open-store.ts'
import type { AcceptItem } from '../store.ts'
import { readUrl } from './index.ts'

const item: Omit<AcceptItem, 'key' | 'id'> = {
  shard: 0,
  tenant: 'default',
  source: 'shop',
  idSigned: true,
  type: 'order.paid',
  subject: undefined,
  time: undefined,
  contentType: 'application/json',
  orderKey: undefined,
  registryVersion: 0,
  headers: {},
  fingerprints: [{ keyId: 1, hash: 'h' }],
  body: new Uint8Array(),
  unclaimed: false,
}
const options = { clock: systemClock, random: systemRandom(), log: silentLog }

function withSchema(schema: string): string {
  const url = inject('postgresUrl')
  return `${url}${url.includes('?') ? '&' : '?'}schema=${schema}`
}

it('takes what is its own out of a URL', () => {
  expect(readUrl('postgres://app@host/db')).toEqual({ url: 'postgres://app@host/db' })
  expect(readUrl('postgres://app@host/db?schema=jobs')).toEqual({ url: 'postgres://app@host/db', schema: 'jobs' })
  expect(readUrl('postgresql://app@/db?host=/run/postgresql&schema=jobs&sslmode=require')).toEqual({
    url: 'postgresql://app@/db?host=%2Frun%2Fpostgresql&sslmode=require',
    schema: 'jobs',
  })
  expect(readUrl('postgres://host/db?connections=20')).toEqual({ url: 'postgres://host/db', connections: 20 })
  for (const wrong of ['0', '-1', 'many', '']) {
    expect(() => readUrl(`postgres://host/db?connections=${wrong}`)).toThrow('connections is a number from 1')
  }
})

it('refuses a database without the schema, with the command to run, and leaves it as it is', async () => {
  const url = withSchema(`none_${process.pid}`)
  const refusal = { code: 'store_refused', message: expect.stringContaining('run hapax migrate') }
  await expect(openStore(url, options)).rejects.toMatchObject(refusal)
  await expect(openStore(url, { ...options, lookOnly: true, migrate: 'auto' })).rejects.toMatchObject(refusal)
  const plan = (await planMigration(url, options)).join('\n')
  expect(plan).toContain(`create schema if not exists "none_${process.pid}"`)
  expect(plan).toContain('partition by range (key)')
  expect(plan).toMatch(/select "none_\d+".make_ranges_1\(null, r, 604800000, 10000\) from unnest\(array\['event', /)
  await expect(openStore(url, options)).rejects.toMatchObject(refusal)
})

it('says what is wrong with a server that is not there, without its password', async () => {
  const error: unknown = await openStore('postgres://app:s3cret@127.0.0.1:1/db', options).catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'store_unavailable' })
  expect(String(error)).not.toContain('s3cret')
})

it('refuses a schema name that would need quotes', async () => {
  await expect(openStore(withSchema('Drop"'), options)).rejects.toMatchObject({
    code: 'store_refused',
  })
})

it('refuses what was restored from a server that was ahead, and numbers on above it once migrated', async () => {
  const schema = `restored_${process.pid}`
  const url = withSchema(schema)
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  const accepted = async () => {
    const store = await openStore(url, { ...options, migrate: 'auto' })
    const key = mintEventKey(systemClock.now(), 0, options.random)
    const { accept } = await store.commit({ accept: [{ ...item, key, id: key }] })
    await store.close()
    return accept[0]?.outcome === 'accepted' ? (accept[0].position ?? 0) : 0
  }
  await accepted()
  await client.query(`update ${schema}.meta set first_xid = 1000000`)
  const before = await accepted()
  await client.query(`update ${schema}.meta set first_xid = 0`)
  await expect(openStore(url, options)).rejects.toMatchObject({
    code: 'store_refused',
    message: expect.stringContaining('run hapax migrate'),
  })
  expect(await accepted()).toBeGreaterThan(before)
  await (await openStore(url, options)).close()
  await client.query(`drop schema ${schema} cascade`)
  await client.end()
})
