import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { shardOfOrderKey } from '../../engine/accept.ts'
import { isEventKey, mintedAt, shardOfKey } from '../../event/event-key.ts'
import { handlerTakes } from '../../event/handler-record.ts'
import { systemClock } from '../../kit/clock.ts'
import { limits } from '../../kit/limits.ts'
import { systemRandom } from '../../kit/random.ts'
import type { AcceptItem, Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { keyOfUuid, keyUuid } from './key-bytes.ts'
import { identityBytes } from './params.ts'

const random = systemRandom()
const shards = 7
const texts = [
  'default',
  'a',
  'ünï',
  'Ω≈',
  '\u{1f600}',
  'x\u{1f600}y\u{10ffff}',
  "it's \\ quoted",
  'a:1',
  '1:a',
  '日本語',
]

interface Answer {
  readonly outcome: string
  readonly event?: { readonly key: string }
}

for (const { name, url, unavailable } of inject('postgresServers')) {
  const title = `${name}${unavailable === undefined ? '' : ` (unavailable: ${unavailable})`}`
  describe.skipIf(unavailable !== undefined)(title, () => {
    const schema = `by_sql_${process.pid}`
    const role = `${schema}_app`
    const pool = new pg.Pool({ connectionString: url, max: 6 })
    let store: Store
    let ids = 0

    beforeAll(async () => {
      store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards })
      await store.register('g', 'n1', [
        { name: 'h', formerly: [], sources: ['shop', 'eu.*'], types: ['order.paid', 'invoice.*'] },
      ])
      await pool.query(`create role ${role}`)
      await pool.query(
        `grant usage on schema ${schema} to ${role}; grant execute on function ${schema}.accept to ${role}`,
      )
      await pool.query(`create schema ${schema}_own authorization ${role}`)
      await pool.query(`create table ${schema}_own.orders (id text); alter table ${schema}_own.orders owner to ${role}`)
    })

    afterAll(async () => {
      await store.close()
      await pool.query(`drop schema if exists ${schema} cascade; drop schema ${schema}_own cascade; drop role ${role}`)
      await pool.end()
    })

    /** A transaction of the application's role, rolled back unless it says commit. */
    async function asApp<Result>(
      body: (client: pg.PoolClient) => Promise<Result>,
      ending: 'commit' | 'rollback' = 'commit',
    ): Promise<Result> {
      const client = await pool.connect()
      let ended = false
      try {
        await client.query(`begin; set local role ${role}`)
        const result = await body(client)
        await client.query(ending)
        ended = true
        return result
      } finally {
        client.release(!ended)
      }
    }

    async function accept(client: pg.ClientBase, over: Record<string, unknown> = {}): Promise<Answer> {
      const given = { source: 'shop', id: `o-${++ids}`, type: 'order.paid', body: Buffer.from('{"total":5}'), ...over }
      const names = Object.keys(given)
      const list = names.map((one, index) => `"${one}" => $${index + 1}`).join(', ')
      const { rows } = await client.query<{ answer: Answer }>(
        `select ${schema}.accept(${list}) as answer`,
        Object.values(given),
      )
      if (!rows[0]) throw new Error('no answer')
      return rows[0].answer
    }

    function item(over: Partial<AcceptItem> = {}): AcceptItem {
      return acceptItem({ shard: 1, id: `o-${++ids}`, body: Buffer.from('{"total":5}'), ...over })
    }

    async function ask(sql: string, values: unknown[]): Promise<unknown> {
      const { rows } = await pool.query<{ answer: unknown }>(sql, values)
      return rows[0]?.answer
    }

    it('commits with what the caller does, by a role that may do nothing else', async () => {
      const answer = await asApp(async (client) => {
        await client.query(`insert into ${schema}_own.orders values ('1')`)
        return accept(client, {
          id: 'whole',
          body: Buffer.from([0, 39, 92, 255]),
          subject: 'customer 7',
          time: '2026-01-02T03:04:05.678+02:00',
          content_type: 'application/octet-stream',
          order_key: 'customer-7',
          headers: { 'X-Note': `back\\slash 'quote' ünï` },
          tenant: 'acme',
        })
      })
      expect(answer).toEqual({ outcome: 'pending', event: { key: expect.stringMatching(/^[0-9A-Z]{26}$/) } })
      const key = answer.event?.key ?? ''
      const event = await store.event(key)
      expect(event).toMatchObject({
        key,
        shard: shardOfOrderKey('acme', 'customer-7', shards),
        tenant: 'acme',
        source: 'shop',
        id: 'whole',
        idSigned: true,
        type: 'order.paid',
        subject: 'customer 7',
        time: '2026-01-02T01:04:05.678Z',
        contentType: 'application/octet-stream',
        orderKey: 'customer-7',
        fingerprint: undefined,
        registryVersion: 1,
        headers: { 'x-note': `back\\slash 'quote' ünï` },
        unparsed: true,
      })
      expect(Buffer.from(event?.body ?? [])).toEqual(Buffer.from([0, 39, 92, 255]))
      expect(isEventKey(key)).toBe(true)
      expect(shardOfKey(key)).toBe(event?.shard)
      expect(mintedAt(key)).toBe(event?.acceptedAt)
      expect(await store.identity({ tenant: 'acme', source: 'shop', id: 'whole' })).toEqual({
        key,
        acceptedAt: event?.acceptedAt,
        fingerprint: undefined,
      })
    })

    it('lets that role do nothing else', async () => {
      for (const statement of [
        `select * from ${schema}.event`,
        `insert into ${schema}.ledger values (gen_random_uuid(), gen_random_uuid())`,
        `select ${schema}.accept_by_sql_1('shop', '1', 't', '', 'default', null, null, 'text/plain', null, null)`,
      ]) {
        await expect(
          asApp((client) => client.query(statement)),
          statement,
        ).rejects.toMatchObject({ code: '42501' })
      }
      const { rows } = await pool.query<{ name: string }>(
        `select p.proname as name from pg_proc p
         where p.pronamespace = $1::regnamespace and p.prosecdef and has_function_privilege($2, p.oid, 'execute')`,
        [schema, role],
      )
      expect(rows).toEqual([{ name: 'accept' }])
    })

    it('is nobody’s who was not given it', async () => {
      await pool.query(`revoke execute on function ${schema}.accept from ${role}`)
      try {
        await expect(asApp((client) => accept(client))).rejects.toMatchObject({ code: '42501' })
      } finally {
        await pool.query(`grant execute on function ${schema}.accept to ${role}`)
      }
    })

    it('is not bent by names that the caller puts in the way', async () => {
      const answer = await asApp(async (client) => {
        await client.query(`create function ${schema}_own.lpad(text, integer, text) returns text language sql as
          $$ select repeat('0', $2) $$; set local search_path = ${schema}_own, pg_catalog`)
        return accept(client)
      })
      expect(mintedAt(answer.event?.key ?? '')).toBeGreaterThan(1_700_000_000_000)
    })

    it('leaves nothing where the caller rolls back', async () => {
      const { event } = await asApp((client) => accept(client, { id: 'undone' }), 'rollback')
      expect(await store.event(event?.key ?? '')).toBeUndefined()
      for (const table of ['ledger', 'event', 'body', 'unfingerprinted']) {
        const count = `select count(*)::integer as answer from ${schema}.${table} where key = $1::uuid`
        expect(await ask(count, [keyUuid(event?.key ?? '')]), table).toBe(0)
      }
      expect((await asApp((client) => accept(client, { id: 'undone' }))).outcome).toBe('pending')
    })

    it('says that an identity exists, and aborts nothing', async () => {
      const first = await asApp((client) => accept(client, { id: 'twice' }))
      const [again, other, sameTenantOther] = await asApp(async (client) => [
        await accept(client, { id: 'twice' }),
        await accept(client, { id: 'twice', body: Buffer.from('{"total":6}') }),
        await accept(client, { id: 'twice', tenant: 'another' }),
      ])
      expect(again).toEqual({ outcome: 'exists', event: first.event })
      expect(other).toEqual({ outcome: 'exists', event: first.event })
      expect(sameTenantOther?.outcome).toBe('pending')
      // Also within one transaction.
      const within = await asApp(async (client) => [
        await accept(client, { id: 'at once' }),
        await accept(client, { id: 'at once' }),
      ])
      expect(within.map(({ outcome }) => outcome)).toEqual(['pending', 'exists'])
    })

    it('holds up only another accept of the same identity, which is told so', async () => {
      const again = item({ id: 'held' })
      await asApp(async (client) => {
        await accept(client, { id: 'held' })
        await asApp(async (second) => {
          expect(await accept(second, { id: 'held' })).toEqual({ outcome: 'in_flight' })
          // Nothing was aborted.
          expect((await accept(second)).outcome).toBe('pending')
        })
        const answers = await store.commit({ accept: [again, item()] })
        expect(answers.accept.map(({ outcome }) => outcome)).toEqual(['in_flight', 'accepted'])
      })
      expect((await asApp((client) => accept(client, { id: 'held' }))).outcome).toBe('exists')
      expect((await store.commit({ accept: [again] })).accept[0]?.outcome).toBe('unfingerprinted')
    })

    it('is told of an identity that the library holds open', async () => {
      const held = item()
      const client = await pool.connect()
      try {
        await client.query('begin')
        await store.acceptWithin?.(client, held)
        const { id } = held
        expect(await asApp((second) => accept(second, { id }))).toEqual({ outcome: 'in_flight' })
        await client.query('commit')
        expect(await asApp((second) => accept(second, { id }))).toEqual({ outcome: 'exists', event: { key: held.key } })
      } finally {
        client.release(true)
      }
    })

    it('goes to the shard of its order key, and otherwise to one that neighbours share', async () => {
      const keys = await asApp(async (client) => {
        const found: string[] = []
        for (let index = 0; index < 4; index++) found.push((await accept(client)).event?.key ?? '')
        return found
      })
      expect(new Set(keys).size).toBe(4)
      expect(new Set(keys.map(shardOfKey)).size).toBe(1)
    })

    it('records the registry version, and is unclaimed where none of its handlers takes it', async () => {
      const cases: [string, string][] = [
        ['shop', 'order.paid'],
        ['shop', 'order.paid.late'],
        ['shop', 'invoice.'],
        ['shop', 'invoice.made'],
        ['shop', 'invoice'],
        ['eu.shop', 'order.paid'],
        ['eu', 'order.paid'],
        ['*', 'order.paid'],
        ['Shop', 'order.paid'],
      ]
      const handler = { sources: ['shop', 'eu.*'], types: ['order.paid', 'invoice.*'] }
      for (const [source, type] of cases) {
        const { event } = await asApp((client) => accept(client, { source, type }))
        const { events } = await store.searchEvents({ unclaimed: true, limit: 200 })
        const isUnclaimed = events.some(({ key }) => key === event?.key)
        expect(isUnclaimed, `${source} ${type}`).toBe(!handlerTakes(handler, source, type))
      }
    })

    it.each<[Record<string, unknown>, string, string]>([
      [{ id: '' }, '22023', 'id is empty'],
      [{ id: null }, '22004', 'id is null'],
      [{ body: null }, '22004', 'body is null'],
      [{ id: 'é'.repeat(128) }, '22001', `id is longer than ${limits.idBytes} bytes`],
      [{ source: 's'.repeat(limits.nameLength + 1) }, '22001', 'source is longer than'],
      [{ type: 'a\nb' }, '22023', 'type holds a control character'],
      [{ id: 'a\u0085b' }, '22023', 'id holds a control character'],
      [{ tenant: '' }, '22023', 'tenant is empty'],
      [{ order_key: '' }, '22023', 'order_key is empty'],
      [{ content_type: null }, '22004', 'content_type is null'],
      [{ body: Buffer.alloc(limits.bodyBytes + 1) }, '54000', `body is larger than ${limits.bodyBytes} bytes`],
      [{ headers: '[]' }, '22023', 'headers are not an object'],
      [{ headers: { a: 1 } }, '22023', 'a header is not a text'],
      [{ headers: { a: 'x'.repeat(limits.headerLength + 1) } }, '22001', 'a header is longer'],
      [
        { headers: Object.fromEntries(Array.from({ length: limits.headersKept + 1 }, (_, at) => [`h${at}`, ''])) },
        '54000',
        'there are more than',
      ],
    ])('refuses %j', async (over, code, message) => {
      const error = await asApp((client) => accept(client, over)).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code, hint: expect.any(String), message: expect.stringContaining(message) })
    })

    it('takes what is just within the limits', async () => {
      const over = {
        id: 'é'.repeat(127),
        source: 's'.repeat(limits.nameLength),
        body: Buffer.alloc(limits.bodyBytes, 7),
      }
      expect((await asApp((client) => accept(client, over))).outcome).toBe('pending')
    })

    it('knows identities, order keys and keys as the library does', async () => {
      const one = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
      const cases = fc.sample(
        fc.tuple(one, one, one).filter((all) => all.every((text) => !text.includes('\0'))),
        { numRuns: 300, seed: 1 },
      )
      for (const [tenant, source, id] of cases) {
        const identity = Buffer.from(identityBytes({ tenant, source, id })).toString('hex')
        expect(
          await ask(`select replace(${schema}.identity_1($1, $2, $3)::text, '-', '') as answer`, [tenant, source, id]),
        ).toBe(identity)
        expect(await ask(`select ${schema}.shard_of_order_key_1($1, $2, 64) as answer`, [tenant, id])).toBe(
          shardOfOrderKey(tenant, id, 64),
        )
      }
      for (const bytes of Array.from({ length: 20 }, () => random.bytes(16))) {
        const hex = Buffer.from(bytes).toString('hex')
        const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
        expect(await ask(`select ${schema}.key_text_1($1::uuid) as answer`, [uuid])).toBe(keyOfUuid(uuid))
      }
    })
  })
}
