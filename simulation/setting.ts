import type { MakeGround } from './ground.ts'
import { type Sometimes, sometimes } from './invariants.ts'
import { memoryGround } from './memory-ground.ts'
import type { Plan } from './plan.ts'
import { drawPlan } from './workload.ts'

/** Where simulations take place. */
export interface Setting {
  /** The plan of a seed. */
  draw(seed: number): Plan
  readonly ground: MakeGround
  /** What a campaign there must reach. */
  readonly points: readonly Sometimes[]
}

/** On the memory store. */
export const onMemory: Setting = { draw: drawPlan, ground: memoryGround, points: sometimes }
