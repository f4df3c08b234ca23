import { Draw } from './draw.ts'
import type { Deed, Send } from './plan.ts'

/** From this seed on there are any: what the seeds before are known for stays. */
export const firstTurnSeed = 60_000

/** Handlers with priorities: the types of their events begin so. Those of `clerk` wait in a line, for the one slot that it has. */
export const turnKinds = ['errand', 'clerk'] as const

/** By the end of an event's type, how urgent it is; of one that is `odd` its handler cannot tell. */
const urgencies: Readonly<Record<string, number>> = { urgent: 2, normal: 0, idle: -1 }

/** How urgent a handler with priorities says an event to be; undefined: it throws. */
export function urgencyOf(type: string): number | undefined {
  return urgencies[type.slice(type.indexOf('.') + 1)]
}

/**
 * Events of several urgencies, tenants and keys, which come while others have the slots. Of a stream of their own: what else
 * a seed has is as it was before there were any.
 */
export function drawTurns(seed: number, busyMs: number, nodes: number): readonly Send[] | undefined {
  const draw = new Draw(seed, 'turns')
  if (seed < firstTurnSeed || !draw.chance(0.3)) return undefined
  const kinds = draw.pick<readonly [string, ...string[]]>([['errand'], ['clerk'], turnKinds])
  const peak = draw.whole(50, busyMs)
  // Where all are as urgent, turns are all that decides.
  const ends = draw.pick<readonly [string, ...string[]]>([['normal'], ['normal', 'odd'], ['idle', 'normal', 'urgent']])
  return Array.from({ length: draw.whole(15, 40) }, (_, index): Send => {
    const kind = draw.pick(kinds)
    return {
      atMs: draw.chance(0.2) ? draw.whole(50, busyMs) : Math.min(busyMs, peak + draw.whole(0, 300)),
      node: draw.whole(0, nodes - 1),
      // Of their own: what becomes of other events costs these no turn.
      tenant: draw.pick(['cedar', 'cedar', 'dune', 'elm']),
      source: 'desk',
      id: `${kind}-${index}`,
      type: `${kind}.${draw.pick(ends)}`,
      ...(draw.chance(0.7) ? { orderKey: draw.pick(['hot', 'hot', 'warm', 'cold']) } : {}),
      deeds: drawDeeds(draw),
      nonce: 0,
    }
  })
}

function drawDeeds(draw: Draw): readonly Deed[] {
  const lingers = { do: 'lingers', ms: draw.pick([50, 200, 600]) } as const
  return draw.pick<readonly Deed[]>([
    [],
    [lingers],
    [lingers],
    [lingers],
    [lingers, { do: 'throws', name: 't', times: draw.pick([1, 2]) }],
    [lingers, { do: 'sleep', name: 'z', ms: 300 }],
  ])
}
