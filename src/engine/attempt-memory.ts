import { stepText } from '../event/run.ts'
import type { Clock } from '../kit/clock.ts'
import type { CheckpointRecord, RunRecord, TriedStep } from '../store/store.ts'
import { AttemptSignals } from './attempt-signals.ts'
import { doubtsOf } from './doubts.ts'
import type { Undoable } from './undo.ts'

const none: readonly never[] = []

/**
 * What an attempt knows by its steps and signals. Each part is made when the attempt comes to it: five collections of each of a
 * thousand attempts that have no steps lived through every collection of garbage.
 */
export class AttemptMemory {
  readonly #clock: Clock
  readonly #record: RunRecord
  #undoables: Map<string, Undoable> | undefined
  #checkpoints: Map<string, CheckpointRecord> | undefined
  #tried: Map<string, TriedStep> | undefined
  #usedNames: Set<string> | undefined
  #signals: AttemptSignals | undefined

  constructor(clock: Clock, record: RunRecord) {
    this.#clock = clock
    this.#record = record
    for (const checkpoint of record.checkpoints) this.checkpoints.set(stepText(checkpoint.step), checkpoint)
    for (const tried of doubtsOf(record)) this.tried.set(stepText(tried.step), tried)
  }

  get undoables(): Map<string, Undoable> {
    this.#undoables ??= new Map()
    return this.#undoables
  }

  get checkpoints(): Map<string, CheckpointRecord> {
    this.#checkpoints ??= new Map()
    return this.#checkpoints
  }

  /** Steps that were tried and left no checkpoint. */
  get tried(): Map<string, TriedStep> {
    this.#tried ??= new Map()
    return this.#tried
  }

  /** The same, once the attempt has ended. */
  get leftTried(): readonly TriedStep[] {
    return this.#tried && this.#tried.size > 0 ? [...this.#tried.values()] : none
  }

  /** Names that were used: what a deploy renamed is missing here. */
  get usedNames(): Set<string> {
    this.#usedNames ??= new Set()
    return this.#usedNames
  }

  get signals(): AttemptSignals {
    this.#signals ??= new AttemptSignals(this.#clock, this.#record)
    return this.#signals
  }

  /** Whether a checkpointed or doubtful step has an undo. */
  get undoable(): boolean {
    for (const text of this.#undoables?.keys() ?? none) if (this.#checkpoints?.has(text)) return true
    for (const checkpoint of this.#checkpoints?.values() ?? none) if (checkpoint.undoable) return true
    for (const tried of this.#tried?.values() ?? none) if (tried.doubt && tried.undoable) return true
    return false
  }
}
