import { HapaxError } from '../errors/hapax-error.ts'
import type { Instant } from '../kit/clock.ts'
import { type EventKey, isEventKey } from './event-key.ts'
import type { RunStatus } from './run-status.ts'

/** Which run: one handler's processing of one event. Derived, so that creating a run writes nothing. */
export interface RunAddress {
  readonly event: EventKey
  /** The event's position, as the store named it. */
  readonly position: number
  /** The handler's tag. */
  readonly tag: string
}

/** The id of a run, from its event's key and its handler's tag. */
export function runId(run: Pick<RunAddress, 'event' | 'tag'>): string {
  return `${run.event}-${run.tag}`
}

/**
 * The parts of a run's id.
 *
 * @throws `not_found` for text that is no run id.
 */
export function parseRunId(id: string): { event: EventKey; tag: string } {
  const event = id.slice(0, 26)
  const tag = id.slice(27)
  if (!isEventKey(event) || id.charAt(26) !== '-' || !/^[0-9a-hjkmnp-tv-z]{8}$/.test(tag)) {
    throw new HapaxError('not_found', { what: 'run' })
  }
  return { event, tag }
}

/** What is kept of an error: never its payload. */
export interface RecordedError {
  /** A code of Hapax, or the error's own name. */
  readonly code: string
  readonly message: string
  /** The head of the stack, for people. */
  readonly stack?: string
  /** The step in which it happened. */
  readonly step?: string
  /** What the run died of, where this is an undo's failure afterwards. */
  readonly cause?: RecordedError
}

/**
 * All that is known of a run beside its checkpoints, after its last settlement. A run that never settled has none.
 */
export interface RunState {
  readonly status: RunStatus
  /** Why it stands so, in a word: `retry`, `sleep`, `deferred`, `signal`, `no_handler`, `circuit_open`, `handed_back`, an error code … */
  readonly reason: string | undefined
  readonly since: Instant
  /** One life from begin to a terminal status; operator verbs open the next. From 1. */
  readonly generation: number
  /** Settlements of this generation: the name of a settlement beside run and generation. From 1. */
  readonly turn: number
  /** Attempts begun in this generation. */
  readonly attempt: number
  /** Failures since the last new checkpoint. */
  readonly failures: number
  /** Failures of this generation in all: however it progresses, there is an end. Deferrals and hand-backs are none. */
  readonly failuresInAll: number
  /** Leases lost in this generation while an attempt had begun. */
  readonly losses: number
  /** When its owner moves it on. Absent: a signal, a deploy or a person does. */
  readonly dueAt: Instant | undefined
  /** The signals it waits for: any of them brings it back. */
  readonly waitingFor: readonly string[] | undefined
  /** The handler's result as JSON text. */
  readonly result: string | undefined
  readonly error: RecordedError | undefined
  /** What undoing was begun by. From then on, only `replay` with new keys is left. */
  readonly undoBegun: 'cancel' | 'death' | false
  /** Mixed into step keys; changes only by a replay with `newKeys`. From 0. */
  readonly keySeries: number
  /** The handler's version, as it declared it. */
  readonly handlerVersion: string | undefined
  /** Position of the last intervention that this settlement saw. */
  readonly seenIntervention: number
  /** When a verb last set it going: `expires` counts from here. Absent: from the event's acceptance. */
  readonly openedAt: Instant | undefined
  /**
   * Behind which position it goes in its order key, where a verb brought it back to a key that it had left. Absent: it has
   * the place of its event.
   */
  readonly place?: number
  /** The dependency that it is parked for, or whose failure it retries. */
  readonly dependency?: string
  /** Where more than one failure in a row was of {@link dependency}: how many, and when the first was settled. */
  readonly failing?: { readonly times: number; readonly since: Instant }
}

/** What makes a step of a run: names are unique within a run and kind, together with `of`. */
export interface StepAddress {
  readonly kind: 'step' | 'sleep' | 'waitFor' | 'emit' | 'transaction' | 'undo'
  readonly name: string
  /** The item of a loop; empty outside loops. */
  readonly of: string
}

/** A step address as one text, for maps and messages; length-prefixed, since names may hold any character. */
export function stepText(step: StepAddress): string {
  return `${step.kind}:${step.name.length}:${step.name}${step.of === '' ? '' : `/${step.of}`}`
}
