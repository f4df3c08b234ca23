import { HapaxError } from '../errors/hapax-error.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import type { Instant } from '../kit/clock.ts'
import { toMs } from '../kit/duration.ts'
import { encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { StepGuard, TriedStep } from '../store/store.ts'
import type { Attempt, CheckpointFacts } from './attempt.ts'
import { retryPolicy, type StepOptions } from './handler.ts'
import { inTime } from './in-time.ts'
import { isDefiniteRefusal, isFinalRefusal, recordFailure } from './run-errors.ts'

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
  const straggler = attempt.straggler(text)
  if (straggler) await straggler
  const key = attempt.key(step.name, step.of)
  const startedAt = host.now()
  const tried = attempt.tried.get(text)
  const safety = safetyOf(options)
  // Only a step that leaves no begin may have been tried, by an owner before, without a trace.
  const traceless = isBegun(options) ? undefined : subject.mayHaveBegunAt
  const firstTriedAt = tried?.firstTriedAt ?? traceless ?? startedAt
  const facts = safety.undoable ? { startedAt, firstTriedAt, undoable: true } : { startedAt, firstTriedAt }
  const note = (doubt: boolean, error?: unknown) => {
    const one = { step, firstTriedAt, doubt, ...safety }
    attempt.tried.set(text, error === undefined ? one : { ...one, error: recordFailure(error) })
  }

  if (tried?.doubt || traceless !== undefined) {
    if (tried?.doubt) note(true)
    const cleared = await clearDoubt(attempt, step, text, options, { key, facts, note })
    if (cleared !== 'repeat') return cleared.value
  }
  if (isBegun(options)) {
    const { owned, record } = subject
    const item = { owned, run: record, generation: attempt.generation, attempt: subject.attempt, step, at: startedAt }
    if ((await host.committer.begin({ ...item, ...safety })) === 'stale') return attempt.lost()
    // Its commit may have taken long.
    attempt.expire()
  }
  if (attempt.ended) return attempt.forgotten()
  if (!host.holds(subject.owned)) return attempt.lost()
  // What was not sent, or is to be sent later, says nothing of the tries before it.
  const wasInDoubt = (tried?.doubt === true || traceless !== undefined) && !options.confirm
  note(true)
  let result: Result
  try {
    const called = inTime(host, callOf(attempt, step, text, options), (signal) => options.run(key, signal))
    result = called instanceof Promise ? await called : called
  } catch (error) {
    const definite = isDefiniteRefusal(error)
    note(!definite || (wasInDoubt && !isFinalRefusal(error)), error)
    if (!definite && options.once) return attempt.unknown(step)
    throw attempt.from(error, originOf(attempt, step, options))
  }
  const value = encodeJson(result, step.name)
  // Awaited here, since a promise that an async function gives back takes three turns more.
  return await attempt.keep(step, text, value === undefined ? facts : { ...facts, value })
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
    keyTtlMs: keyTtlOf(options),
    retry: originOf(attempt, step, options).policy,
  })
}

/** What a `confirm` found out. */
export type Confirmed<Result> = { readonly result: Result } | 'absent' | 'unsure'

/**
 * The answer of a `confirm`, which may come from code without types.
 *
 * @throws `confirm_invalid`
 */
export function confirmed<Result>(name: string, answer: unknown): Confirmed<Result> {
  if (answer === 'absent' || answer === 'unsure') return answer
  // The result is the step's own type by the caller's claim, as with every stored value.
  if (typeof answer === 'object' && answer !== null && 'result' in answer) return { result: answer.result as Result }
  const found = typeof answer === 'string' ? `"${answer.slice(0, 50)}"` : `a value of type ${typeof answer}`
  throw new HapaxError('confirm_invalid', { name, found })
}

/** Whether the same key may still be known on the other side. */
export function isForgotten(firstTriedAt: Instant, now: Instant, keyTtlMs: number): boolean {
  return now - firstTriedAt > keyTtlMs
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
  known: { key: string; facts: CheckpointFacts; note: (doubt: boolean, error?: unknown) => void },
): Promise<'repeat' | { value: unknown }> {
  const { confirm } = options
  const { startedAt, firstTriedAt } = known.facts
  if (!confirm) {
    if (!options.once && !isForgotten(firstTriedAt, startedAt, keyTtlOf(options))) return 'repeat'
    known.note(true)
    return { value: attempt.unknown(step) }
  }
  let answer: Confirmed<Result>
  try {
    const asked = await inTime(attempt.host, callOf(attempt, step, text, options), (signal) =>
      confirm(known.key, signal),
    )
    answer = confirmed(step.name, asked)
    if (answer === 'unsure') throw new HapaxError('step_in_doubt', { name: step.name })
  } catch (error) {
    known.note(true, error)
    throw attempt.from(error, originOf(attempt, step, options))
  }
  if (answer === 'absent') return 'repeat'
  return { value: await attempt.keep(step, text, { ...known.facts, ...valueIn(answer.result, step.name) }) }
}

/** A step that may be repeated, and is not undone. */
const plain = {}

/** Whether the step leaves a begin: its interruption must be known, or an undo must know of it. */
function isBegun<Result>({ once, confirm, undo }: StepOptions<Result>): boolean {
  return once === true || confirm !== undefined || undo !== undefined
}

function safetyOf<Result>({ once, confirm, undo }: StepOptions<Result>): Pick<TriedStep, 'undoable' | 'guard'> {
  if (!once && !confirm && !undo) return plain
  const guard: StepGuard | undefined = once ? 'once' : confirm ? 'confirm' : undefined
  return { ...(undo && { undoable: true }), ...(guard && { guard }) }
}

function originOf<Result>(attempt: Attempt, step: StepAddress, options: StepOptions<Result>) {
  const base = attempt.subject.handler.retry
  const policy = options.retry ? retryPolicy(options.retry, base) : base
  return { policy, step: step.of === '' ? step.name : `${step.name}/${step.of}` }
}

function callOf<Result>(attempt: Attempt, step: StepAddress, text: string, options: StepOptions<Result>) {
  const { id: run, aborts } = attempt
  return { run, text, name: step.name, timeoutMs: timeoutOf(options), aborts }
}

function timeoutOf<Result>(options: StepOptions<Result>): number {
  return options.timeout === undefined ? limits.stepTimeoutMs : toMs(options.timeout)
}

function keyTtlOf<Result>(options: StepOptions<Result>): number {
  return options.keyTtl === undefined ? limits.keyTtlMs : toMs(options.keyTtl)
}

function valueIn(result: unknown, name: string): { value?: string } {
  const value = encodeJson(result, name)
  return value === undefined ? {} : { value }
}
