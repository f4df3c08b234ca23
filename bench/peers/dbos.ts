import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk'
import { type Measured, produce } from '../measure.ts'
import { payload } from '../payload.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { halfDuplicates, idsOf } from '../works/events.ts'
import { Ended, Latency, untilNone } from './progress.ts'

/** Workflows that are known by their id; a finished one stays in the table. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': async (bench) => {
    await launched(bench, 40)
    await startAll(idsOf(bench.warmUp, 'warm'))
    await ended.reached(bench.warmUp)
    await bench.settle()
    const ids = idsOf(bench.count)
    return bench.measure(async () => {
      await startAll(ids)
      await ended.reached(bench.warmUp + bench.count)
      await untilNone(bench, unfinished)
    })
  },
  drain: (bench) => drained(bench, 'settle'),
  'three steps': (bench) => drained(bench, 'threeSteps'),
  latency: async (bench) => {
    await launched(bench, 40)
    return latency.measure(bench, (id) => DBOS.startWorkflow(settle, { workflowID: id })(payload(id)))
  },
}

const version = 'bench'
const queue = 'settlements'
const unfinished = `select count(*) from dbos.workflow_status where status in ('PENDING', 'ENQUEUED') and queue_name is distinct from 'nobody'`
const ended = new Ended()
const latency = new Latency()

const settle = DBOS.registerWorkflow(
  async function settle(event: object) {
    latency.begin((event as { readonly id: string }).id)
    ended.mark()
    return 'ok'
  },
  { name: 'settle' },
)

DBOS.registerWorkflow(
  async function threeSteps(_event: object) {
    for (const name of ['authorise', 'capture', 'book']) await DBOS.runStep(async () => 'ok', { name })
    ended.mark()
    return 'ok'
  },
  { name: 'threeSteps' },
)

async function launched(bench: Bench, poolSize: number): Promise<DBOSClient> {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: bench.url,
    systemDatabasePoolSize: poolSize,
    logLevel: 'error',
    applicationVersion: version,
  })
  await DBOS.launch()
  await DBOS.registerQueue(queue, { minPollingIntervalMs: 100 })
  return DBOSClient.create({ systemDatabaseUrl: bench.url, systemDatabasePoolSize: 64 })
}

async function startAll(ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => {
    const id = ids[index] ?? ''
    return DBOS.startWorkflow(settle, { workflowID: id })(payload(id))
  })
}

async function enqueueAll(client: DBOSClient, workflowName: string, to: string, ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => {
    const workflowID = ids[index] ?? ''
    return client.enqueue({ workflowName, queueName: to, workflowID, appVersion: version }, payload(workflowID))
  })
}

/** For a queue that nobody works on. */
async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const client = await launched(bench, 20)
  await enqueueAll(client, 'settle', 'nobody', idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  return bench.measure(() => enqueueAll(client, 'settle', 'nobody', ids))
}

/** The backlog waits in a queue that nobody works on, and is put into the one that is worked on. */
async function drained(bench: Bench, workflowName: string): Promise<Measured> {
  const client = await launched(bench, 20)
  await enqueueAll(client, workflowName, queue, idsOf(bench.warmUp, 'warm'))
  await ended.reached(bench.warmUp)
  await enqueueAll(client, workflowName, 'held', idsOf(bench.count))
  await bench.settle()
  return bench.measure(async () => {
    await bench.run(`update dbos.workflow_status set queue_name = '${queue}' where queue_name = 'held'`)
    await ended.reached(bench.warmUp + bench.count)
    await untilNone(bench, unfinished)
  })
}
