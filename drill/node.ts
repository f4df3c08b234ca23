import { answering } from './child.ts'
import { nowMs } from './clock.ts'
import { DrillNode, type NodeSetup } from './drill-node.ts'
import type { LoadPlan } from './load.ts'

let node: DrillNode | undefined

function here(): DrillNode {
  if (!node) throw new TypeError('The node was not opened.')
  return node
}

const verbs = {
  open: async (setup: NodeSetup) => {
    node = await DrillNode.open(setup)
  },
  /** Resolves when it has shards of its own. */
  settled: () => here().settled(),
  /** Events begin to come. Answers when. */
  load: (plan: LoadPlan) => {
    here().load.begin(plan)
    return nowMs()
  },
  /** So many at once, as fast as they are taken. Resolves when all have their receipts. */
  burst: (count: number) => here().load.burst(count),
  /** Resolves when those that were sent have their receipts. */
  loadNoMore: () => here().load.end(),
  count: () => here().count(),
  limit: (rate: number) => here().limit(rate),
  told: () => here().told(),
  /** Reads every run of this node's events. */
  judge: () => here().judge(),
  stop: () => here().stop(),
}

/** A node of a drill. */
export type NodeVerbs = typeof verbs

answering(verbs)
