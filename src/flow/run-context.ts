import { AsyncLocalStorage } from 'node:async_hooks'
import { HapaxError } from '../errors/hapax-error.ts'
import { NotSent } from '../event/outcome.ts'
import type { Dependencies } from './dependencies.ts'

/** What a call out of a run's code finds: the one place that is told by where code runs, not by what it is handed. */
export interface RunContext {
  readonly dependencies: Dependencies
  /** Whose event it is: nothing that a call brings is given to another's. */
  readonly tenant: string
  /** Aborts when the attempt ends. Made when it is first asked for: a run that calls and does not wait needs none. */
  readonly signal: AbortSignal
  /** A call begins: it aborts with the attempt, until {@link endCall}. */
  beginCall(): AbortController
  endCall(call: AbortController): void
  /** Whether the attempt lives and its node holds the lease: asked before every call. */
  mayCall(): boolean
  /** It waited so long for its turn: this is no time that the run takes. */
  waited(ms: number): void
}

const storage = new AsyncLocalStorage<RunContext>()
let isUsed = false

/** The calls of a context that has a signal: each aborts with it. For one that ends with its only call. */
export function callsUnder(signal: AbortSignal): Pick<RunContext, 'beginCall' | 'endCall'> {
  return {
    beginCall() {
      const call = new AbortController()
      if (signal.aborted) call.abort()
      else signal.addEventListener('abort', () => call.abort(), { once: true })
      return call
    },
    endCall: () => {},
  }
}

/** Why nothing goes out of a run whose attempt has ended, or whose node has lost it. */
export function attemptEnded(): NotSent {
  return new NotSent('The attempt has ended: nothing more is sent for it.')
}

/** Somebody has declared a dependency: until then, no run carries a context. */
export function useRunContexts(): void {
  isUsed = true
}

/** Calls `body` as the code of this run. */
export function withinRun<Result>(context: () => RunContext, body: () => Result): Result {
  return isUsed ? storage.run(context(), body) : body()
}

/**
 * The run that calls.
 *
 * @throws `no_run` outside a run
 */
export function runContext(dependency: string): RunContext {
  const context = storage.getStore()
  if (!context) throw new HapaxError('no_run', { dependency })
  return context
}
