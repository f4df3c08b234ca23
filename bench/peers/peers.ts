import { existsSync } from 'node:fs'
import type { WorkName } from '../postgres/contestant.ts'

/** A peer as the report shows it. Its module needs the packages of `bench/package.json`; this list does not. */
export interface Peer {
  readonly name: string
  /** Its package, whose version is in the lockfile. */
  readonly package: string
  /** Beside `bench/postgres/side.ts`. */
  readonly module: string
  readonly works: readonly WorkName[]
  /** Fewer events than others do: its preparation alone would take minutes. */
  readonly counts?: Partial<Record<WorkName, number>>
  /** What is not its default, and how a work is done that can be done in more than one way. */
  readonly settings: readonly string[]
  /** What was tried beside them and was no faster. */
  readonly tried: readonly string[]
}

const queueWorks = ['accept', 'whole life', 'drain', 'half duplicates', 'latency'] as const

const absurd: Peer = {
  name: 'absurd',
  package: 'absurd-sdk',
  module: '../peers/absurd.ts',
  works: [...queueWorks, 'three steps'],
  counts: { drain: 3_000 },
  settings: [
    'the schema of absurdctl 0.5.1 (PyPI): the SDK comes without one',
    'a pool of 64 connections; idempotencyKey is the event’s id',
    'worker: concurrency 32, batchSize 64, pollInterval 10 ms; latency: 20 ms',
  ],
  tried: ['a pool of 16', 'concurrency and batchSize 100', 'concurrency 16, batchSize 32, polling every 50 ms'],
}

/** Who is measured beside Hapax. */
const all: readonly Peer[] = [
  {
    name: 'graphile-worker',
    package: 'graphile-worker',
    module: '../peers/graphile-worker.ts',
    works: queueWorks,
    settings: [
      'a pool of 64 connections; jobKey is the event’s id, unsafe_dedupe; finished jobs are deleted, and their keys forgotten',
      'worker: 24 concurrent jobs, localQueue of 500, completeJobBatchDelay 0; latency: 16 concurrent jobs, no local queue',
    ],
    tried: [
      'a pool of 16',
      '100 concurrent jobs, localQueue of 1,000, completeJobBatchDelay 5',
      '100 concurrent jobs, completeJobBatchDelay 250',
    ],
  },
  {
    name: 'pg-boss',
    package: 'pg-boss',
    module: '../peers/pg-boss.ts',
    works: queueWorks,
    settings: [
      'a pool of 64 connections, a partition of its own for the queue, no supervision; the job’s id is the hash of the event’s',
      'worker: batchSize 500, localConcurrency 2, burstWhenBatchFull, polling every 500 ms; latency: notify, batchSize 10, localConcurrency 4',
    ],
    tried: ['a pool of 16', 'batchSize 1,000 with localConcurrency 2 and 4'],
  },
  {
    name: 'DBOS',
    package: '@dbos-inc/dbos-sdk',
    module: '../peers/dbos.ts',
    works: [...queueWorks, 'three steps'],
    counts: { drain: 3_000 },
    settings: [
      'workflowID is the event’s id; its client has a pool of 64 connections',
      'accept: client.enqueue; whole life and latency: startWorkflow, a pool of 40; drain and three steps: a queue without limits, minPollingIntervalMs 100, a pool of 20',
    ],
    tried: [
      'a client pool of 16',
      'for the queue: minPollingIntervalMs 20 and 500, a pool of 10 and 40',
      'for startWorkflow: a pool of 20',
    ],
  },
  {
    name: 'Restate',
    package: '@restatedev/restate-server',
    module: '../peers/restate.ts',
    works: ['whole life', 'three steps'],
    settings: [
      'a server of its own, not on PostgreSQL; 4 partitions; its log is synced to the same disk',
      'calls by /send with an idempotency key over 64 kept connections; three steps run from the first call on, since no backlog can wait',
    ],
    tried: ['24 partitions, its default', '1 partition'],
  },
]

const absurdSchema = new URL('../node_modules/.absurdctl', import.meta.url)
const isAbsurdThere = existsSync(absurdSchema)

/** Who can be measured beside Hapax. */
export const everyPeer: readonly Peer[] = [...all, absurd]

/** Who is measured in this run. */
export const peers: readonly Peer[] = isAbsurdThere ? everyPeer : all

/** Who cannot be, and why. */
export const unavailable: Readonly<Record<string, string>> = isAbsurdThere
  ? {}
  : { absurd: 'its SDK comes without the schema that it needs; that is in absurdctl of PyPI, which pip installs' }
