import type { AlertChannel } from '../event/alert.ts'
import type { Clock } from '../kit/clock.ts'
import type { Duration } from '../kit/duration.ts'
import type { Log } from '../kit/log.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from '../store/store.ts'
import type { HapaxCore } from './api.ts'
import type { Handler } from './handler.ts'
import type { RunsInMemory } from './room.ts'
import type { Schedule } from './schedule.ts'
import type { SourceTraits } from './source-traits.ts'
import type { Retention } from './sweeper.ts'

/** What an engine is made of. */
export interface EngineOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly handlers: readonly Handler[]
  /** Default none. */
  readonly schedules?: readonly Schedule[]
  readonly sources: readonly SourceTraits[]
  /** Nodes that run the same handlers. Default `'default'`. */
  readonly group?: string
  /** Runs executing at once. Default 100. */
  readonly concurrency?: number
  /** Default 8 s, renewed every `beat` of 2 s. */
  readonly lease?: Duration
  readonly beat?: Duration
  /** How long a stop waits for runs before it hands them back. Default 25 s. */
  readonly grace?: Duration
  readonly retention?: Retention
  /** Where people are told. Default nowhere. */
  readonly alerts?: readonly AlertChannel[]
  /** Default what the limits say; smaller ones let a test reach what they do. */
  readonly bounds?: RunsInMemory
  /** Wraps the fingerprint keys in the store. */
  readonly key?: string
}

/** The heart: wires accept, ownership, dispatcher, runner and committer over one store. */
export interface Engine extends HapaxCore {
  /** Counts a request that was turned away before it was an event. */
  reject(source: string, code: string): void
  /** Asks the store: once it is closed, the error is `engine_stopped`, whatever the store says. */
  whileOpen<Answer>(ask: () => Promise<Answer>): Promise<Answer>
}
