import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { random } from '../../../test/support/postgres-work.ts'
import { systemClock } from '../../kit/clock.ts'
import { postgresStore } from './index.ts'

const url = inject('postgresUrl')
const schema = `upgraded_${process.pid}`
const hand = new pg.Client({ connectionString: url })
const options = { url, schema, clock: systemClock, random, shards: 2 }

beforeAll(() => hand.connect())

afterAll(async () => {
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

/** As version 1 left it, but for functions that it had under the same names. */
async function becomeFirst(): Promise<void> {
  await hand.query(
    `drop table ${schema}.lent, ${schema}.circuit, ${schema}.dependency_limit, ${schema}.processed_version, ${schema}.ledger_filter;
      alter table ${schema}.ledger_generation drop column token;
      update ${schema}.ledger_generation set sealed_at = 1;
      insert into ${schema}.ledger_generation values (2, 1, null, '00000000-0000-0000-0000-000000000000', false)`,
  )
  const { rows } = await hand.query<{ signature: string }>(
    `select oid::regprocedure::text as signature from pg_proc where pronamespace = $1::regnamespace
     and proname in ('beat_2', 'lend_1', 'lend_all_1', 'set_limits_1', 'turn_circuit_1', 'raise_version_1',
       'purge_versions_1', 'commit_2', 'filter_generation_1')`,
    [schema],
  )
  for (const { signature } of rows) await hand.query(`drop function ${signature}`)
  await hand.query(`update ${schema}.version set tables = 1, functions = 1`)
  expect(rows).toHaveLength(9)
}

it('brings a schema of version 1 to this one, with all that it holds; nodes of version 1 go on beside it', async () => {
  const made = await postgresStore({ ...options, migrate: 'auto' })
  await made.changeSetting({ verb: 'pause', what: 'source', name: 'shop', actor: 'ann' })
  await made.close()
  await becomeFirst()
  await expect(postgresStore(options)).rejects.toMatchObject({ code: 'store_refused' })

  const store = await postgresStore({ ...options, migrate: 'auto' })
  try {
    const opens = { dependency: 'bank', seen: 0, state: 'open', reason: 'failures', actor: 'one' } as const
    expect((await store.turnCircuit(opens)).applied).toBe(true)
    const settings = await store.settings()
    expect(settings.paused).toMatchObject([{ what: 'source', name: 'shop' }])
    expect(settings.circuits).toMatchObject([{ dependency: 'bank' }])
    expect(await store.raiseVersion({ tag: 't', tenant: 'default', key: 'k' }, 'n21')).toBe('n21')

    // What was sealed before it had a token gets one.
    const { rows } = await hand.query(
      `select number, token is null as none from ${schema}.ledger_generation order by 1`,
    )
    expect(rows).toEqual([
      { number: 1, none: false },
      { number: 2, none: true },
    ])

    const earlier = await hand.query(
      `select ${schema}.beat_1(null, 'old', 'g', true, '["h"]', 600000, '[]', '[]') as said`,
    )
    expect(earlier.rows[0].said).toMatchObject({ nodes: [{ node: 'old' }], settingsVersion: settings.version })
    expect(earlier.rows[0].said.pairs).toHaveLength(2)
    const { nodes, limits } = await store.own(
      nodeBeat({ node: 'new', limits: [{ name: 'rate:bank', amount: 100, whole: false, held: 0, eager: true }] }),
    )
    expect([nodes, limits]).toEqual([2, [{ name: 'rate:bank', share: 100 }]])
  } finally {
    await store.close()
  }
})
