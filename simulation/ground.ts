import type { Clock } from '../src/kit/clock.ts'
import type { Store } from '../src/store/store.ts'
import type { Model } from './model.ts'
import type { NodeClock } from './node-clock.ts'
import type { Fault, Plan } from './plan.ts'
import type { Life, Schedule } from './schedule.ts'

/** The world as what the nodes stand on sees it. */
export interface GroundWorld {
  readonly plan: Plan
  readonly schedule: Schedule
  readonly carrier: Clock
  readonly model: Model
}

/** What a way between a node and its store does to the node. */
export interface NodeOfWire {
  die(): void
  stall(ms: number): void
}

/** The way between one node and its store, with what was armed for its next calls. */
export interface NodeWire {
  /** Arms a fault. */
  break(fault: Fault): void
  /** Nothing breaks any more. */
  heal(): void
  /** The store of one start of the node, behind this wire. */
  open(name: string, clock: NodeClock, life: Life): Store | Promise<Store>
  /** The process with this life, which opened it, is gone. */
  gone(life: Life): void
}

/** What all nodes stand on: one store, and the ways to it. */
export interface Ground {
  wire(index: number, node: NodeOfWire): NodeWire
  /** What breaks for all nodes alike. */
  strike(fault: Fault): void
  heal(): void
  /** The store with nothing in between, to be looked at in the end. */
  look(): Store | Promise<Store>
  /** Lets it answer. */
  read<Value>(promise: Promise<Value>): Promise<Value>
  close(): Promise<void>
}

/** Makes the ground of a world. */
export type MakeGround = (world: GroundWorld) => Ground | Promise<Ground>
