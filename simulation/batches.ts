import { Draw } from './draw.ts'
import type { BatchPlan, Deed, Send } from './plan.ts'

/** A handler that is called for several events at once, and its events. */
export interface Batches {
  readonly batch: BatchPlan
  readonly sends: readonly Send[]
}

/** From this seed on there are any: what the seeds before are known for stays. */
export const firstBatchSeed = 50_000

/** Of a stream of their own: what else a seed has is as it was before there were any. */
export function drawBatches(seed: number, busyMs: number, nodes: number): Batches | undefined {
  const draw = new Draw(seed, 'batches')
  if (seed < firstBatchSeed || !draw.chance(0.3)) return undefined
  const batch: BatchPlan = {
    size: draw.pick([1, 2, 3, 10]),
    withinMs: draw.pick([100, 500, 1_000]),
    takesMs: draw.pick([0, 50, 800]),
  }
  const peak = draw.whole(50, busyMs)
  const sends = Array.from({ length: draw.whole(4, 30) }, (_, index): Send => {
    const fails = { do: 'throws', name: draw.pick(['alone', 'alone', 'all']), times: draw.pick([1, 2, 99]) } as const
    return {
      atMs: draw.chance(0.3) ? draw.whole(50, busyMs) : Math.min(busyMs, peak + draw.whole(0, 600)),
      node: draw.whole(0, nodes - 1),
      tenant: draw.pick(['acme', 'acme', 'bolt']),
      source: 'shop',
      id: `pack-${index}`,
      type: 'pack.made',
      deeds: draw.pick<readonly Deed[]>([[], [], [], [fails]]),
      nonce: 0,
    }
  })
  return { batch, sends }
}
