import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as restate from '@restatedev/restate-sdk'
import { type Measured, produce } from '../measure.ts'
import { body } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { idsOf } from '../works/events.ts'
import { Ended } from './progress.ts'

/**
 * A server of its own beside PostgreSQL: its log is on the same disk. A call is sent with its idempotency key, and runs at
 * once: it has no backlog that waits for a handler, so that its steps are measured from the first call on.
 */
export const works: Works = {
  'whole life': (bench) => lived(bench, 'settle'),
  'three steps': (bench) => lived(bench, 'threeSteps'),
}

const partitions = 4
const ended = new Ended()

const settlements = restate.service({
  name: 'settlements',
  handlers: {
    settle: async (_run: restate.Context, _event: unknown) => {
      ended.mark()
      return 'ok'
    },
    threeSteps: async (run: restate.Context, _event: unknown) => {
      for (const name of ['authorise', 'capture', 'book']) await run.run(name, () => 'ok')
      ended.mark()
      return 'ok'
    },
  },
})

async function lived(bench: Bench, handler: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-restate-'))
  const [ingress, admin, node, service] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const server = start(folder, ingress, admin, node)
  process.once('exit', () => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  await restate.serve({ services: [settlements], port: service })
  await eventually(() =>
    post(admin, '/deployments', Buffer.from(JSON.stringify({ uri: `http://127.0.0.1:${service}` }))),
  )
  const sendAll = (ids: readonly string[]) =>
    produce(ids.length, (index) => {
      const id = ids[index] ?? ''
      return post(ingress, `/settlements/${handler}/send`, body(id), { 'idempotency-key': id })
    })
  await eventually(() => sendAll(idsOf(1, 'first')))
  await sendAll(idsOf(bench.warmUp, 'warm'))
  await ended.reached(bench.warmUp + 1)
  const ids = idsOf(bench.count)
  const measured = await bench.measure(async () => {
    await sendAll(ids)
    await ended.reached(bench.warmUp + 1 + bench.count)
  })
  // It writes a log of its own, not PostgreSQL's.
  return { ...measured, walBytesPerEvent: Number.NaN, statementsPerEvent: Number.NaN }
}

function start(folder: string, ingress: number, admin: number, node: number): ChildProcess {
  const program = createRequire(import.meta.url).resolve(
    `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  )
  const address = (port: number) => `127.0.0.1:${port}`
  return spawn(program, ['--no-logo'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      RESTATE_BASE_DIR: folder,
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_LOG_FILTER: 'error',
      RESTATE_LISTEN_MODE: 'tcp',
      RESTATE_BIND_ADDRESS: address(node),
      RESTATE_ADVERTISED_ADDRESS: `http://${address(node)}`,
      RESTATE_INGRESS__BIND_ADDRESS: address(ingress),
      RESTATE_ADMIN__BIND_ADDRESS: address(admin),
      RESTATE_DEFAULT_NUM_PARTITIONS: String(partitions),
    },
  })
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

function post(
  port: number,
  path: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers },
      },
      (answer) => {
        answer.resume()
        answer.once('end', () => {
          if ((answer.statusCode ?? 500) < 300) resolve()
          else reject(new Error(`${path} answered ${answer.statusCode}`))
        })
      },
    )
    call.once('error', reject)
    call.end(bytes)
  })
}

/** The server is ready some seconds after its start. */
async function eventually(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await work()
      return
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
