import type { Abilities } from '../../store/abilities.ts'
import type { Store } from '../../store/store.ts'
import { Scene } from './scene.ts'

/** What a driver's test gives each case: an empty store and power over its time. */
export interface ContractWorld {
  /** Another handle on the same store: a node. The first call makes the store. */
  open(): Promise<Store>
  /** Every open handle is gone as by a crash; answers a new one on what was kept. */
  restart(): Promise<Store>
  /** Lets this much of the store's time pass: wall and monotonic. */
  advance(ms: number): Promise<void>
  /** Shards of the store; at least 2. */
  readonly shards: number
  /** The lease that cases ask for, in ms, and their unit of time: short where `advance` really waits. */
  readonly leaseMs: number
  /** Where `abilities.retention` is `ranges`: how wide one is at most, in ms. */
  readonly rangeMs?: number
  readonly seed: number
}

/** One promise of the contract, checked on a store. Throws an AssertionError where it is broken. */
export interface ContractCase {
  readonly group: string
  /** The promise, with the guarantees that it carries (DESIGN section 3). */
  readonly name: string
  /** Why a store with these abilities cannot be held to it; undefined: it can. */
  readonly needs?: (abilities: Abilities) => string | undefined
  run(world: ContractWorld): Promise<void>
}

type Body = (scene: Scene) => Promise<void>

/** The cases of one group; each gets a scene of its own, with one node that owns every shard. */
export function contractCases(
  group: string,
  bodies: Readonly<Record<string, Body>>,
  needs?: ContractCase['needs'],
): ContractCase[] {
  return Object.entries(bodies).map(([name, body]) => ({
    group,
    name,
    ...(needs ? { needs } : {}),
    run: async (world) => body(await Scene.open(world)),
  }))
}

/** For cases with several nodes on one store. */
export const manyNodes: ContractCase['needs'] = (abilities) =>
  abilities.manyNodes ? undefined : 'only one process at a time can use this store'
