import { HapaxError } from '../errors/hapax-error.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import { encodeJson } from '../kit/json-value.ts'
import type { CheckpointRecord } from '../store/store.ts'
import { Attempt, type AttemptHost, type AttemptSubject, type Undoable } from './attempt.ts'
import type { Outcome } from './decide.ts'
import type { HandlerEvent } from './handler.ts'
import { classify, recordError } from './run-errors.ts'
import { stepKey } from './step-key.ts'

/**
 * Undoes a run: the handler is entered once more without executing anything new, so that it tells which undo belongs to
 * which step; then the undos go in reverse order of the checkpoints, each a checkpointed step with its own key. A step in
 * doubt is confirmed before it is undone.
 *
 * @returns `undone`, or how it failed: retried by the handler's policy, then `unknown`; `lost` with the lease.
 */
export async function undoRun(
  host: AttemptHost,
  subject: AttemptSubject,
  event: HandlerEvent,
): Promise<{ outcome: Outcome | 'lost'; progressed: boolean }> {
  const attempt = new Attempt(host, subject, { collect: true })
  const collected = attempt.execute(event)
  await Promise.race([collected, told(host, attempt)])
  attempt.end({ kind: 'handed_back' })
  await collected

  const silent = stepsOf(attempt).find((step) => !attempt.usedNames.has(stepText(step)))
  if (silent) {
    const error = recordError(new HapaxError('step_in_doubt', { name: silent.name }), silent.name)
    return { outcome: { kind: 'unknown', error }, progressed: false }
  }
  let progressed = false
  for (const undoable of inReverse(attempt)) {
    const step: StepAddress = { ...undoable.step, kind: 'undo' }
    if (attempt.checkpoints.has(stepText(step))) continue
    if (!host.holds(subject.owned)) return { outcome: 'lost', progressed }
    try {
      const kept = await undoStep(host, subject, attempt, undoable, step)
      if (kept === 'lost') return { outcome: 'lost', progressed }
      if (kept === 'unknown') {
        const error = recordError(new HapaxError('step_in_doubt', { name: step.name }), step.name)
        return { outcome: { kind: 'unknown', error }, progressed }
      }
      progressed = true
    } catch (error) {
      const from = { policy: subject.handler.retry, inDoubt: true, step: step.name }
      return { outcome: classify(error, from, host.now()), progressed }
    }
  }
  return { outcome: { kind: 'undone' }, progressed }
}

/** Resolves when every step that left a checkpoint, or is in doubt, has been named again. */
async function told(host: AttemptHost, attempt: Attempt): Promise<void> {
  const names = stepsOf(attempt).map(stepText)
  while (!names.every((name) => attempt.usedNames.has(name))) {
    await new Promise<void>((resolve) => host.clock.setTimer(1, resolve))
  }
}

/** Steps whose undo may be due: those that left a checkpoint, and those in doubt. */
function stepsOf(attempt: Attempt): StepAddress[] {
  const doubtful = [...attempt.tried.values()].filter((tried) => tried.doubt)
  return [...attempt.checkpoints.values(), ...doubtful].map(({ step }) => step).filter((step) => step.kind === 'step')
}

/** Steps in doubt first, since they came last; then the checkpoints from the last to the first. */
function inReverse(attempt: Attempt): Undoable[] {
  const order = (undoable: Undoable) =>
    attempt.checkpoints.get(stepText(undoable.step))?.order ?? Number.MAX_SAFE_INTEGER
  const doubtful = new Set(
    [...attempt.tried.values()].filter((tried) => tried.doubt).map((tried) => stepText(tried.step)),
  )
  return [...attempt.undoables.values()]
    .filter(({ step }) => attempt.checkpoints.has(stepText(step)) || doubtful.has(stepText(step)))
    .sort((one, other) => order(other) - order(one))
}

async function undoStep(
  host: AttemptHost,
  subject: AttemptSubject,
  attempt: Attempt,
  undoable: Undoable,
  step: StepAddress,
): Promise<'kept' | 'lost' | 'unknown'> {
  const done: CheckpointRecord | undefined = attempt.checkpoints.get(stepText(undoable.step))
  const startedAt = host.now()
  const controller = new AbortController()
  let result: unknown = done?.value === undefined ? undefined : JSON.parse(done.value)
  let happened = done !== undefined
  if (!done) {
    if (!undoable.confirm) return 'unknown'
    const answer = await inTime(
      host,
      undoable,
      controller,
      undoable.confirm(attempt.key(undoable.step.name, undoable.step.of), controller.signal),
    )
    if (answer === 'unsure') throw new HapaxError('step_in_doubt', { name: step.name })
    happened = typeof answer === 'object' && answer !== null && 'result' in answer
    result = happened ? Reflect.get(Object(answer), 'result') : undefined
  }
  if (happened) {
    const series = subject.record.state?.keySeries ?? 0
    const key = stepKey(subject.record, series, `undo:${step.name}`, step.of)
    await inTime(host, undoable, controller, undoable.undo(result, key, controller.signal))
  }
  const value = encodeJson(happened ? 'undone' : 'absent', step.name)
  const answer = await host.committer.checkpoint({
    owned: subject.owned,
    run: subject.record,
    generation: attempt.generation,
    attempt: subject.attempt,
    step,
    ...(value === undefined ? {} : { value }),
    startedAt,
    endedAt: host.now(),
    firstTriedAt: startedAt,
  })
  return answer.outcome === 'stale' ? 'lost' : 'kept'
}

function inTime(host: AttemptHost, undoable: Undoable, controller: AbortController, work: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = host.clock.setTimer(undoable.timeoutMs, () => {
      controller.abort()
      reject(new HapaxError('step_timeout', { name: undoable.step.name, timeoutMs: undoable.timeoutMs }))
    })
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}
