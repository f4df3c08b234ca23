import { Child } from './child.ts'
import { after, nowMs } from './clock.ts'
import { Nodes } from './nodes.ts'
import { type OutageFigures, type OutagePlan, type OutageSeen, outageFigures } from './outage-figures.ts'
import type { ServiceVerbs } from './service.ts'

/** What an outage gave. */
export interface Outage {
  readonly seen: OutageSeen
  readonly figures: OutageFigures
}

/** Events a second that have nothing to do with the service. */
const apartRate = 50

const tellMs = 1_000
const lookMs = 100

/** After the load, for so many spans of it at most, until all runs have ended. */
const patience = 10

/**
 * An outage in real time: events come throughout to `nodes` processes; the service that their runs call goes down for `seconds`,
 * and comes back at less than it was declared with. Ends when the backlog is gone and some time has passed after it.
 */
export async function outage(plan: OutagePlan, progress: (text: string) => void): Promise<Outage> {
  const service = new Child<ServiceVerbs>('service.ts')
  const nodes = await Nodes.open(plan.nodes, {
    store: plan.store,
    service: await service.ask('open'),
    rate: plan.declaredRate,
    cooldownMs: plan.cooldownMs,
    beatMs: plan.beatMs,
    ordered: true,
  })
  try {
    return await drilled(plan, service, nodes, progress)
  } finally {
    await nodes.end()
    await service.end()
  }
}

async function drilled(
  plan: OutagePlan,
  service: Child<ServiceVerbs>,
  nodes: Nodes,
  progress: (text: string) => void,
): Promise<Outage> {
  const spanMs = plan.seconds * 1_000
  const aroundMs = Math.max(3_000, spanMs / 3)
  let phase = 'before'
  const beganMs = await nodes.load({ calling: plan.arrivingRate, apart: apartRate })
  const stopTelling = telling(service, nodes, beganMs, (text) => progress(`${phase.padEnd(8)} ${text}`))
  try {
    await after(aroundMs)
    const downMs = await service.ask('become', plan.down)
    phase = 'down'
    await after(spanMs / 2)
    await nodes.limit(plan.allowedRate)
    await after(spanMs / 2)
    const upMs = await service.ask('become', 'up')
    phase = 'return'
    await drainedOf(service, nodes, plan, nowMs() + patience * spanMs)
    phase = 'after'
    await after(aroundMs)
    await nodes.loadNoMore()
    const endMs = nowMs()
    phase = 'end'
    await endedAll(nodes, nowMs() + patience * spanMs)
    stopTelling()
    progress('every run is read')
    const judged = await nodes.judge()
    const calls = await service.ask('calls')
    const { accepted, refused, apart, turns, store } = await nodes.told()
    const seen = { beganMs, downMs, upMs, endMs, calls, accepted, refused, apart, turns, store, judged }
    await nodes.stop()
    return { seen, figures: outageFigures(plan, seen) }
  } finally {
    stopTelling()
  }
}

/** Resolves when what waits is no more than what stands without an outage. */
async function drainedOf(service: Child<ServiceVerbs>, nodes: Nodes, plan: OutagePlan, untilMs: number): Promise<void> {
  const few = plan.arrivingRate / 10
  for (let isGone = false; !isGone && nowMs() < untilMs; ) {
    await after(lookMs)
    const { accepted, done } = await nodes.count()
    const { served } = await service.ask('count')
    isGone = accepted - done <= few && served > 0
  }
}

async function endedAll(nodes: Nodes, untilMs: number): Promise<void> {
  for (let isEnded = false; !isEnded && nowMs() < untilMs; ) {
    await after(lookMs)
    const { accepted, done } = await nodes.count()
    isEnded = done >= accepted
  }
}

/** A line for people each second. */
function telling(
  service: Child<ServiceVerbs>,
  nodes: Nodes,
  beganMs: number,
  progress: (text: string) => void,
): () => void {
  let before = 0
  const tell = async () => {
    const [{ calls }, { accepted, done }] = await Promise.all([service.ask('count'), nodes.count()])
    const seconds = Math.round((nowMs() - beganMs) / 1_000)
    progress(`${seconds} s: ${calls - before} calls/s, ${accepted - done} wait, ${accepted} accepted`)
    before = calls
  }
  // What cannot be asked any more is told by whoever waits for it.
  const timer = setInterval(() => void tell().catch(() => {}), tellMs)
  return () => clearInterval(timer)
}
