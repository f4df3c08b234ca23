import { ofBatches } from './mutations/batches.ts'
import { ofBursts } from './mutations/bursts.ts'
import { ofTheDispatcher } from './mutations/dispatcher.ts'
import { ofLimits } from './mutations/limits.ts'
import type { Mutation } from './mutations/mutation.ts'
import { ofNodes } from './mutations/nodes.ts'
import { ofRates } from './mutations/rates.ts'
import { ofRuns } from './mutations/runs.ts'
import { ofStores } from './mutations/stores.ts'
import { ofTicks } from './mutations/ticks.ts'
import { ofTurns } from './mutations/turns.ts'
import { ofVerbs } from './mutations/verbs.ts'
import { ofVersions } from './mutations/versions.ts'

export type { Mutation }

/** What the checker must catch: what an engine can get wrong, and what was found in this one, put back. */
export const mutations: readonly Mutation[] = [
  ...ofStores,
  ...ofNodes,
  ...ofTheDispatcher,
  ...ofRuns,
  ...ofVerbs,
  ...ofLimits,
  ...ofBursts,
  ...ofVersions,
  ...ofTicks,
  ...ofRates,
  ...ofBatches,
  ...ofTurns,
]
