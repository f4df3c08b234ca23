import { createHmac } from 'node:crypto'
import { Agent, request } from 'node:http'
import pg from 'pg'
import { createHapax } from '../../src/index.ts'
import { secret } from '../ingress/secret.ts'
import { atRate, latencyRate, type Measured, percentile } from '../measure.ts'
import { body } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { event, idsOf } from '../works/events.ts'
import { Child } from './child.ts'

/** A window asks for so long at a steady rate, and then as fast as it can. */
const windowSeconds = 5

/**
 * Ingress with its runs, in windows before something is held open, while it is, and at the end of that: so many at each end as there
 * are pairs. `held`: another session's transaction, with a snapshot and an id. `open accept`: a caller's transaction that has
 * accepted an event and goes on.
 */
export const works: Works = {
  held: (bench) =>
    through(bench, async (client) => {
      await client.query('begin isolation level repeatable read')
      await client.query('select pg_current_xact_id(), count(*) from pg_class')
    }),
  'open accept': (bench) =>
    through(bench, async (client) => {
      const hapax = await createHapax({ store: bench.url })
      await client.query('begin')
      await hapax.accept(event(idsOf(1, 'held')[0] ?? ''), { transaction: client })
      await hapax.stop()
    }),
}

async function through(bench: Bench, hold: (client: pg.Client) => Promise<void>): Promise<Measured> {
  const { pairs, heldMs } = bench.options
  const server = new Child('../ingress/hapax-server.ts', [bench.url, 'run'])
  const port = Number(await server.said(''))
  await window(port, bench.count)
  await bench.settle()
  const before: Measured[] = []
  while (before.length < pairs) before.push(await window(port, bench.count))
  const client = new pg.Client({ connectionString: bench.url })
  await client.connect()
  await hold(client)
  const until = performance.now() + heldMs
  const during: Measured[] = []
  while (performance.now() < until || during.length < pairs) during.push(await window(port, bench.count))
  await client.query('rollback')
  await client.end()
  await server.end('SIGTERM')
  const named = (name: string, windows: readonly Measured[]) =>
    windows.flatMap((one, index) => Object.entries(one).map(([figure, value]) => [`${name} ${index} ${figure}`, value]))
  return Object.fromEntries([...named('before', before), ...named('during', during.slice(-pairs))])
}

async function window(port: number, count: number): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const times: number[] = []
  const ids = idsOf(latencyRate * windowSeconds, `window${count}`)
  await atRate(ids.length, latencyRate, async (index) => {
    const began = performance.now()
    await post(agent, port, body(ids[index] ?? ''))
    times.push(performance.now() - began)
  })
  agent.destroy()
  const load = new Child('../ingress/load.ts', [String(port), String(count)])
  const rate = Number(await load.said(''))
  await load.end()
  return { p50Ms: percentile(times, 50), p99Ms: percentile(times, 99), rate }
}

function post(agent: Agent, port: number, bytes: Uint8Array): Promise<void> {
  const timestamp = Math.floor(Date.now() / 1_000)
  const signature = createHmac('sha256', secret).update(`${timestamp}.`).update(bytes).digest('hex')
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'stripe-signature': `t=${timestamp},v1=${signature}`,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ agent, port, host: '127.0.0.1', path: '/in/stripe', method: 'POST', headers }, (answer) => {
      answer.resume().once('end', () => {
        if (answer.statusCode === 202) resolve()
        else reject(new TypeError(`The ingress answered ${answer.statusCode}.`))
      })
    })
    sent.once('error', reject)
    sent.end(bytes)
  })
}
