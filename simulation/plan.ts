import type { RunsInMemory } from '../src/engine/room.ts'
import type { Draw } from './draw.ts'

/** What the outside service makes of one call of a step. */
export type Reaction =
  | 'does'
  /** Does it, and the answer is lost on the way back: an error that says nothing. */
  | 'does_unheard'
  /** Does it, just within the caller's patience. */
  | 'dawdles'
  /** Breaks before it did anything: an error that says nothing either. */
  | 'breaks'
  /** Says for sure that nothing was done. */
  | 'refuses'
  /** Does it, long after the caller's patience. */
  | 'hangs'
  | 'later'
  | 'never'

/** What a handler does with an event: carried by the event itself, so that a plan says all of it. */
export type Deed =
  | {
      readonly do: 'step'
      readonly name: string
      readonly of?: string
      readonly safety: 'plain' | 'once' | 'confirm'
      readonly undo: boolean
      /** A deploy gives it another name. */
      readonly renamed: boolean
      /** Of its calls, one after the other; further ones are done. */
      readonly reactions: readonly Reaction[]
      /** Of the calls of its undo. */
      readonly undoReactions: readonly Reaction[]
      /** How often `confirm` is unsure first. */
      readonly unsure: number
      /** The step's timeout. */
      readonly patienceMs: number
    }
  | { readonly do: 'sleep'; readonly name: string; readonly ms: number }
  | { readonly do: 'wait'; readonly name: string; readonly of?: string; readonly ms?: number }
  | { readonly do: 'emit'; readonly type: string; readonly deeds: readonly Deed[] }
  | { readonly do: 'both'; readonly deeds: readonly Deed[] }
  /** A step that calls the dependency. */
  | { readonly do: 'charge'; readonly name: string }
  /** The handler itself throws, so many times. */
  | { readonly do: 'throws'; readonly name: string; readonly times: number }
  | { readonly do: 'dies' }
  /** Time passes outside any step. */
  | { readonly do: 'lingers'; readonly ms: number }

/** One sender's event; the same identity again is a duplicate or a conflict. */
export interface Send {
  readonly atMs: number
  readonly node: number
  readonly tenant: string
  readonly source: string
  readonly id: string
  readonly type: string
  readonly orderKey?: string
  readonly deeds: readonly Deed[]
  /** Content that makes a conflict of the same id. */
  readonly nonce: number
  /** For a handler that compares versions. */
  readonly version?: number | string
}

/** What a person does, to the run of a send. */
export type Act = { readonly atMs: number; readonly node: number } & (
  | { readonly kind: 'cancel'; readonly send: number; readonly undo?: boolean }
  | { readonly kind: 'retry'; readonly send: number }
  | { readonly kind: 'replay'; readonly send: number; readonly fromStep?: string; readonly newKeys: boolean }
  | { readonly kind: 'resolve'; readonly send: number; readonly how: 'result' | 'repeat' | 'fail' }
  | { readonly kind: 'signal'; readonly send: number; readonly name: string; readonly id?: string }
  | { readonly kind: 'redrive' }
  | { readonly kind: 'pause' | 'resume'; readonly what: 'handler' | 'source'; readonly name: string }
  /** Turns the dependency's circuit by hand. */
  | { readonly kind: 'open' | 'close' }
  /** Stops the node gracefully and starts it again with this version of the code. */
  | { readonly kind: 'deploy'; readonly version: Version }
)

/** Which code a node runs. */
export type Version = 'first' | 'renamed' | 'without_audit'

/** What breaks. Counts are of the node's next calls of that kind. */
export type Fault = { readonly atMs: number; readonly node: number } & (StoreFault | DriverFault)

/** What breaks between a node and its store, whichever that is. */
export type StoreFault =
  | {
      readonly kind: 'crash'
      /** `open_commit`: what it sent is carried out, and committed long after; below a driver alone. */
      readonly when: 'now' | 'before_commit' | 'after_commit' | 'torn_commit' | 'open_commit'
      readonly downMs: number
    }
  | { readonly kind: 'stall'; readonly ms: number }
  /** It stands still from its next beat on, until the lease has run out that this beat would have renewed. */
  | { readonly kind: 'stall_in_beat'; readonly calls: number; readonly ms: number }
  | { readonly kind: 'cut'; readonly ms: number; readonly way: 'both' | 'replies' }
  | {
      readonly kind: 'lose_request' | 'lose_reply' | 'commit_late' | 'commit_twice' | 'commit_torn'
      readonly calls: number
    }
  | { readonly kind: 'lose_beat' | 'lose_read'; readonly calls: number }
  | { readonly kind: 'slow_read' | 'reply_late'; readonly calls: number; readonly ms: number }
  | { readonly kind: 'store_down' | 'store_full'; readonly ms: number }
  | { readonly kind: 'clock_jump'; readonly ms: number }
  | { readonly kind: 'hints_lost'; readonly ms: number }

/** What breaks below a driver alone. */
export type DriverFault =
  /** The statement is carried out, and its transaction stays open so long before it commits. */
  | { readonly kind: 'commit_open'; readonly calls: number; readonly ms: number }
  | { readonly kind: 'statement_cancelled'; readonly calls: number }
  /** The server ends all connections of the node, whatever they are at. */
  | { readonly kind: 'connections_ended' }

/** A node of the cluster as it begins. */
export interface NodePlan {
  readonly startsAtMs: number
  /** Accepts, and runs nothing. */
  readonly door: boolean
  /** Its seconds to a true second. */
  readonly rate: number
}

/** A service with limits over all nodes, that is down now and then. */
export interface DependencyPlan {
  /** Calls a second. */
  readonly rate: number | undefined
  readonly concurrency: number | undefined
  /** When its circuit opens, and how long it stays so. */
  readonly failures: number
  readonly withinMs: number
  readonly cooldownMs: number
  /** Whether the handler says that it uses it. */
  readonly isDeclared: boolean
  readonly isOrdered: boolean
  readonly expiresMs: number | undefined
  /** How many runs of its handler are under way at once, and of one key. */
  readonly runs: number | undefined
  readonly runsPerKey: number | undefined
  readonly outages: readonly { readonly atMs: number; readonly ms: number }[]
}

/** How handlers keep the latest of a burst, by the event's order key. */
export interface BurstPlan {
  readonly windowMs: number
}

/** Runs a second, over all nodes. */
export interface RatesPlan {
  readonly ofHandler: number
  readonly ofSource: number
}

/** A handler that is called for several events at once. */
export interface BatchPlan {
  readonly size: number
  readonly withinMs: number
  /** How long a call takes. */
  readonly takesMs: number
}

/** Something that is done at certain times. */
export interface SchedulePlan {
  readonly name: 'tick' | 'tock'
  /** Seconds of a minute, or a minute. */
  readonly everyMs: number
  readonly missed: 'all' | 'latest' | 'skip'
  /** What each of its runs does. */
  readonly deeds: readonly Deed[]
}

/** A whole simulation, as data: the same plan is the same run. */
export interface Plan {
  readonly seed: number
  readonly shards: number
  readonly acceptSpans: boolean
  readonly leaseMs: number
  readonly beatMs: number
  readonly graceMs: number
  readonly concurrency: number
  readonly bounds: RunsInMemory
  readonly latencyMs: number
  /** Longest turn of an event loop. */
  readonly turnMs: number
  readonly nodes: readonly NodePlan[]
  readonly sends: readonly Send[]
  readonly acts: readonly Act[]
  readonly faults: readonly Fault[]
  readonly dependency?: DependencyPlan
  readonly burst?: BurstPlan
  /** Whether handlers are there that compare versions. */
  readonly versions?: true
  readonly schedules?: readonly SchedulePlan[]
  readonly rates?: RatesPlan
  readonly batch?: BatchPlan
  /** Whether handlers with priorities are there. */
  readonly turns?: true
  /** From here on nothing breaks any more, and all must end. */
  readonly healsAtMs: number
}

/** Features that a seed may have. */
export type Feature =
  | 'ordered'
  | 'saga'
  | 'brief'
  | 'signals'
  | 'sleeps'
  | 'emits'
  | 'both'
  | 'poison'
  | 'repeats'
  | 'tenants'
  | 'acts'
  | 'deploys'
  | 'drift'
  | 'bad_service'
  | 'pauses'
  | 'once'
  | 'confirm'
  | 'door'

/** A set of features, each with an even chance: a swarm finds what one mix of everything hides. */
export function swarm(draw: Draw, features: readonly Feature[]): ReadonlySet<Feature> {
  return new Set(features.filter(() => draw.chance(0.5)))
}
