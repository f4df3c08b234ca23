import { Draw } from './draw.ts'
import type { Deed, RatesPlan, Send } from './plan.ts'

/** A handler and a source whose runs begin no more often than a rate allows, and their events. */
export interface Rates {
  readonly rates: RatesPlan
  readonly sends: readonly Send[]
}

/** From this seed on there are any: what the seeds before are known for stays. */
export const firstRateSeed = 40_000

/** Handlers of them: the types of their events begin so. */
export const rateKinds = ['meter', 'till'] as const

type RateKind = (typeof rateKinds)[number]

/** Of a stream of their own: what else a seed has is as it was before there were any. */
export function drawRates(seed: number, busyMs: number, nodes: number): Rates | undefined {
  const draw = new Draw(seed, 'rates')
  if (seed < firstRateSeed || !draw.chance(0.3)) return undefined
  const rates = { ofHandler: draw.pick([2, 5, 20]), ofSource: draw.pick([2, 5, 20]) }
  const kinds = draw.pick<readonly [RateKind, ...RateKind[]]>([['meter'], ['till'], rateKinds])
  const peak = draw.whole(50, busyMs)
  const sends = Array.from({ length: draw.whole(5, 40) }, (_, index): Send => {
    const kind = draw.pick(kinds)
    return {
      // In bursts, so that limits are felt.
      atMs: draw.chance(0.4) ? draw.whole(50, busyMs) : Math.min(busyMs, peak + draw.whole(0, 200)),
      node: draw.whole(0, nodes - 1),
      tenant: 'acme',
      source: kind === 'till' ? 'till' : 'shop',
      id: `${kind}-${index}`,
      type: `${kind}.made`,
      ...(draw.chance(0.3) ? { orderKey: draw.pick(['hot', 'cold']) } : {}),
      deeds: draw.pick<readonly Deed[]>([
        [],
        [],
        [{ do: 'throws', name: 't', times: 1 }],
        [{ do: 'sleep', name: 'z', ms: 1_200 }],
        [{ do: 'lingers', ms: 300 }],
      ]),
      nonce: 0,
    }
  })
  return { rates, sends }
}
