import { expect, inject, it } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import { openStore, planMigration } from '../open-store.ts'
import { readUrl } from './index.ts'

const options = { clock: systemClock, random: systemRandom(), log: silentLog }

it('takes what is its own out of a URL', () => {
  expect(readUrl('postgres://app@host/db')).toEqual({ url: 'postgres://app@host/db' })
  expect(readUrl('postgres://app@host/db?schema=jobs')).toEqual({ url: 'postgres://app@host/db', schema: 'jobs' })
  expect(readUrl('postgresql://app@/db?host=/run/postgresql&schema=jobs&sslmode=require')).toEqual({
    url: 'postgresql://app@/db?host=%2Frun%2Fpostgresql&sslmode=require',
    schema: 'jobs',
  })
})

it('refuses a database without the schema, with the command to run, and leaves it as it is', async () => {
  const url = `${inject('postgresUrl')}?schema=none_${process.pid}`
  const refusal = { code: 'store_refused', message: expect.stringContaining('run hapax migrate') }
  await expect(openStore(url, options)).rejects.toMatchObject(refusal)
  await expect(openStore(url, { ...options, lookOnly: true, migrate: 'auto' })).rejects.toMatchObject(refusal)
  expect((await planMigration(url, options)).join('\n')).toContain(`create schema if not exists "none_${process.pid}"`)
  await expect(openStore(url, options)).rejects.toMatchObject(refusal)
})

it('says what is wrong with a server that is not there, without its password', async () => {
  const error: unknown = await openStore('postgres://app:s3cret@127.0.0.1:1/db', options).catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'store_unavailable' })
  expect(String(error)).not.toContain('s3cret')
})

it('refuses a schema name that would need quotes', async () => {
  await expect(openStore(`${inject('postgresUrl')}?schema=Drop"`, options)).rejects.toMatchObject({
    code: 'store_refused',
  })
})
