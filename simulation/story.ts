import type { MakeGround } from './ground.ts'
import { invariants, type Violation } from './invariants.ts'
import type { Plan } from './plan.ts'
import { shrink } from './shrink.ts'
import { simulate } from './world.ts'

/** What went wrong in a plan, made small, for a person to read: what was breached, the plan, and what happened. */
export async function storyOf(plan: Plan, violation: Violation, ground?: MakeGround): Promise<string> {
  const { invariant } = violation
  const smallest = await shrink(plan, invariant, ground)
  const { story, violations } = await simulate(smallest, { tells: true, ...(ground && { ground }) })
  const told = violations.find((one) => one.invariant === invariant) ?? violation
  const end = story.findIndex((line) => line.includes(`${invariant}:`))
  const { sends, acts, faults, nodes, ...cluster } = smallest
  return [
    `${invariant}  ${invariants[invariant]}`,
    `  ${told.what}`,
    '',
    `shrunk from ${plan.sends.length} events, ${plan.acts.length} acts, ${plan.faults.length} faults, ${plan.nodes.length} nodes`,
    `         to ${sends.length} events, ${acts.length} acts, ${faults.length} faults, ${nodes.length} nodes`,
    `  cluster  ${JSON.stringify(cluster)}`,
    ...nodes.map((node, index) => `  node ${index}   ${JSON.stringify(node)}`),
    ...sends.map((send, index) => `  event ${index}  ${JSON.stringify(send)}`),
    ...acts.map((act) => `  act      ${JSON.stringify(act)}`),
    ...faults.map((fault) => `  fault    ${JSON.stringify(fault)}`),
    '',
    ...story.slice(0, end < 0 ? story.length : end + 1),
  ].join('\n')
}
