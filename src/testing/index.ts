/**
 * `hapax/testing`: the real engine on a virtual clock, and what proves a store. Needs no test runner.
 *
 * @module
 */

export type { Engine, EngineOptions } from '../engine/engine-options.ts'
export type { RunsInMemory } from '../engine/room.ts'
export type { SourceTraits } from '../engine/source-traits.ts'
export { type CrashOptions, type CrashOutcome, type CrashReport, crashEverywhere } from './crash-everywhere.ts'
export { FakeClock } from './fake-clock.ts'
export { faultyStore, type Passage, type StoreCall, type Wire } from './faulty-store.ts'
export { type ContractCase, type ContractWorld, storeContract } from './store-contract/index.ts'
export { type NodeChange, type TestWorld, type TestWorldOptions, testWorld } from './test-world.ts'
