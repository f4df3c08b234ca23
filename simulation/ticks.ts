import { Draw } from './draw.ts'
import type { Deed, Fault, SchedulePlan } from './plan.ts'

/** Schedules, and now and then a night in which nobody is there to tick. */
export interface Ticks {
  readonly schedules: readonly SchedulePlan[]
  readonly faults: readonly Fault[]
  /** When the night ends; undefined: there is none. */
  readonly nightEndsAtMs: number | undefined
}

/** From this seed on there are any: what the seeds before are known for stays. */
export const firstTickSeed = 30_000

/** So long after the last send all nodes are down; until a minute's tick is later than a tick that `skip` lets come. */
const nightAfterMs = 8_000
const nightEndsAtMs = 118_000

/** Of a stream of their own: what else a seed has is as it was before there were any. */
export function drawTicks(seed: number, busyMs: number, nodes: number): Ticks | undefined {
  const draw = new Draw(seed, 'ticks')
  if (seed < firstTickSeed || !draw.chance(0.3)) return undefined
  const hasNight = draw.chance(0.3)
  const schedules = (['tick', 'tock'] as const).slice(0, draw.whole(1, 2)).map(
    (name): SchedulePlan => ({
      name,
      // Of a night with more of them, a node with the smallest memory reads all that stands again and again.
      everyMs: hasNight ? draw.pick([5_000, 60_000, 60_000]) : draw.pick([2_000, 5_000]),
      missed: draw.pick(['all', 'latest', 'skip']),
      deeds: drawDeeds(draw),
    }),
  )
  if (!hasNight) return { schedules, faults: [], nightEndsAtMs: undefined }
  const atMs = busyMs + nightAfterMs
  const faults = Array.from(
    { length: nodes },
    (_, node): Fault => ({ atMs, node, kind: 'crash', when: 'now', downMs: nightEndsAtMs - atMs }),
  )
  return { schedules, faults, nightEndsAtMs }
}

/** Short ones: with ticks behind it, a run that takes long would never end a world. */
function drawDeeds(draw: Draw): readonly Deed[] {
  return draw.pick<readonly Deed[]>([
    [],
    [{ do: 'lingers', ms: 100 }],
    [{ do: 'throws', name: 't', times: 1 }],
    [{ do: 'sleep', name: 'z', ms: 300 }],
  ])
}
