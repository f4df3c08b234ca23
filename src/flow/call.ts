import { HapaxError } from '../errors/hapax-error.ts'
import { CircuitOpen, NotGranted, RetryLater } from '../event/outcome.ts'
import { type Clock, within } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { type CallVerdict, callFailureOf, markFailure, verdictOf } from './call-failure.ts'
import type { Passage } from './circuit.ts'
import type { Dependency } from './dependency.ts'
import { DependencyError } from './dependency-error.ts'
import type { DependencyState } from './dependency-state.ts'
import { statusOf } from './error-response.ts'
import { retryAtOf } from './retry-after.ts'
import { attemptEnded, type RunContext } from './run-context.ts'

/**
 * One call of a dependency: by its circuit, for a slot, for its turn in the rate, with its deadline; and what its end tells of the
 * other side.
 *
 * @param timeoutMs in the place of the declared one
 * @throws what `effect` throws; CircuitOpen; NotGranted; `dependency_timeout`
 */
export async function callThrough<Value>(
  dependency: Dependency,
  context: RunContext,
  effect: (signal: AbortSignal) => Value | Promise<Value>,
  timeoutMs: number = dependency.timeoutMs,
): Promise<Value> {
  const state = context.dependencies.of(dependency)
  const { clock } = context.dependencies
  const passage = enterAtOnce(state, context) ?? (await enter(state, dependency, context, clock))
  const controller = context.beginCall()
  let isLeft = false
  /** A call that outlives its deadline keeps its slot until it has settled, since it is still running over there; not for ever. */
  const leave = () => {
    if (!isLeft) state.slots.release()
    isLeft = true
  }
  state.called()
  try {
    const settling = called(effect, controller.signal)
    settling.then(leave, leave)
    const value = await within(clock, settling, timeoutMs, () => {
      controller.abort()
      clock.setTimer(limits.stepSettleMs, leave, { unref: true })
      return new HapaxError('dependency_timeout', { dependency: dependency.name, timeoutMs })
    })
    state.circuit.answered(passage)
    return value
  } catch (error) {
    note(state, passage, error, dependency, context)
    throw error
  } finally {
    context.endCall(controller)
  }
}

/** Also where it throws at once. */
function called<Value>(effect: (signal: AbortSignal) => Value | Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    return Promise.resolve(effect(signal))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** As nearly all calls go: nothing is open, there is a slot, and it is their turn. */
function enterAtOnce(state: DependencyState, context: RunContext): Passage | undefined {
  if (!context.mayCall() || state.circuit.isOpen || !state.slots.tryTake()) return undefined
  if (state.rate.tryTake()) {
    context.waited(0)
    return 'plain'
  }
  state.slots.release()
  return undefined
}

async function enter(
  state: DependencyState,
  dependency: Dependency,
  context: RunContext,
  clock: Clock,
): Promise<Passage> {
  const { name, waitMs } = dependency
  alive(context)
  const passage = await state.circuit.enter()
  if (!passage) throw open(name)
  const sinceMs = clock.monotonicMs()
  const leftMs = () => waitMs - (clock.monotonicMs() - sinceMs)
  if (!state.slots.tryTake() && !(await state.slots.take(waitMs, context.signal))) {
    state.circuit.forgo(passage)
    throw new NotGranted(name, waitMs)
  }
  const isItsTurn = state.rate.tryTake() || (await state.rate.take(leftMs(), context.signal))
  context.waited(clock.monotonicMs() - sinceMs)
  const refusal = refusalOf(state, passage, isItsTurn, context)
  if (!refusal) return passage
  state.slots.release()
  state.circuit.forgo(passage)
  throw refusal
}

/** Why a call does not go that has waited for its turn; undefined: it goes. */
function refusalOf(state: DependencyState, passage: Passage, isItsTurn: boolean, context: RunContext) {
  if (!context.mayCall()) return attemptEnded()
  if (!state.circuit.mayGo(passage)) return open(state.name)
  if (isItsTurn) return undefined
  const inMs = Math.max(Math.min(state.rate.inMs, limits.callWaitMs), state.rate.pausedMs)
  return new NotGranted(state.name, Math.ceil(inMs + (state.rate.waiting * 1_000) / (state.rate.perSecond || 1_000)))
}

/** What was an attempt's may not reach out once it has ended, or the lease is gone: its successor may be under way. */
function alive(context: RunContext): void {
  if (!context.mayCall()) throw attemptEnded()
}

function open(name: string): CircuitOpen {
  return new CircuitOpen(name)
}

function note(
  state: DependencyState,
  passage: Passage,
  error: unknown,
  dependency: Dependency,
  context: RunContext,
): void {
  // The attempt was ended under it, or it failed at another dependency: that says nothing of the other side.
  if (context.signal.aborted || isOthers(error, state.name)) {
    state.circuit.forgo(passage)
    return
  }
  const verdict = declaredVerdict(dependency, error) ?? verdictOf(error, dependency.statuses)
  if (verdict === undefined) {
    if (error instanceof DependencyError) state.circuit.answered(passage)
    else state.circuit.forgo(passage)
    return
  }
  const now = state.now()
  const asked = retryAtOf(error, now)
  const retryAt = error instanceof RetryLater ? (error.at ?? now + (error.delayMs ?? 0)) : asked
  markFailure(error, { dependency: state.name, verdict, retryAt })
  if (asked !== undefined && (verdict === 'later' || statusOf(error) === 503)) state.pauseUntil(asked)
  if (verdict === 'fatal' || verdict === 'later') state.circuit.answered(passage)
  else {
    state.failed()
    state.circuit.failed(passage, verdict, asked === undefined ? 0 : asked - now)
  }
}

/** A call within the call: what failed, and counts, is the inner one. */
function isOthers(error: unknown, name: string): boolean {
  if (error instanceof CircuitOpen || error instanceof NotGranted) return true
  const failure = callFailureOf(error)
  return failure !== undefined && failure.dependency !== name
}

/** A function that throws says nothing, and hides no failure. */
function declaredVerdict({ classify }: Dependency, error: unknown): CallVerdict | undefined {
  try {
    return classify?.(error)
  } catch {
    return undefined
  }
}
