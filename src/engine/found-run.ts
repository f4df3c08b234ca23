import type { EventRecord } from '../event/event.ts'
import type { RunState } from '../event/run.ts'
import type { Dependencies } from '../flow/dependencies.ts'
import type { Instant } from '../kit/clock.ts'
import type { RunRecord, TriedStep } from '../store/store.ts'
import type { AttemptFacts, Outcome, Policy } from './decide.ts'
import { doubtsOf, isGuarded, isUndoable } from './doubts.ts'
import type { Entry } from './entry.ts'
import { expiryOf, isExpired } from './expiry.ts'
import type { Handler } from './handler.ts'

/** How an execution ended, and what is settled beside the next state. */
export interface Ended {
  readonly outcome: Outcome
  readonly facts: AttemptFacts
  readonly policy: Policy
  readonly startedAt: number | undefined
  readonly tried: readonly TriedStep[]
}

/** An attempt that has ended. */
interface EndedAttempt {
  readonly outcome: Outcome
  readonly startedAt: number
  readonly progressed: boolean
  readonly undoable: boolean
  readonly tried: readonly TriedStep[]
}

/**
 * A run whose turn has come, as it was found: what every way out of its execution says of it. An object, not five closures of
 * {@link Runner}: a thousand runs that are under way live through each collection of garbage.
 */
export class FoundRun {
  readonly entry: Entry
  readonly losses: number
  readonly tried: readonly TriedStep[]
  /** The number of the attempt that is begun now. */
  readonly attempt: number
  readonly expiresAt: Instant | undefined
  readonly #handler: Handler | undefined
  readonly #record: RunRecord
  readonly #dependencies: Pick<Dependencies, 'named'>

  constructor(
    entry: Entry,
    handler: Handler | undefined,
    event: EventRecord | undefined,
    dependencies: Pick<Dependencies, 'named'>,
  ) {
    const { record } = entry
    this.entry = entry
    this.losses = lossesOf(entry)
    this.tried = doubtsOf(record)
    this.attempt = lastAttemptOf(record) + 1
    this.expiresAt = handler && event ? expiryOf(handler, event, record.state) : undefined
    this.#handler = handler
    this.#record = record
    this.#dependencies = dependencies
  }

  /** Whether nothing new is begun of it any more. */
  isTooOld(now: Instant): boolean {
    return !this.#record.state?.undoBegun && isExpired(this.expiresAt, now, this.tried)
  }

  /** No attempt was begun. */
  unstarted(outcome: Outcome): Ended {
    return {
      outcome,
      facts: this.#facts(this.attempt - 1, false),
      policy: this.#policy(isUndoable(this.#record), this.tried),
      startedAt: undefined,
      tried: this.tried,
    }
  }

  /** The attempt ended before the handler was called. */
  unopened(outcome: Outcome, startedAt: number): Ended {
    return { ...this.unstarted(outcome), facts: this.#facts(this.attempt, false), startedAt }
  }

  ended({ outcome, startedAt, progressed, undoable, tried }: EndedAttempt): Ended {
    return {
      outcome,
      facts: this.#facts(this.attempt, progressed),
      policy: this.#policy(undoable, tried),
      startedAt,
      tried,
    }
  }

  /** Losses are counted once: the attempts that were lost are named by the settlement that counts them. */
  #facts(attempt: number, progressed: boolean): AttemptFacts {
    return {
      attempt,
      progressed,
      losses: this.losses,
      seenIntervention: seenOf(this.entry),
      refunded: outageFailures(this.#dependencies, this.#record.state),
    }
  }

  #policy(undoable: boolean, doubts: readonly TriedStep[]): Policy {
    return {
      undoOnDeath: this.#handler?.undoOnDeath ?? false,
      undoable,
      guarded: isGuarded(doubts),
      expiresAt: doubts.some(({ doubt }) => doubt) ? undefined : this.expiresAt,
      handlerVersion: this.#handler?.version,
    }
  }
}

/** How often a run lost its node while it had begun, in this generation. */
export function lossesOf(entry: Entry): number {
  if (entry.record.begins.length === 0) return entry.record.state?.losses ?? 0
  const settled = entry.record.state?.attempt ?? 0
  const lost = new Set(
    entry.record.begins.filter((begin) => !begin.step && begin.attempt > settled).map((begin) => begin.attempt),
  )
  return (entry.record.state?.losses ?? 0) + lost.size
}

/** The last attempt of this generation that left a trace: a settlement, a begin, a checkpoint. */
function lastAttemptOf({ state, begins, checkpoints }: Entry['record']): number {
  if (begins.length === 0 && checkpoints.length === 0) return state?.attempt ?? 0
  const generation = state?.generation ?? 1
  const traces = [...begins, ...checkpoints.filter((checkpoint) => checkpoint.generation === generation)]
  return Math.max(state?.attempt ?? 0, ...traces.map(({ attempt }) => attempt))
}

/**
 * How many failures of a run that is retried were of an outage: they opened the circuit, or came while it was open. A retry may come
 * within the milliseconds before it opens: in one of six short drills a run failed twice, and one of these was counted.
 */
function outageFailures(dependencies: Pick<Dependencies, 'named'>, state: RunState | undefined): number {
  if (state?.reason !== 'retry' || state.dependency === undefined) return 0
  const dependency = dependencies.named(state.dependency)
  if (state.failing && dependency.wasDown(state.failing.since)) return state.failing.times
  return dependency.wasDown(state.since) ? 1 : 0
}

/** The last intervention that this owner knows of. */
export function seenOf(entry: Entry): number {
  const { state, interventions } = entry.record
  const seen = state?.seenIntervention ?? 0
  return interventions.length === 0 ? seen : Math.max(seen, ...interventions.map(({ position }) => position))
}
