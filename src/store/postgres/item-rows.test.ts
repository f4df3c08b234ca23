import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { ItemRows } from './item-rows.ts'

const client = new pg.Client({ connectionString: inject('postgresUrl') })
const type = 'item_rows_of_a_test'
let oid = 0

beforeAll(async () => {
  await client.connect()
  await client.query(`drop type if exists ${type}; create type ${type} as (
    name text, count integer, number bigint, time double precision, flag boolean, key uuid, body bytea)`)
  const { rows } = await client.query<{ oid: number }>(`select '${type}'::regtype::oid as oid`)
  oid = rows[0]?.oid ?? 0
})
afterAll(async () => {
  await client.query(`drop type ${type}`)
  await client.end()
})

it('a list of rows arrives as it was packed, whatever its size: numbers to 2^53, any text, absent values', async () => {
  const key = Uint8Array.from({ length: 16 }, (_zero, index) => index)
  const items = [
    { name: 'Ἅπαξ', number: 2 ** 53 - 1, time: 1.5, body: new Uint8Array([0, 255]) },
    { name: undefined, number: undefined, time: undefined, body: new Uint8Array(100_000).fill(7) },
    { name: '', number: 2 ** 32, time: -0.25, body: new Uint8Array(0) },
    { name: '€'.repeat(5_000), number: 1, time: 1e300, body: new Uint8Array([1]) },
  ]
  const packed = new ItemRows().array(oid, 7, items, (row, { name, number, time, body }, index) => {
    row.text(name)
    row.integer(index - 2)
    row.bigint(number)
    row.double(time)
    row.boolean(index % 2 === 0)
    row.digest(String.fromCharCode(...key, 255))
    row.bytes(body)
  })
  const { rows } = await client.query(
    `select r.* from unnest($1::${type}[]) with ordinality r(name, count, number, time, flag, key, body, place) order by place`,
    [packed],
  )
  expect(rows).toEqual(
    items.map(({ name, number, time, body }, index) => ({
      name: name ?? null,
      count: index - 2,
      number: number === undefined ? null : String(number),
      time: time ?? null,
      flag: index % 2 === 0,
      key: '00010203-0405-0607-0809-0a0b0c0d0e0f',
      body: Buffer.from(body),
      place: String(index + 1),
    })),
  )
})

it('an empty list arrives as one', async () => {
  const packed = new ItemRows().array(oid, 7, [], () => {})
  const { rows } = await client.query(`select cardinality($1::${type}[]) as count`, [packed])
  expect(rows).toEqual([{ count: 0 }])
})
