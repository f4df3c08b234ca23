import { acceptCases } from './accept.ts'
import { checkpointCases } from './checkpoint.ts'
import { circuitCases } from './circuits.ts'
import type { ContractCase } from './contract-case.ts'
import { crashCases } from './crash.ts'
import { dedupCases } from './dedup.ts'
import { dueCases } from './due.ts'
import { epochCases } from './epochs.ts'
import { interveneCases } from './intervene.ts'
import { limitCases } from './limits.ts'
import { orderCases } from './order.ts'
import { ownershipCases } from './ownership.ts'
import { purgeCases } from './purge.ts'
import { raceCases } from './race.ts'
import { readCases } from './reads.ts'
import { registryCases } from './registry.ts'
import { settleCases } from './settle.ts'
import { tailCases } from './tail.ts'
import { versionCases } from './versions.ts'

export type { ContractCase, ContractWorld } from './contract-case.ts'

/**
 * Every promise of the store contract as data: a driver's test runs each case on a fresh store, with whatever runner it
 * has, and prints the reason of each case that it cannot be held to.
 *
 * @example
 * for (const one of storeContract) {
 *   const reason = one.needs?.(store.abilities)
 *   test.skipIf(reason !== undefined)(`${one.group}: ${one.name}`, () => one.run(world()))
 * }
 */
export const storeContract: readonly ContractCase[] = [
  ...acceptCases,
  ...dedupCases,
  ...raceCases,
  ...ownershipCases,
  ...epochCases,
  ...tailCases,
  ...dueCases,
  ...checkpointCases,
  ...settleCases,
  ...interveneCases,
  ...orderCases,
  ...readCases,
  ...registryCases,
  ...limitCases,
  ...circuitCases,
  ...versionCases,
  ...crashCases,
  ...purgeCases,
]
