import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
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

it('survives that a connection ends while nothing is asked of it', async () => {
  const other = new Connections(new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 }), silentLog)
  await connections.hold(async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
    await other.rows('select pg_terminate_backend($1)', [rows[0]?.pid ?? 0])
    await ended
    await expect(client.query('select 1')).rejects.toThrow()
  })
  expect(await connections.durable('select 1 as a', [])).toEqual({ a: 1 })
  await other.close()
})

it('survives that a connection ends in the moment that it is ready', async () => {
  const message = (type: string, rest: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(rest.length + 4)
    return Buffer.concat([Buffer.from(type), length, rest])
  }
  const ended = 'terminating connection due to administrator command'
  // One packet has all: that it may log in, that it may ask, that it ends.
  const atOnce = Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('Z', Buffer.from('I')),
    message('E', Buffer.from(`SFATAL\0C57P01\0M${ended}\0\0`)),
  ])
  const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(atOnce)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const short = new Connections(new pg.Pool({ host: '127.0.0.1', port, max: 1 }), silentLog)
  await expect(short.durable('select 1 as a', [])).rejects.toThrow()
  await expect(short.rows('select 1 as a')).rejects.toThrow(ended)
  await short.close()
  server.close()
})

it('survives that the network ends a connection while it is asked', async () => {
  const server = new URL(inject('postgresUrl'))
  const url = new URL(server)
  const sockets: Socket[] = []
  const between = createServer((socket) => {
    const onward = connect(Number(server.port || 5432), server.hostname)
    for (const one of [socket, onward]) one.on('error', () => undefined)
    sockets.push(socket, onward)
    socket.pipe(onward).pipe(socket)
  })
  between.listen(0, '127.0.0.1')
  await once(between, 'listening')
  const address = between.address()
  url.port = String(typeof address === 'object' ? address?.port : '')
  url.hostname = '127.0.0.1'
  const far = new Connections(new pg.Pool({ connectionString: url.toString(), max: 1 }), silentLog)
  await far.durable('select 1 as a', [])
  const asked = expect(far.durable('select pg_sleep(20) as a', [])).rejects.toThrow()
  const isAsked = () =>
    connections.row(`select count(*)::integer as count from pg_stat_activity where query = 'select pg_sleep(20) as a'`)
  await expect.poll(isAsked).toEqual({ count: 1 })
  for (const socket of sockets.splice(0)) socket.destroy()
  await asked
  expect(await far.durable('select 1 as a', [])).toEqual({ a: 1 })
  await far.close()
  for (const socket of sockets) socket.destroy()
  between.close()
})
