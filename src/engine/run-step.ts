import { HapaxError } from '../errors/hapax-error.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import type { Timer } from '../kit/clock.ts'
import { toMs } from '../kit/duration.ts'
import { encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { Attempt, CheckpointFacts, ErrorOrigin } from './attempt.ts'
import { retryPolicy, type StepOptions } from './handler.ts'
import { isDefiniteRefusal } from './run-errors.ts'

/**
 * Executes a step that has no checkpoint: waits for a straggling function of an earlier attempt, clears a doubt, writes
 * its begin where its interruption must be known, calls it with a deadline, keeps its result (G3, G4).
 */
export async function runStep<Result>(
  attempt: Attempt,
  step: StepAddress,
  text: string,
  options: StepOptions<Result>,
): Promise<unknown> {
  const { host, subject } = attempt
  await host.stragglers.wait(attempt.id, text)
  const key = attempt.key(step.name, step.of)
  const startedAt = host.now()
  const tried = attempt.tried.get(text)
  const firstTriedAt = tried?.firstTriedAt ?? subject.mayHaveBegunAt ?? startedAt
  const undoable = options.undo ? { undoable: true } : {}
  const facts = { startedAt, firstTriedAt, ...undoable }
  const note = (doubt: boolean) => attempt.tried.set(text, { step, firstTriedAt, doubt, ...undoable })
  const origin = originOf(attempt, step, options)

  if (tried?.doubt) {
    note(true)
    const cleared = await clearDoubt(attempt, step, text, options, { key, facts, origin })
    if (cleared !== 'repeat') return cleared.value
  }
  if (options.once || options.confirm) {
    const { owned, record } = subject
    const item = { owned, run: record, generation: attempt.generation, attempt: subject.attempt, step, at: startedAt }
    if ((await host.committer.begin(item)) === 'stale') return attempt.lost()
  }
  if (attempt.ended) return attempt.forgotten()
  if (!host.holds(subject.owned)) return attempt.lost()
  note(true)
  let result: Result
  try {
    result = await inTime(attempt, step, timeoutOf(options), (signal) => options.run(key, signal))
  } catch (error) {
    const definite = isDefiniteRefusal(error)
    note(!definite)
    if (!definite && options.once) return attempt.unknown(step)
    throw attempt.from(error, origin(!definite && options.confirm !== undefined))
  }
  return attempt.keep(step, text, { ...facts, ...valueIn(result, step.name) })
}

/** Remembers how a step is undone, and confirmed before that. */
export function rememberUndo<Result>(attempt: Attempt, step: StepAddress, options: StepOptions<Result>): void {
  const { undo, confirm } = options
  if (!undo) return
  attempt.undoables.set(stepText(step), {
    step,
    // The result is this very step's checkpoint: its type is the step's own.
    undo: (result, key, signal) => undo(result as Result, key, signal),
    confirm,
    timeoutMs: timeoutOf(options),
  })
}

/**
 * A step in doubt: `confirm` is asked first; without one it repeats with the same key as long as the other side
 * remembers it; marked `once`, or later than that, the run becomes `unknown`.
 */
async function clearDoubt<Result>(
  attempt: Attempt,
  step: StepAddress,
  text: string,
  options: StepOptions<Result>,
  known: { key: string; facts: CheckpointFacts; origin: (inDoubt: boolean) => ErrorOrigin },
): Promise<'repeat' | { value: unknown }> {
  const { confirm } = options
  if (!confirm) {
    const keyTtlMs = options.keyTtl === undefined ? limits.keyTtlMs : toMs(options.keyTtl)
    const forgotten = known.facts.startedAt - known.facts.firstTriedAt > keyTtlMs
    return options.once || forgotten ? { value: attempt.unknown(step) } : 'repeat'
  }
  let answer: { result: Result } | 'absent' | 'unsure'
  try {
    answer = await inTime(attempt, step, timeoutOf(options), (signal) => confirm(known.key, signal))
  } catch (error) {
    throw attempt.from(error, known.origin(true))
  }
  if (answer === 'absent') return 'repeat'
  if (answer === 'unsure') throw attempt.from(new HapaxError('step_in_doubt', { name: step.name }), known.origin(true))
  return { value: await attempt.keep(step, text, { ...known.facts, ...valueIn(answer.result, step.name) }) }
}

function originOf<Result>(
  attempt: Attempt,
  step: StepAddress,
  options: StepOptions<Result>,
): (inDoubt: boolean) => ErrorOrigin {
  const base = attempt.subject.handler.retry
  const policy = options.retry ? retryPolicy(options.retry, base) : base
  const name = step.of === '' ? step.name : `${step.name}/${step.of}`
  return (inDoubt) => ({ policy, inDoubt, step: name })
}

function timeoutOf<Result>(options: StepOptions<Result>): number {
  return options.timeout === undefined ? limits.stepTimeoutMs : toMs(options.timeout)
}

/** Calls `effect` with a deadline. A function that outlives it straggles: its step waits for it before it is tried again. */
async function inTime<Value>(
  attempt: Attempt,
  step: StepAddress,
  timeoutMs: number,
  effect: (signal: AbortSignal) => Value | Promise<Value>,
): Promise<Value> {
  const controller = new AbortController()
  const outer = attempt.signal
  const abort = () => controller.abort()
  outer.addEventListener('abort', abort, { once: true })
  let timer: Timer | undefined
  try {
    const returned = effect(controller.signal)
    if (!(returned instanceof Promise)) return returned
    attempt.host.stragglers.add(attempt.id, stepText(step), returned, timeoutMs)
    const late = new Promise<never>((_resolve, reject) => {
      timer = attempt.host.clock.setTimer(timeoutMs, () => {
        controller.abort()
        reject(new HapaxError('step_timeout', { name: step.name, timeoutMs }))
      })
    })
    return await Promise.race([returned, late])
  } finally {
    timer?.cancel()
    outer.removeEventListener('abort', abort)
  }
}

function valueIn(result: unknown, name: string): { value?: string } {
  const value = encodeJson(result, name)
  return value === undefined ? {} : { value }
}
