import { Draw } from './draw.ts'
import type { Act, BurstPlan, Send } from './plan.ts'

/** Handlers that keep the latest of a burst, their events, and what a person does to these. */
export interface Bursts {
  readonly burst: BurstPlan
  readonly sends: readonly Send[]
  readonly acts: readonly Act[]
}

/** From this seed on there are any: what the seeds before are known for stays. */
const firstSeed = 10_000

/**
 * Of a stream of their own: what else a seed has is as it was before there were any.
 *
 * @param before how many events the plan has beside them: acts name a send by its number.
 */
export function drawBursts(seed: number, busyMs: number, nodes: number, before: number): Bursts | undefined {
  const draw = new Draw(seed, 'bursts')
  if (seed < firstSeed || !draw.chance(0.4)) return undefined
  const kind = draw.pick(['level', 'stock'])
  const burst: BurstPlan = { windowMs: draw.pick([300, 1_500, 4_000]) }
  const peaks = [draw.whole(50, busyMs), draw.whole(50, busyMs)] as const
  const sends = Array.from({ length: draw.whole(5, 40) }, (_, index): Send => {
    const lingers = { do: 'lingers', ms: draw.pick([100, 800, 2_500]) } as const
    const throws = { do: 'throws', name: 't', times: draw.pick([1, 2, 99]) } as const
    return {
      atMs: draw.chance(0.3) ? draw.whole(50, busyMs) : draw.pick(peaks) + draw.whole(0, 600),
      node: draw.whole(0, nodes - 1),
      tenant: draw.pick(['acme', 'acme', 'bolt']),
      source: 'shop',
      id: `${kind}-${index}`,
      type: `${kind}.made`,
      orderKey: draw.pick(['hot', 'hot', 'cold']),
      deeds: draw.pick([[], [], [lingers], [throws], [throws, lingers]]),
      nonce: 0,
    }
  })
  const acts = Array.from({ length: draw.whole(0, 4) }, (): Act => {
    const send = draw.whole(0, sends.length - 1)
    // Most come while it waits.
    const atMs = (sends[send]?.atMs ?? 0) + draw.whole(0, draw.chance(0.7) ? burst.windowMs : 6_000)
    const at = { atMs: Math.min(atMs, busyMs + 2_000), node: draw.whole(0, nodes - 1), send: before + send }
    return draw.pick<Act>([
      { ...at, kind: 'cancel' },
      { ...at, kind: 'cancel' },
      { ...at, kind: 'retry' },
      { ...at, kind: 'replay', newKeys: false },
    ])
  })
  return { burst, sends, acts }
}
