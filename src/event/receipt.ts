import type { Instant } from '../kit/clock.ts'
import type { EventKey } from './event-key.ts'
import type { RunStatus } from './run-status.ts'

/** How safe a commit is that was answered. */
export type Durability = 'local-fsync' | 'replicated-fsync' | 'replicated-memory' | 'relaxed'

/** A run as a receipt names it. */
export interface ReceiptRun {
  readonly id: string
  readonly handler: string
  readonly status: RunStatus
}

/**
 * The definite answer to an accept, given only after the event is committed (G1).
 *
 * - `accepted`: this call's event is the one event of its identity.
 * - `duplicate`: the identity was accepted before with the same content; `event` and `runs` are the original's.
 * - `conflict`: the identity was accepted before with other content; the first stands.
 */
export interface Receipt {
  readonly outcome: 'accepted' | 'duplicate' | 'conflict'
  /** What the commit got. */
  readonly durability: Durability
  readonly event: { readonly key: EventKey; readonly acceptedAt: Instant }
  /** The runs of the handlers that the accepting node knows of; may be empty. */
  readonly runs: readonly ReceiptRun[]
  /** Why it counts as a duplicate, where the id alone does not say so. */
  readonly reason?: 'same_signed_content'
}
