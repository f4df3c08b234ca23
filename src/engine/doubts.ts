import { stepText } from '../event/run.ts'
import type { RunRecord, TriedStep } from '../store/store.ts'

/**
 * Steps and undos of a run that were tried and left no checkpoint: those that its settlements name, and those that an
 * attempt which never settled had begun, all of which are in doubt. Every settlement hands them on, whether its attempt
 * came to them or not: a doubt ends by a checkpoint, a confirm, a person or a definite refusal, never by being forgotten
 * (G4).
 */
export function doubtsOf(record: RunRecord): readonly TriedStep[] {
  if (record.begins.length === 0) return record.tried
  const tried = new Map(record.tried.map((one) => [stepText(one.step), one]))
  const settled = record.state?.attempt ?? 0
  const done = new Set(record.checkpoints.map(({ step }) => stepText(step)))
  for (const { attempt, step, at, undoable, guard } of record.begins) {
    if (step === undefined || step.kind === 'waitFor' || attempt <= settled) continue
    const text = stepText(step)
    if (done.has(text)) continue
    const firstTriedAt = tried.get(text)?.firstTriedAt ?? at
    tried.set(text, { step, firstTriedAt, doubt: true, ...(undoable && { undoable }), ...(guard && { guard }) })
  }
  return [...tried.values()]
}

/** Whether a checkpointed or doubtful step of the run has an undo: a cancel must say what becomes of it. */
export function isUndoable(record: RunRecord): boolean {
  return (
    record.checkpoints.some((checkpoint) => checkpoint.undoable) ||
    doubtsOf(record).some((tried) => tried.doubt && tried.undoable)
  )
}

/** Whether one of them may have had its effect and must not be left unanswered: marked `once`, or with a `confirm`. */
export function isGuarded(tried: Iterable<TriedStep>): boolean {
  for (const one of tried) if (one.doubt && one.guard) return true
  return false
}
