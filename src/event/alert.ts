import type { Instant } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'

/**
 * What a person is told of:
 *
 * - `circuit_opened`: a dependency fails so often that nothing is sent to it any more.
 * - `circuit_closed`: it is called again.
 * - `runs_parked`: runs are set aside because a dependency is down; they come back by themselves.
 * - `run_expired`: a run was older than its handler's `expires` allows, and is dead.
 * - `run_dead`: a run is dead of anything else: attempts used up, a fatal error, a process that died with it again and again.
 * - `run_unknown`: a step's effect is in doubt for good; a person decides by `resolve`.
 * - `no_handler`: a run waits because no live node of its group has its handler.
 * - `maintenance_failed`: retention failed several times in a row.
 * - `maintenance_idle`: retention does not come to an end, or comes to one and leaves what it should have dropped.
 */
export const alertKinds = [
  'circuit_opened',
  'circuit_closed',
  'runs_parked',
  'run_expired',
  'run_dead',
  'run_unknown',
  'no_handler',
  'maintenance_failed',
  'maintenance_idle',
] as const

/** One of {@link alertKinds}. */
export type AlertKind = (typeof alertKinds)[number]

/** Plain values beside the message: run ids, codes, names. Never a payload, a secret or personal data. */
export type AlertDetails = Readonly<Record<string, string | number | boolean>>

/** Something that a person should know, told by one node. */
export interface Alert {
  /** The same each time that its delivery is tried again, so that a receiver can tell a repeat. */
  readonly id: string
  readonly kind: AlertKind
  /** What it is about: a handler's name, a dependency's, `retention`. Alerts of one kind and subject are gathered. */
  readonly subject: string
  /** One sentence, for people. */
  readonly message: string
  /** When it happened, by this node's clock; of several, the latest. */
  readonly at: Instant
  /** How often it happened since the last alert of this kind and subject. */
  readonly count: number
  readonly group: string
  readonly node: string
  /** Of several, those of the latest. */
  readonly details: AlertDetails
}

/** What a channel is given beside the alert. */
export interface AlertMeans {
  /** Aborts when the time of this try is over, or the node stops. */
  readonly signal: AbortSignal
  /** The node's log. */
  readonly log: Log
  /** The node's wall clock. */
  now(): Instant
}

/**
 * Where alerts go: a value with one duty.
 *
 * @example
 * const pager = { name: 'pager', kinds: ['run_unknown'], send: ({ message }) => page(message) } satisfies AlertChannel
 */
export interface AlertChannel {
  /** As the log calls it. Default `channel`. */
  readonly name?: string
  /** What is sent here. Default: all. */
  readonly kinds?: readonly AlertKind[]
  /**
   * Resolves once the alert is delivered. Whatever it throws, or 10 s without an end, is a failure: it is called again a
   * few times, later each time. Of an error the log gets the name and code alone, since a message may hold an address
   * that is a secret.
   */
  send(alert: Alert, means: AlertMeans): Promise<void>
}

/** What happened, as the place that noticed it says. */
export interface Occurrence {
  readonly kind: AlertKind
  readonly subject: string
  readonly message: string
  readonly details?: AlertDetails
  /** A state that is found again and again: told again once an hour while it lasts, not each time. */
  readonly lasting?: boolean
}
