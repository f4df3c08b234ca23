import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { createClient } from '../../src/client/http-client.ts'
import { createHapax, handler } from '../../src/index.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { silentLog } from '../../src/kit/log.ts'
import { openStore } from '../../src/store/open-store.ts'
import { random } from '../support/postgres-work.ts'
import { schemaUrl } from '../support/services/postgres.ts'

const schema = `roles_${process.pid}`
const [owner, app, guest] = [`${schema}_owner`, `${schema}_app`, `${schema}_guest`] as const
const options = { clock: systemClock, random, log: silentLog }
const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })

function urlOf(role = '', database?: string): string {
  const url = new URL(inject('postgresUrl'))
  url.username = role
  url.password = 'secret'
  if (database) url.pathname = `/${database}`
  return schemaUrl(url.toString(), schema)
}

beforeAll(async () => {
  for (const role of [owner, app, guest]) await admin.query(`create role ${role} login password 'secret'`)
  const { rows } = await admin.query<{ name: string }>('select current_database() as name')
  await admin.query(`grant create on database "${rows[0]?.name}" to ${owner}`)
  await admin.query(`create schema ${schema}_own authorization ${app}; create table ${schema}_own.ledger (id text)`)
  await admin.query(`grant all on ${schema}_own.ledger to ${app}`)
})

afterAll(async () => {
  for (const role of [owner, app, guest]) await admin.query(`drop owned by ${role} cascade; drop role ${role}`)
  await admin.end()
})

async function hapax(...args: string[]) {
  const out: string[] = []
  const context = {
    ...options,
    out: (text: string) => out.push(text),
    err: (text: string) => out.push(text),
    tty: false,
    env: { HAPAX_STORE: urlOf(owner) },
    cwd: '.',
    client: () => createClient({ url: 'http://127.0.0.1:9' }),
    stdin: async () => new Uint8Array(),
    stopped: async () => undefined,
    spawn: () => ({ stop: () => undefined, ended: Promise.resolve(0) }),
  }
  return { code: await runCli(context, args), said: out.join('') }
}

function refusal(reason: string) {
  return { code: 'store_refused', message: expect.stringContaining(reason) }
}

it('migrates as the owner alone, who grants the serving role its rights in the same command', async () => {
  for (const migrate of ['check', 'auto'] as const) {
    await expect(openStore(urlOf(app), { ...options, migrate })).rejects.toMatchObject(refusal('run hapax migrate'))
  }
  expect((await hapax('migrate', '--plan', '--role', app)).said).toContain(
    `grant usage on schema "${schema}" to "${app}";`,
  )
  expect(await hapax('migrate')).toMatchObject({ code: 0 })
  await expect(openStore(urlOf(app), options)).rejects.toMatchObject(
    refusal('hapax migrate --role NAME, run by the owner of the schema, grants what a role needs'),
  )
  expect(await hapax('migrate', '--role', app)).toMatchObject({
    code: 0,
    said: expect.stringContaining(`Role ${app} may serve.`),
  })
  expect(await hapax('migrate', '--role', app)).toMatchObject({ code: 0 })
  await (await openStore(urlOf(app), options)).close()
})

it('says which grants make no sense', async () => {
  expect(await hapax('migrate', '--role', owner)).toMatchObject({
    code: 1,
    said: expect.stringContaining(`role ${owner} owns schema ${schema}: nothing is to be granted`),
  })
  expect((await hapax('migrate', '--plan', '--role', 'no"body')).said).toContain(
    'there is no role no"body: create role "no""body" login',
  )
  expect((await hapax('migrate', '--store', 'memory:', '--role', app)).said).toContain(
    'only a PostgreSQL store has roles',
  )
})

it('serves as the role that was granted its rights: accepts, runs, effects, verbs, retention', async () => {
  const store = await openStore(urlOf(app), options)
  let failing = true
  const settle = handler(
    'settle',
    { source: 'shop', on: 'order.paid', needs: ['transaction'], retry: { attempts: 1 } },
    async (event, run) => {
      const fee = await run.step('fee', async () => 3)
      await run.transaction('book', async (tx: pg.PoolClient) => {
        await tx.query(`insert into ${schema}_own.ledger values ($1)`, [event.id])
      })
      if (failing) throw new Error('not yet')
      await run.emit({ type: 'order.settled', data: { fee } })
      return run.waitFor('approved', { timeout: '1m' })
    },
  )
  await using served = await createHapax({ store, handlers: [settle] })
  await served.start()
  const client = new pg.Client({ connectionString: urlOf(app).replace(/[?&]schema=\w+/, '') })
  await client.connect()
  await client.query('begin')
  const event = { source: 'shop', id: '2', type: 'order.paid', data: {} }
  expect(await served.accept(event, { transaction: client })).toMatchObject({ outcome: 'pending' })
  await client.query('rollback')
  await client.end()
  const receipt = await served.accept({ source: 'shop', id: '1', type: 'order.paid', data: {} })
  const id = receipt.runs[0]?.id ?? ''
  await expect.poll(async () => (await served.runs.get(id)).status).toBe('dead')
  failing = false
  await served.runs.retry(id, { reason: 'mended' })
  await expect.poll(async () => (await served.runs.get(id)).status).toBe('waiting')
  await served.runs.signal(id, 'approved', 'yes')
  expect(await served.runs.result(id, { timeout: '20s' })).toBe('yes')
  const { rows } = await admin.query(`select id from ${schema}_own.ledger`)
  expect(rows).toEqual([{ id: '1' }])
  const later = systemClock.now() + 1_000
  const purge = { payloadsBefore: later, journalBefore: later, identitiesBefore: later, rows: 100 }
  await expect(store.purge(purge)).resolves.toBeDefined()
})

it('makes, changes and drops nothing in the schema as that role, and writes no version', async () => {
  const client = new pg.Client({ connectionString: urlOf(app).replace(/[?&]schema=\w+/, '') })
  await client.connect()
  for (const statement of [
    `create table ${schema}.mine (id integer)`,
    `drop table ${schema}.body`,
    `alter table ${schema}.event add column mine integer`,
    `truncate ${schema}.event`,
    `create or replace function ${schema}.now_1(p_now double precision) returns double precision language sql as 'select 1'`,
    `drop schema ${schema} cascade`,
    `update ${schema}.version set tables = 0`,
  ]) {
    await expect(client.query(statement), statement).rejects.toMatchObject({ code: '42501' })
  }
  await client.end()
  // A version that is not there yet, as after an upgrade of the package: the older one is refused with what to do.
  await admin.query(`update ${schema}.version set functions = 0`)
  await expect(openStore(urlOf(app), options)).rejects.toMatchObject(refusal('run hapax migrate'))
  await expect(openStore(urlOf(app), { ...options, migrate: 'auto' })).rejects.toMatchObject(
    refusal(`this role may not change schema ${schema}`),
  )
  expect(await hapax('migrate')).toMatchObject({ code: 0 })
})

it('has rights in what later migrations add, and leaves other roles without', async () => {
  const client = new pg.Client({ connectionString: urlOf(owner).replace(/[?&]schema=\w+/, '') })
  await client.connect()
  await client.query(`create table ${schema}.later (id integer)`)
  await client.query(`create function ${schema}.later_1() returns integer language sql as 'select 1'`)
  await client.end()
  const { rows } = await admin.query(
    `select has_table_privilege($1, $2, 'insert') as app, has_table_privilege($3, $2, 'select') as guest`,
    [app, `${schema}.later`, guest],
  )
  expect(rows).toEqual([{ app: true, guest: false }])
  await expect(openStore(urlOf(guest), options)).rejects.toMatchObject(refusal('permission denied'))
})
