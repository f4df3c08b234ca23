import pg from 'pg'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { silentLog } from '../../kit/log.ts'
import { Connections } from './connection.ts'

let connections: Connections

beforeEach(() => {
  connections = new Connections(new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 }), silentLog)
})

afterEach(() => connections.close())

function named() {
  return connections.rows('select name, statement from pg_prepared_statements order by statement')
}

it('names each text once, however long its schema is called, and never two texts alike', async () => {
  const texts = ['select 1 as a', `select 2 as a, '${'schema'.repeat(20)}' as b`]
  for (const text of [...texts, ...texts]) await connections.durable(text, [])
  const found = await named()
  expect(found.map(({ statement }) => statement)).toEqual(texts)
  expect(new Set(found.map(({ name }) => name)).size).toBe(2)
  for (const { name } of found) expect(String(name)).toMatch(/^hapax_.{22}$/)
})

it('goes on naming statements after a pooler said that something else is wrong', async () => {
  const wrong = `do $$ begin raise exception 'server conn crashed?' using errcode = '08P01'; end $$`
  await expect(connections.durable(wrong, [])).rejects.toThrow('server conn crashed?')
  await connections.durable('select 1 as a', [])
  expect((await named()).map(({ statement }) => statement)).toContain('select 1 as a')
})

it('throws a connection away that ended with its statement', async () => {
  await connections.durable('select 1 as a', [])
  await expect(connections.durable('select pg_terminate_backend(pg_backend_pid())', [])).rejects.toThrow('terminating')
  expect(await connections.durable('select 1 as a', [])).toEqual({ a: 1 })
})
