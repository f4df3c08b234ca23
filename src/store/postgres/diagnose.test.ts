import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { debianUnavailable, type PostgresServer, startPostgres } from '../../../test/support/services/postgres.ts'
import { mintEventKey } from '../../event/event-key.ts'
import { type Clock, systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import type { Finding } from '../finding.ts'
import { openStore } from '../open-store.ts'
import { Connections, loadDriver, poolConfig } from './connection.ts'
import { type DiagnosisBounds, diagnose } from './diagnose.ts'
import { missingRange, rangeOf } from './diagnose-tables.ts'
import { keyUuid } from './key-bytes.ts'
import { Naming } from './schema.ts'

const random = systemRandom()
const options = { clock: systemClock, random, log: silentLog, migrate: 'auto' } as const
const day = 86_400_000
const nothing = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0 }

/** Looks as another role, at another clock, or with bounds that a test can reach. */
interface Look {
  readonly bounds?: Partial<DiagnosisBounds>
  readonly clock?: Clock
  readonly nodeConnections?: number
  readonly kept?: typeof nothing
  readonly user?: string
  readonly connect?: () => pg.Client
}

/** A server of its own, since its settings are what is looked at. */
async function site(settings: Record<string, string>) {
  const server = await startPostgres({ from: 'registry', settings })
  await loadDriver()
  await (await openStore(server.url, options)).close()
  const admin = new pg.Pool({ connectionString: server.url, max: 4 })
  // Connections that are idle when it stops.
  admin.on('error', () => {})
  const look = async (about: string, over: Look = {}): Promise<Finding[]> => {
    const url = over.user ? server.url.replace('hapax@', `${over.user}@`) : server.url
    const config = poolConfig(url, 2)
    const connections = new Connections(new pg.Pool(config), silentLog)
    try {
      const findings = await diagnose(
        {
          connections,
          naming: new Naming('hapax'),
          clock: over.clock ?? systemClock,
          now: () => null,
          connect: over.connect ?? (() => new pg.Client(config)),
          nodeConnections: over.nodeConnections ?? 9,
        },
        over.kept ?? nothing,
        over.bounds,
      )
      return findings.filter((one) => one.about === about)
    } finally {
      await connections.close()
    }
  }
  const stop = async () => {
    await admin.end()
    await server.stop()
  }
  return { server, admin, look, stop }
}

type Site = Awaited<ReturnType<typeof site>>

describe('a server that is set well', () => {
  let here: Site
  beforeAll(async () => {
    here = await site({
      wal_level: 'logical',
      max_prepared_transactions: '2',
      idle_in_transaction_session_timeout: '600000',
    })
  })
  afterAll(() => here.stop())

  it('has nothing but fine findings, its superuser apart', async () => {
    const store = await openStore(here.server.url, { ...options, lookOnly: true })
    const findings = (await store.diagnose?.(nothing)) ?? []
    await store.close()
    expect(findings.filter(({ state, about }) => state !== 'ok' && about !== 'role')).toEqual([])
    expect(findings.map(({ about }) => about)).toEqual(
      expect.arrayContaining(['version', 'writes', 'durability', 'commit', 'autovacuum', 'timeouts', 'connections']),
    )
    expect(findings.map(({ about }) => about)).toEqual(
      expect.arrayContaining(['clock', 'notifications', 'horizon', 'bloat', 'statistics', 'retention']),
    )
    expect(findings.find(({ about }) => about === 'version')?.found).toMatch(/^PostgreSQL 1\d/)
  })

  it('tells who holds the horizon back: process, name and age, and nothing that was said', async () => {
    const client = new pg.Client({ connectionString: here.server.url, application_name: 'report' })
    await client.connect()
    await client.query("begin isolation level repeatable read; select 'secret of a customer'")
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const found = await here.look('horizon', { bounds: { openMs: 1 } })
    expect(found).toMatchObject([
      {
        state: 'warn',
        found: expect.stringContaining(
          `process ${rows[0].pid} (report, idle in transaction) has a transaction open for`,
        ),
        todo: `end it: select pg_terminate_backend(${rows[0].pid})`,
      },
    ])
    expect(JSON.stringify(found)).not.toContain('secret')
    await client.end()
    expect((await here.look('horizon'))[0]?.state).toBe('ok')
  })

  it('tells of prepared transactions and of slots that nobody reads', async () => {
    const client = await here.admin.connect()
    await client.query("begin; create table prepared_by_test (); prepare transaction 'left over'")
    expect((await here.look('horizon', { bounds: { openMs: 1 } }))[0]?.found).toMatch(
      /transaction left over of hapax was prepared \d+ s ago/,
    )
    await client.query("rollback prepared 'left over'")
    client.release()
    await here.admin.query("select pg_create_logical_replication_slot('gone', 'pgoutput')")
    const [slot] = await here.look('horizon', { bounds: { slotBytes: 0 } })
    expect(slot?.found).toMatch(/slot gone is used by nobody, keeps \d+ MiB of log/)
    expect(slot?.todo).toContain("pg_drop_replication_slot('gone')")
    await here.admin.query("select pg_drop_replication_slot('gone')")
  })

  it('tells of dead rows in a table that stays small', async () => {
    const client = await here.admin.connect()
    await client.query('alter table hapax.standing set (autovacuum_enabled = false)')
    await client.query(
      `insert into hapax.standing select gen_random_uuid(), 't', n, n, 'g', 0, 1, 1, 0 from generate_series(1, 500) n`,
    )
    await client.query('delete from hapax.standing')
    await client.query('select pg_stat_force_next_flush()')
    await client.query('select 1')
    const [bloat] = await here.look('bloat', { bounds: { deadRows: 500 } })
    expect(bloat).toMatchObject({ state: 'warn', todo: 'see horizon, then: vacuum hapax.standing' })
    expect(bloat?.found).toMatch(/standing has 500 dead rows beside 0 live ones/)
    expect(await here.look('statistics')).toMatchObject([{ state: 'warn', found: 'autovacuum leaves standing alone' }])
    await client.query('alter table hapax.standing reset (autovacuum_enabled)')
    await client.query('vacuum hapax.standing')
    client.release()
    expect(await here.look('bloat', { bounds: { deadRows: 500 } })).toMatchObject([{ state: 'ok' }])
  })

  it('tells of a large table without statistics', async () => {
    await here.admin.query('create table hapax.unknown as select 1 as one')
    expect(await here.look('statistics', { bounds: { analysedBytes: 1 } })).toContainEqual(
      expect.objectContaining({ state: 'warn', todo: 'analyze hapax.unknown' }),
    )
    await here.admin.query('drop table hapax.unknown')
  })

  it('tells what rights a role lacks, and which sessions it cannot see', async () => {
    await here.admin.query(`
      create role server login; grant usage on schema hapax to server;
      grant select, insert, update, delete on all tables in schema hapax to server;
      grant usage on all sequences in schema hapax to server;
      grant execute on all functions in schema hapax to server`)
    expect(await here.look('role', { user: 'server' })).toMatchObject([
      { state: 'ok', found: 'server may do what it needs' },
    ])
    expect(await here.look('horizon', { user: 'server' })).toMatchObject([
      { state: 'warn', todo: 'grant pg_read_all_stats to it' },
    ])
    await here.admin.query('revoke insert on hapax.event, hapax.body from server')
    expect(await here.look('role', { user: 'server' })).toMatchObject([
      { state: 'fail', found: 'server lacks insert on body, insert on event' },
    ])
    await here.admin.query("insert into hapax.node values ('one', 'g', true, '[]', 1e18)")
    await here.admin.query('alter role server connection limit 20')
    expect(await here.look('connections', { user: 'server', nodeConnections: 30 })).toMatchObject([
      { state: 'warn', found: expect.stringMatching(/^1 nodes of at most 30 connections each, .* 20 may be open$/) },
    ])
    await here.admin.query('delete from hapax.node; drop owned by server; drop role server')
  })

  it('tells of a clock that differs, and says by how much', async () => {
    const ahead: Clock = { ...systemClock, now: () => systemClock.now() + 5_000 }
    const [clock] = await here.look('clock', { clock: ahead })
    expect(clock).toMatchObject({ state: 'warn', wanted: 'at most 500 ms apart' })
    expect(clock?.found).toMatch(/this machine is (49|50)\d\d ms ahead of the server/)
  })

  it('tells where a notification is not heard', async () => {
    const deaf = () => {
      const client = new pg.Client(here.server.url)
      const emit = client.emit.bind(client)
      vi.spyOn(client, 'emit').mockImplementation((...given) => given[0] === 'notification' || emit(...given))
      return client
    }
    expect(await here.look('notifications', { connect: deaf, bounds: { hintMs: 50 } })).toMatchObject([
      { state: 'warn', found: expect.stringContaining('not heard within 50 ms') },
    ])
  })

  it('tells where what retention is through with does not go', async () => {
    const key = keyUuid(mintEventKey(systemClock.now() - 40 * day, 0, random))
    await here.admin.query(`
      insert into hapax.event (key, position, shard, registry_version, fingerprint_key, flags, accepted_at, identity,
        tenant, source, id, type, fingerprint, content_type)
      values ('${key}', 1, 0, 1, 1, 0, ${systemClock.now() - 40 * day}, '${key}', '', 's', 'i', 't', 'f', 'c');
      insert into hapax.body values ('${key}', '');
      insert into hapax.settlement (key, seq, epoch, at, since, generation, turn, attempt, status, tag, group_name, handler)
      values ('${key}', 1, 1, 1, 1, 1, 1, 1, 0, 't', 'g', 'h')`)
    const kept = { ...nothing, payloadsBefore: systemClock.now() - 30 * day }
    expect(await here.look('retention', { kept })).toMatchObject([
      { state: 'warn', found: '1 payloads of runs that have ended are a day past their retention' },
    ])
    expect(await here.look('retention')).toMatchObject([{ state: 'ok' }])
  })

  it('refuses, by a role or a database set so, what is read-only', async () => {
    await here.admin.query('create role reader login; alter role reader set default_transaction_read_only = on')
    await here.admin.query(
      'alter role reader set synchronous_commit = off; alter role reader set statement_timeout = 1000',
    )
    expect(await here.look('writes', { user: 'reader' })).toMatchObject([{ state: 'fail' }])
    expect(await here.look('commit', { user: 'reader' })).toMatchObject([
      { state: 'fail', wanted: 'synchronous_commit=on' },
    ])
    expect((await here.look('timeouts', { user: 'reader' }))[0]?.found).toContain('1000 ms')
    await here.admin.query('drop role reader')
  })

  it('tells of a table in ranges that has none for now, or none for what comes next', async () => {
    await here.admin.query(`
      create table hapax.ranged (key uuid) partition by range (key);
      create table hapax.ranged_default partition of hapax.ranged default;
      create table hapax.hashed (key uuid) partition by hash (key)`)
    const make = (name: string, from: number, to: number) => {
      const edge = (at: number) => `${keyUuid(mintEventKey(at, 0, random)).slice(0, 13)}-0000-0000-000000000000`
      return `create table hapax.${name} partition of hapax.ranged for values from ('${edge(from)}') to ('${edge(to)}')`
    }
    const now = systemClock.now()
    const about = async () => (await here.look('ranges')).filter(({ found }) => found.includes('ranged'))
    await here.admin.query(make('ranged_old', now - 2 * day, now - day))
    expect(await about()).toMatchObject([{ state: 'warn', found: 'ranged has no range for now' }])
    await here.admin.query(make('ranged_now', now - day, now + day))
    expect(await about()).toMatchObject([{ found: 'ranged has no range for what comes after the present one' }])
    await here.admin.query(make('ranged_next', now + day, now + 2 * day))
    expect(await about()).toEqual([])
    await here.admin.query('drop table hapax.ranged, hapax.hashed')
  })

  it('tells of two generations of the ledger that are written for long', async () => {
    const about = async () => (await here.look('ledger')).map(({ state, found }) => ({ state, found }))
    const fine = { state: 'ok', found: 'generations of the ledger: 1, with filters: 0' }
    expect(await about()).toEqual([fine])
    const change = (newest: number, openedAt: number) =>
      here.admin.query(`update hapax.ledger_open set newest = ${newest};
        update hapax.ledger_generation set number = ${newest}, opened_at = ${openedAt}`)
    await change(2, systemClock.now())
    expect(await about()).toEqual([fine])
    await change(2, systemClock.now() - 2 * 3_600_000)
    expect(await about()).toMatchObject([
      { state: 'warn', found: expect.stringMatching(/both been written for 1(19|20) minutes/) },
    ])
    await change(1, systemClock.now())
  })
})

describe('a server that is set badly', () => {
  let here: Site
  beforeAll(async () => {
    here = await site({
      fsync: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
      track_counts: 'off',
      max_connections: '20',
    })
  })
  afterAll(() => here.stop())

  it('loses receipts, fails, and says so', async () => {
    expect(await here.look('durability')).toMatchObject([
      { state: 'fail', found: expect.stringContaining('fsync=off, full_page_writes=off') },
    ])
    expect(await here.look('autovacuum')).toMatchObject([{ state: 'fail', wanted: 'both on' }])
    expect(await here.look('timeouts')).toMatchObject([{ state: 'warn' }])
  })

  it('has no room for the pools of its nodes', async () => {
    await here.admin.query(`insert into hapax.node select 'n' || n, 'g', true, '[]', 1e18 from generate_series(1, 3) n`)
    expect(await here.look('connections')).toMatchObject([
      {
        state: 'warn',
        found: expect.stringMatching(/^3 nodes of at most 9 connections each, and \d of others; 17 may be open$/),
      },
    ])
    await here.admin.query('delete from hapax.node')
    expect(await here.look('connections')).toMatchObject([{ state: 'ok' }])
  })

  it('names standbys and waits for none, or has none attached', async () => {
    const client = await here.admin.connect()
    // Its own commits would wait.
    await client.query("set synchronous_commit = 'local'")
    await client.query("alter role hapax set synchronous_commit = 'local'")
    await client.query("alter system set synchronous_standby_names = 'other'")
    await client.query('select pg_reload_conf()')
    const told = async () => (await here.look('commit'))[0]?.found
    await expect
      .poll(told)
      .toBe('synchronous_commit=local, synchronous_standby_names=other: no receipt waits for the standbys')
    await client.query('alter role hapax reset synchronous_commit')
    expect(await here.look('commit')).toMatchObject([
      { state: 'fail', found: expect.stringContaining('none is attached: every commit waits') },
    ])
    await client.query('alter system reset synchronous_standby_names')
    await client.query('select pg_reload_conf()')
    await expect.poll(told).toContain('synchronous_standby_names=none')
    client.release()
  })

  it('what cannot be looked at is told, and the rest is looked at', async () => {
    await here.admin.query('alter table hapax.node rename to gone')
    const [connections] = await here.look('connections')
    expect(connections).toMatchObject({ state: 'warn', found: expect.stringContaining('could not be looked at') })
    expect(await here.look('clock')).toHaveLength(1)
    await here.admin.query('alter table hapax.gone rename to node')
  })
})

describe.skipIf(debianUnavailable() !== undefined)('a standby', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ from: 'debian', standby: true })
  })
  afterAll(() => server.stop())

  it('is refused, whatever is asked of it', async () => {
    const refusal = { code: 'store_refused', message: expect.stringContaining('the server is a standby') }
    await expect(openStore(server.url, options)).rejects.toMatchObject(refusal)
    await expect(openStore(server.url, { ...options, lookOnly: true })).rejects.toMatchObject(refusal)
  })
})

it('reads ranges of keys and of milliseconds, and passes over what it cannot read', () => {
  const from = '019a0000-0000-0000-0000-000000000000'
  expect(rangeOf(`FOR VALUES FROM ('${from}') TO (MAXVALUE)`)).toEqual({
    from: 0x019a00000000,
    to: Number.POSITIVE_INFINITY,
  })
  expect(rangeOf("FOR VALUES FROM ('100') TO ('200')")).toEqual({ from: 100, to: 200 })
  expect(rangeOf('DEFAULT')).toBeUndefined()
  expect(rangeOf("FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')")).toBeUndefined()
  expect(
    missingRange(
      [
        { from: 0, to: 10 },
        { from: 10, to: 20 },
      ],
      5,
    ),
  ).toBeUndefined()
  expect(missingRange([{ from: 0, to: 10 }], 5)).toBe('next')
  expect(missingRange([undefined, { from: 0, to: 10 }], 11)).toBe('now')
  expect(missingRange([undefined], 11)).toBeUndefined()
})
