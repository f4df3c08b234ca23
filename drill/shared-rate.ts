import { Child } from './child.ts'
import { after } from './clock.ts'
import { Nodes } from './nodes.ts'
import { mostWithin } from './series.ts'
import type { ServiceVerbs } from './service.ts'

/** What was asked for. */
export interface SharedRatePlan {
  readonly store: string
  readonly nodes: number
  readonly seconds: number
  readonly rate: number
  readonly beatMs: number
}

/** The figures of a rate that nodes share. */
export interface SharedRateFigures {
  readonly calls: number
  /** The most calls in any 10 s. */
  readonly most10s: number
  /** The same, allowed. */
  readonly allowed10s: number
  /** Of the limit, what was used while every node had work. */
  readonly usedPart: number
  /** Beats that were hurried, over all nodes, and for each call. */
  readonly hurriedBeats: number
  readonly hurriedPerCall: number
  readonly beats: number
}

/** Until shares have gone round, and all have what they need: so many beats are not measured. */
const settlingBeats = 3

/** Every node has more than it may call for, throughout. */
export async function sharedRate(plan: SharedRatePlan, progress: (text: string) => void): Promise<SharedRateFigures> {
  const { store, nodes: count, seconds, rate, beatMs } = plan
  const service = new Child<ServiceVerbs>('service.ts')
  const nodes = await Nodes.open(count, {
    store,
    service: await service.ask('open'),
    rate,
    cooldownMs: 1_000,
    beatMs,
    ordered: false,
  })
  try {
    const settlingMs = settlingBeats * beatMs
    // A node's shards get an even part of these, and all are to last.
    await nodes.burst(rate * (seconds + settlingMs / 1_000) * 2)
    const before = (await nodes.told()).store
    await after(settlingMs)
    for (let second = 0; second < seconds; second++) {
      await after(1_000)
      const { calls } = await service.ask('count')
      progress(`${second + 1} s: ${calls} calls`)
    }
    const { atMs } = await service.ask('calls')
    const { hurried, beats } = (await nodes.told()).store
    const measuredMs = seconds * 1_000
    const endMs = atMs.at(-1) ?? 0
    const used = atMs.filter((at) => at > endMs - measuredMs).length
    const hurriedBeats = hurried - before.hurried
    return {
      calls: atMs.length,
      most10s: mostWithin(atMs, 10_000),
      allowed10s: rate * 10,
      usedPart: Math.round((used * 1_000) / (rate * seconds)) / 1_000,
      hurriedBeats,
      hurriedPerCall: Math.round((hurriedBeats * 10_000) / atMs.length) / 10_000,
      beats: beats - before.beats,
    }
  } finally {
    await nodes.end()
    await service.end()
  }
}
