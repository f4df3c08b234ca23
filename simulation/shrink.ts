import type { MakeGround } from './ground.ts'
import type { Invariant } from './invariants.ts'
import type { Plan } from './plan.ts'
import { simulate } from './world.ts'

/** Most plans that are tried: each is a whole simulation. */
const triesMax = 400

/**
 * A smaller plan that breaches the same invariant: faults, acts, events, deeds and nodes are left out, one by one and many
 * at once, as long as it still does.
 */
export async function shrink(plan: Plan, invariant: Invariant, ground?: MakeGround): Promise<Plan> {
  let smallest = plan
  let tries = 0
  const stillBreaks = async (candidate: Plan): Promise<boolean> => {
    if (tries++ >= triesMax) return false
    const { violations } = await simulate(candidate, ground && { ground })
    return violations.some((violation) => violation.invariant === invariant)
  }
  for (let before: Plan | undefined; before !== smallest && tries < triesMax; ) {
    before = smallest
    for (const field of ['faults', 'acts', 'sends'] as const) {
      for (let size = Math.max(1, smallest[field].length >> 1); size >= 1; size >>= 1) {
        for (let from = 0; from < smallest[field].length; ) {
          const candidate = without(smallest, field, from, size)
          if (await stillBreaks(candidate)) smallest = candidate
          else from += size
        }
      }
    }
    for (const candidate of simpler(smallest)) {
      if (await stillBreaks(candidate)) {
        smallest = candidate
        break
      }
    }
  }
  return smallest
}

function without(plan: Plan, field: 'faults' | 'acts' | 'sends', from: number, size: number): Plan {
  if (field !== 'sends') return { ...plan, [field]: plan[field].toSpliced(from, size) }
  // Acts name sends by their number.
  const acts = plan.acts.flatMap((act) => {
    if (!('send' in act) || act.send < from) return [act]
    return act.send < from + size ? [] : [{ ...act, send: act.send - size }]
  })
  return { ...plan, sends: plan.sends.toSpliced(from, size), acts }
}

/** One node less, no drift, one deed less: whatever makes the story shorter. */
function* simpler(plan: Plan): Generator<Plan> {
  const nodes = plan.nodes.slice(0, -1)
  const isThere = <Item extends { readonly node: number }>(item: Item): Item => ({
    ...item,
    node: Math.min(item.node, nodes.length - 1),
  })
  if (nodes.length > 0) {
    const faults = plan.faults.filter((fault) => fault.node < nodes.length)
    yield { ...plan, nodes, faults, acts: plan.acts.map(isThere), sends: plan.sends.map(isThere) }
  }
  if (plan.nodes.some((node) => node.rate !== 1))
    yield { ...plan, nodes: plan.nodes.map((node) => ({ ...node, rate: 1 })) }
  if (plan.shards > 1) yield { ...plan, shards: 1 }
  for (const [index, send] of plan.sends.entries()) {
    for (let deed = 0; deed < send.deeds.length; deed++)
      yield { ...plan, sends: plan.sends.with(index, { ...send, deeds: send.deeds.toSpliced(deed, 1) }) }
  }
}
