import { stepText } from '../event/run.ts'
import type { RunRecord, TriedStep } from '../store/store.ts'

/**
 * Steps of a run that were tried and left no checkpoint: those that its settlements name, and those that an attempt
 * which never settled had begun, all of which are in doubt. Every settlement hands them on, whether its attempt came to
 * them or not: a doubt ends by a checkpoint, a confirm, a person or a definite refusal, never by being forgotten (G4).
 */
export function doubtsOf(record: RunRecord): TriedStep[] {
  const tried = new Map(record.tried.map((one) => [stepText(one.step), one]))
  const settled = record.state?.attempt ?? 0
  const done = new Set(record.checkpoints.map(({ step }) => stepText(step)))
  for (const { attempt, step, at } of record.begins) {
    if (step === undefined || attempt <= settled) continue
    const text = stepText(step)
    if (done.has(text)) continue
    const before = tried.get(text)
    tried.set(text, { ...before, step, firstTriedAt: before?.firstTriedAt ?? at, doubt: true })
  }
  return [...tried.values()]
}
