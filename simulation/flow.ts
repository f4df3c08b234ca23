import { drawBatches, firstBatchSeed } from './batches.ts'
import { firstBurstSeed } from './bursts.ts'
import type { Sometimes } from './invariants.ts'
import type { Act, Fault, Plan, Send } from './plan.ts'
import { drawRates, firstRateSeed, rateKinds } from './rates.ts'
import { drawTicks, firstTickSeed } from './ticks.ts'
import { drawTurns, firstTurnSeed, turnKinds } from './turns.ts'
import { drawVersions, firstVersionSeed, versionKinds } from './versions.ts'

/** What a seed has of features that came after its first ones, each from a seed of its own on. */
export interface Flow {
  readonly sends: readonly Send[]
  readonly acts: readonly Act[]
  readonly faults: readonly Fault[]
  readonly parts: Pick<Plan, 'versions' | 'schedules' | 'rates' | 'batch' | 'turns'>
  /** Nothing breaks any more after this; undefined: it does not matter. */
  readonly healsAtMs: number | undefined
}

/** From which seed on these can be reached. */
export const firstSeedOf: Partial<Readonly<Record<Sometimes, number>>> = {
  overtaken: firstBurstSeed,
  superseded: firstVersionSeed,
  'superseded after an attempt': firstVersionSeed,
  'older version begun in doubt': firstVersionSeed,
  'missed tick made up for': firstTickSeed,
  'missed tick let go': firstTickSeed,
  'rate of runs used up': firstRateSeed,
  'batch of several': firstBatchSeed,
  'batch failed for all': firstBatchSeed,
  'one of a batch failed': firstBatchSeed,
  'more urgent run first': firstTurnSeed,
  'tenant waited its turn': firstTurnSeed,
  'key waited its turn': firstTurnSeed,
}

/**
 * Of streams of their own: what else a seed has is as it was before there were any.
 *
 * @param before how many events the plan has beside them: acts name a send by its number.
 */
export function drawFlow(seed: number, busyMs: number, nodes: number, before: number): Flow {
  const versions = drawVersions(seed, busyMs, nodes, before)
  const ticks = drawTicks(seed, busyMs, nodes)
  const rates = drawRates(seed, busyMs, nodes)
  const batches = drawBatches(seed, busyMs, nodes)
  const turns = drawTurns(seed, busyMs, nodes)
  return {
    sends: [...(versions?.sends ?? []), ...(rates?.sends ?? []), ...(batches?.sends ?? []), ...(turns ?? [])],
    acts: versions?.acts ?? [],
    faults: ticks?.faults ?? [],
    parts: {
      ...(versions && { versions: true }),
      ...(ticks && { schedules: ticks.schedules }),
      ...(rates && { rates: rates.rates }),
      ...(batches && { batch: batches.batch }),
      ...(turns && { turns: true }),
    },
    healsAtMs: ticks?.nightEndsAtMs,
  }
}

/** The same world without them. */
export function withoutFlow({
  versions: _versions,
  schedules: _schedules,
  rates: _rates,
  batch: _batch,
  turns: _turns,
  ...plan
}: Plan): Plan {
  return withoutSends(plan, ({ type }) =>
    [...versionKinds, ...rateKinds, 'pack', ...turnKinds].some((kind) => type.startsWith(`${kind}.`)),
  )
}

/** The same world without handlers with priorities. */
export function withoutTurns({ turns: _turns, ...plan }: Plan): Plan {
  return withoutSends(plan, ({ type }) => turnKinds.some((kind) => type.startsWith(`${kind}.`)))
}

/** The plan without these events, and without what a person does to their runs: acts name a send by its number. */
export function withoutSends(plan: Plan, isOut: (send: Send) => boolean): Plan {
  const kept = plan.sends.filter((send) => !isOut(send))
  const acts = plan.acts.flatMap((act): readonly Act[] => {
    if (!('send' in act)) return [act]
    const send = plan.sends[act.send]
    return send === undefined || isOut(send) ? [] : [{ ...act, send: kept.indexOf(send) }]
  })
  return { ...plan, sends: kept, acts }
}
