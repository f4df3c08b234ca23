import { Draw } from './draw.ts'
import type { Act, Deed, Reaction, Send } from './plan.ts'

/** Events with versions for handlers that drop what is older than what was processed, and what a person does to them. */
export interface Versions {
  readonly sends: readonly Send[]
  readonly acts: readonly Act[]
}

/** From this seed on there are any: what the seeds before are known for stays. */
export const firstVersionSeed = 20_000

/** Handlers that compare versions: the types of their events begin so. */
export const versionKinds = ['price', 'quote', 'sync'] as const

/** In no order of their texts. */
const numbers = [-20, -3, 0, 0.5, 2, 9, 10, 100, 1_000] as const
const texts = ['2026-01-31T08:00:00Z', '2026-01-31T08:00:00.5Z', '2026-02-01', 'a', 'b', 'é', 'Z', '', '10'] as const

/**
 * Of a stream of their own: what else a seed has is as it was before there were any.
 *
 * @param before how many events the plan has beside them: acts name a send by its number.
 */
export function drawVersions(seed: number, busyMs: number, nodes: number, before: number): Versions | undefined {
  const draw = new Draw(seed, 'versions')
  if (seed < firstVersionSeed || !draw.chance(0.4)) return undefined
  const kind = draw.pick(versionKinds)
  const known: readonly [number | string, ...(number | string)[]] = draw.chance(0.6) ? numbers : texts
  const peak = draw.whole(50, busyMs)
  const sends = Array.from({ length: draw.whole(4, 30) }, (_, index): Send => {
    // Of some it cannot be told.
    const version = draw.chance(0.95) ? { version: draw.pick(known) } : {}
    return {
      atMs: draw.chance(0.5) ? draw.whole(50, busyMs) : Math.min(busyMs, peak + draw.whole(0, 800)),
      node: draw.whole(0, nodes - 1),
      tenant: draw.pick(['acme', 'acme', 'bolt']),
      source: 'shop',
      id: `${kind}-${index}`,
      type: `${kind}.made`,
      orderKey: draw.pick(['hot', 'hot', 'cold']),
      deeds: drawDeeds(draw),
      nonce: 0,
      ...version,
    }
  })
  const acts = Array.from({ length: draw.whole(0, 5) }, (): Act => {
    const send = draw.whole(0, sends.length - 1)
    const atMs = Math.min((sends[send]?.atMs ?? 0) + draw.whole(0, 6_000), busyMs + 2_000)
    const at = { atMs, node: draw.whole(0, nodes - 1), send: before + send }
    return draw.pick<Act>([
      { ...at, kind: 'replay', newKeys: false },
      { ...at, kind: 'retry' },
      { ...at, kind: 'cancel' },
    ])
  })
  return { sends, acts }
}

function drawDeeds(draw: Draw): readonly Deed[] {
  const lingers = { do: 'lingers', ms: draw.pick([100, 800, 2_500]) } as const
  const throws = { do: 'throws', name: 't', times: draw.pick([1, 2, 99]) } as const
  const sleeps = { do: 'sleep', name: 'z', ms: draw.pick([300, 1_200, 3_000]) } as const
  const put = {
    do: 'step',
    name: 'put',
    safety: draw.pick(['plain', 'once', 'confirm']),
    undo: false,
    renamed: false,
    reactions: draw.pick<readonly Reaction[]>([[], ['does_unheard'], ['breaks', 'does_unheard'], ['refuses']]),
    undoReactions: [],
    unsure: 0,
    patienceMs: 1_000,
  } as const
  return draw.pick<readonly Deed[]>([[], [lingers], [throws], [throws, lingers], [sleeps], [put], [put, sleeps]])
}
