import { createHash } from 'node:crypto'
import { PgBoss, type WorkOptions } from 'pg-boss'
import { type Measured, produce } from '../measure.ts'
import { payload } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { halfDuplicates, idsOf } from '../works/events.ts'
import { Ended, Latency, untilNone } from './progress.ts'

/** Jobs that are known by their id; a finished job stays in the table. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': async (bench) => {
    const boss = await opened(bench, {})
    const ended = new Ended()
    await work(boss, inBatches, () => ended.mark())
    await sendAll(boss, idsOf(bench.warmUp, 'warm'))
    await ended.reached(bench.warmUp)
    await bench.settle()
    const ids = idsOf(bench.count)
    return bench.measure(async () => {
      await sendAll(boss, ids)
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
  },
  drain: async (bench) => {
    const boss = await opened(bench, {})
    const ended = new Ended()
    await insert(boss, idsOf(bench.warmUp, 'warm'))
    await work(boss, inBatches, () => ended.mark())
    await ended.reached(bench.warmUp)
    await boss.offWork(queue)
    await insert(boss, idsOf(bench.count))
    await bench.settle()
    return bench.measure(async () => {
      await work(boss, inBatches, () => ended.mark())
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
  },
  latency: async (bench) => {
    const boss = await opened(bench, { notify: true })
    const latency = new Latency()
    await work(boss, { batchSize: 10, localConcurrency: 4, burstWhenBatchFull: true }, ({ id }) => latency.begin(id))
    return latency.measure(bench, (id) => send(boss, id))
  },
}

const queue = 'settle'
const unfinished = `select count(*) from pgboss.job where name = '${queue}' and state < 'completed'`
const inBatches: WorkOptions = {
  batchSize: 500,
  localConcurrency: 2,
  pollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true,
}

async function opened(bench: Bench, options: { readonly notify?: boolean }): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: bench.url,
    max: 64,
    useListenNotify: options.notify ?? false,
    supervise: false,
    schedule: false,
  })
  boss.on('error', (error) => console.error(error.message))
  await boss.start()
  await boss.createQueue(queue, { partition: true, ...options })
  return boss
}

/** A job's id is a UUID. */
function uuidOf(id: string): string {
  const hash = createHash('sha1').update(id).digest('hex')
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

function send(boss: PgBoss, id: string): Promise<unknown> {
  return boss.send(queue, payload(id), { id: uuidOf(id) })
}

async function sendAll(boss: PgBoss, ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => send(boss, ids[index] ?? ''))
}

/** A backlog, before anything is measured. */
async function insert(boss: PgBoss, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += 1_000) {
    await boss.insert(
      queue,
      ids.slice(from, from + 1_000).map((id) => ({ id: uuidOf(id), data: payload(id) })),
    )
  }
}

async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const boss = await opened(bench, {})
  await sendAll(boss, idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  return bench.measure(() => sendAll(boss, ids))
}

async function work(boss: PgBoss, options: WorkOptions, each: (event: { readonly id: string }) => void): Promise<void> {
  await boss.work<{ readonly id: string }>(queue, options, async (jobs) => {
    for (const { data } of jobs) each(data)
  })
}
