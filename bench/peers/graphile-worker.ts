import { Logger, makeWorkerUtils, type Runner, run, type WorkerUtils } from 'graphile-worker'
import type pg from 'pg'
import { type Measured, produce } from '../measure.ts'
import { payload } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { halfDuplicates, idsOf } from '../works/events.ts'
import { Ended, Latency, openPool, untilNone } from './progress.ts'

/** Jobs that are known by their job key; a finished job is deleted, and its key forgotten. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': async (bench) => {
    const { pool, utils } = await opened(bench)
    const ended = new Ended()
    const runner = await running(pool, batching, 24, () => ended.mark())
    await addAll(utils, idsOf(bench.warmUp, 'warm'))
    await ended.reached(bench.warmUp)
    await bench.settle()
    const ids = idsOf(bench.count)
    const measured = await bench.measure(async () => {
      await addAll(utils, ids)
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
    await runner.stop()
    return measured
  },
  drain: async (bench) => {
    const { pool, utils } = await opened(bench)
    const ended = new Ended()
    await addInBulk(utils, idsOf(bench.warmUp, 'warm'))
    const first = await running(pool, batching, 24, () => ended.mark())
    await ended.reached(bench.warmUp)
    await first.stop()
    await addInBulk(utils, idsOf(bench.count))
    await bench.settle()
    let runner: Runner | undefined
    const measured = await bench.measure(async () => {
      runner = await running(pool, batching, 24, () => ended.mark())
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
    await runner?.stop()
    return measured
  },
  latency: async (bench) => {
    const { pool, utils } = await opened(bench)
    const latency = new Latency()
    const runner = await running(pool, {}, 16, ({ id }) => latency.begin(id))
    const measured = await latency.measure(bench, (id) => add(utils, id))
    await runner.stop()
    return measured
  },
}

const unfinished = 'select count(*) from graphile_worker._private_jobs'
const batching = { localQueue: { size: 500, ttl: 60_000 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
const logger = new Logger(() => () => {})

async function opened(bench: Bench): Promise<{ readonly pool: pg.Pool; readonly utils: WorkerUtils }> {
  const pool = await openPool(bench.url, 64)
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  await utils.migrate()
  return { pool, utils }
}

function add(utils: WorkerUtils, id: string): Promise<unknown> {
  return utils.addJob('settle', payload(id), { jobKey: id, jobKeyMode: 'unsafe_dedupe' })
}

async function addAll(utils: WorkerUtils, ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => add(utils, ids[index] ?? ''))
}

/** A backlog, before anything is measured. */
async function addInBulk(utils: WorkerUtils, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += 1_000) {
    await utils.addJobs(
      ids.slice(from, from + 1_000).map((id) => ({ identifier: 'settle', payload: payload(id), jobKey: id })),
    )
  }
}

async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const { utils } = await opened(bench)
  await addAll(utils, idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  return bench.measure(() => addAll(utils, ids))
}

function running(
  pool: pg.Pool,
  worker: Partial<typeof batching>,
  concurrentJobs: number,
  work: (event: { readonly id: string }) => void,
): Promise<Runner> {
  return run({
    pgPool: pool,
    logger,
    noHandleSignals: true,
    taskList: { settle: (job) => work(job as { readonly id: string }) },
    preset: { worker: { concurrentJobs, pollInterval: 1_000, ...worker } },
  })
}
