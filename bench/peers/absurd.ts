import { readFileSync } from 'node:fs'
import { Absurd } from 'absurd-sdk'
import { type Measured, produce } from '../measure.ts'
import { payload } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { halfDuplicates, idsOf } from '../works/events.ts'
import { Ended, Latency, openPool, untilNone } from './progress.ts'

/** Tasks that are known by their idempotency key; a finished task stays in the table. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': async (bench) => {
    const app = await opened(bench)
    await app.startWorker(worker)
    await spawnAll(app, 'settle', idsOf(bench.warmUp, 'warm'))
    await ended.reached(bench.warmUp)
    await bench.settle()
    const ids = idsOf(bench.count)
    return bench.measure(async () => {
      await spawnAll(app, 'settle', ids)
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
  },
  drain: (bench) => drained(bench, 'settle'),
  'three steps': (bench) => drained(bench, 'three-steps'),
  latency: async (bench) => {
    const app = await opened(bench)
    await app.startWorker({ ...worker, pollInterval: 0.02 })
    return latency.measure(bench, (id) => spawn(app, 'settle', id))
  },
}

const queue = 'settlements'
const worker = { concurrency: 32, batchSize: 64, pollInterval: 0.01, claimTimeout: 120, fatalOnLeaseTimeout: false }
const unfinished = `select count(*) from absurd.t_${queue} where state in ('pending', 'running')`
const ended = new Ended()
const latency = new Latency()
const log = { log() {}, info() {}, warn() {}, error: (...words: unknown[]) => console.error(...words) }

/** The SDK comes without the schema that it needs; the project's command line tool has it in it. */
function schemaSql(): string {
  const tool = readFileSync(new URL('../node_modules/.absurdctl/absurdctl/__init__.py', import.meta.url), 'utf8')
  const line = tool.split('\n').find((one) => one.startsWith('BUNDLED_SCHEMA_SQL = '))
  if (!line) throw new Error('absurdctl 0.5.1 has its schema no more where it was')
  return JSON.parse(line.slice(line.indexOf('"')))
}

async function opened(bench: Bench): Promise<Absurd> {
  await bench.run(schemaSql())
  const app = new Absurd({ db: await openPool(bench.url, 64), queueName: queue, log })
  await app.createQueue(queue)
  app.registerTask<{ readonly id: string }>({ name: 'settle' }, async ({ id }) => {
    latency.begin(id)
    ended.mark()
    return 'ok'
  })
  app.registerTask({ name: 'three-steps' }, async (_event, task) => {
    for (const name of ['authorise', 'capture', 'book']) await task.step(name, async () => 'ok')
    ended.mark()
    return 'ok'
  })
  return app
}

function spawn(app: Absurd, task: string, id: string): Promise<unknown> {
  return app.spawn(task, payload(id), { idempotencyKey: id })
}

async function spawnAll(app: Absurd, task: string, ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => spawn(app, task, ids[index] ?? ''))
}

async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const app = await opened(bench)
  await spawnAll(app, 'settle', idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  return bench.measure(() => spawnAll(app, 'settle', ids))
}

async function drained(bench: Bench, task: string): Promise<Measured> {
  const app = await opened(bench)
  await spawnAll(app, task, idsOf(bench.warmUp, 'warm'))
  const first = await app.startWorker(worker)
  await ended.reached(bench.warmUp)
  await first.close()
  await spawnAll(app, task, idsOf(bench.count))
  await bench.settle()
  return bench.measure(async () => {
    await app.startWorker(worker)
    await ended.reached(bench.warmUp + bench.count)
    await untilNone(bench, unfinished)
  })
}
