import { Draw } from './draw.ts'
import { withoutSends } from './flow.ts'
import type { Act, DependencyPlan, Plan, Send } from './plan.ts'

/** A dependency, the events whose handler calls it, and who opens its circuit by hand. */
export interface Charges {
  readonly dependency: DependencyPlan
  readonly sends: readonly Send[]
  readonly acts: readonly Act[]
}

/** Of a stream of their own: what else a seed has is as it was before there were any. */
export function drawCharges(seed: number, busyMs: number, nodes: number): Charges | undefined {
  const draw = new Draw(seed, 'charges')
  if (!draw.chance(0.5)) return undefined
  const outages = Array.from({ length: draw.pick([0, 1, 1, 2]) }, () => ({
    atMs: draw.whole(0, busyMs),
    ms: draw.pick([300, 2_000, 6_000, 12_000, 12_000]),
  })).map((outage) => ({ ...outage, ms: Math.min(outage.ms, busyMs + 2_500 - outage.atMs) }))
  const ofRuns = new Draw(seed, 'runs of charges')
  const runsPerKey = ofRuns.pick([undefined, undefined, 1, 2])
  const dependency: DependencyPlan = {
    runs: ofRuns.pick([undefined, undefined, 1, 3]),
    runsPerKey,
    rate: draw.pick([undefined, 2, 8, 30]),
    concurrency: draw.pick([undefined, 1, 2, 5]),
    failures: draw.pick([1, 2, 3]),
    withinMs: 20_000,
    cooldownMs: draw.pick([300, 1_000, 2_000]),
    isDeclared: draw.chance(0.5),
    isOrdered: draw.chance(0.4),
    expiresMs: draw.chance(0.2) ? 4_000 : undefined,
    outages,
  }
  const sends = Array.from({ length: draw.whole(2, 25) }, (_, index): Send => {
    const charge = { do: 'charge', name: 'bank' } as const
    return {
      // In bursts, so that limits are felt.
      atMs: draw.chance(0.5) ? draw.whole(50, busyMs) : Math.floor(busyMs / 3) + draw.whole(0, 200),
      node: draw.whole(0, nodes - 1),
      tenant: 'acme',
      source: 'shop',
      id: `charge-${index}`,
      type: dependency.isOrdered ? 'charge.ordered' : 'charge.made',
      ...(dependency.isOrdered || runsPerKey !== undefined ? { orderKey: draw.pick(['hot', 'warm', 'cold']) } : {}),
      deeds: draw.chance(0.2) ? [charge, { ...charge, name: 'again' }] : [charge],
      nonce: 0,
    }
  })
  const openedMs = draw.whole(100, busyMs)
  const at = () => draw.whole(0, nodes - 1)
  const acts: readonly Act[] = draw.chance(0.2)
    ? [
        { atMs: openedMs, node: at(), kind: 'open' },
        { atMs: openedMs + draw.whole(500, 8_000), node: at(), kind: 'close' },
      ]
    : []
  return { dependency, sends, acts }
}

/** The same world without them. */
export function withoutCharges({ dependency: _dependency, ...plan }: Plan): Plan {
  const without = withoutSends(plan, ({ type }) => type.startsWith('charge.'))
  return { ...without, acts: without.acts.filter(({ kind }) => kind !== 'open' && kind !== 'close') }
}
