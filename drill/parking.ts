import { Child } from './child.ts'
import { after, nowMs } from './clock.ts'
import { Nodes } from './nodes.ts'
import type { ServiceVerbs } from './service.ts'

/** What was asked for. */
export interface ParkingPlan {
  readonly store: string
  readonly nodes: number
  readonly runs: number
  readonly beatMs: number
}

/** The figures of many runs that wait for a service that is down. */
export interface ParkingFigures {
  readonly runs: number
  readonly lost: number
  readonly attemptsBurnt: number
  /** Settlements that parked a run, and for each run. */
  readonly parkedRecords: number
  readonly recordsPerRun: number
  /** Of the largest node: before, with all parked, and when all are done. */
  readonly rssMb: { readonly before: number; readonly parked: number; readonly after: number }
  readonly acceptSeconds: number
  /** From the return of the service until all are done. */
  readonly doneSeconds: number
}

const cooldownMs = 1_000
const lookMs = 250

/** The service is down before the first event comes. */
export async function parking(plan: ParkingPlan, progress: (text: string) => void): Promise<ParkingFigures> {
  const { store, nodes: count, runs, beatMs } = plan
  const service = new Child<ServiceVerbs>('service.ts')
  const url = await service.ask('open')
  const setup = { store, service: url, cooldownMs, beatMs, ordered: false }
  const nodes = await Nodes.open(count, setup)
  try {
    const rss = async () => Math.round((await nodes.count()).rssBytes / 1e6)
    await service.ask('become', '503')
    const before = await rss()
    progress(`${runs} events come`)
    const sentMs = nowMs()
    await nodes.burst(runs)
    const acceptSeconds = seconds(nowMs() - sentMs)
    await after(2 * beatMs)
    const parked = await rss()
    const upMs = await service.ask('become', 'up')
    for (let done = 0; done < runs; ) {
      await after(lookMs)
      done = (await nodes.count()).done
      progress(`${seconds(nowMs() - upMs)} s: ${done} done`)
    }
    const doneSeconds = seconds(nowMs() - upMs)
    const { parked: parkedRecords } = (await nodes.told()).store
    const afterwards = await rss()
    progress('every run is read')
    const { lost, attemptsBurnt } = await nodes.judge()
    await nodes.stop()
    return {
      runs,
      lost,
      attemptsBurnt,
      parkedRecords,
      recordsPerRun: parkedRecords / runs,
      rssMb: { before, parked, after: afterwards },
      acceptSeconds,
      doneSeconds,
    }
  } finally {
    await nodes.end()
    await service.end()
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10
}
