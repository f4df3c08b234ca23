import { configInvalid } from '../errors/config-invalid.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import { type Rate, ratePerSecond } from '../kit/rate.ts'
import { callThrough } from './call.ts'
import type { CallVerdict, Statuses } from './call-failure.ts'
import { fetchThrough } from './dependency-fetch.ts'
import { dependencyProblems } from './dependency-problems.ts'
import type { FetchOptions } from './fetch-request.ts'
import { runContext, useRunContexts } from './run-context.ts'

/** When the circuit of a dependency opens, and when it is tried again. */
export interface CircuitOptions {
  /** Failures in a row that open it. Default 5. */
  readonly failures?: number
  /** All of them within this span. Default `'30s'`. */
  readonly within?: Duration
  /** How long it stays open before a single call probes. Default `'15s'`. */
  readonly cooldown?: Duration
}

/** What {@link dependency} takes. */
export interface DependencyOptions {
  /** How long one call may take. Default `'10s'`. */
  readonly timeout?: Duration
  /** Calls over all nodes, like `'100/s'` or `'5/m'`; a number is times a second. Default: no limit. */
  readonly rate?: Rate
  /** Calls at once over all nodes. Default: no limit. */
  readonly concurrency?: number
  readonly circuit?: CircuitOptions
  /** How long a call waits for its turn and a slot before its run is deferred. Default `'5s'`. */
  readonly wait?: Duration
  /**
   * What HTTP statuses of this dependency mean, where it is not the usual.
   *
   * @example { 404: 'transient', 403: 'later' }
   */
  readonly statuses?: Statuses
  /** What `fetch` calls. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /**
   * What an error of this dependency's client means; undefined: as it is taken without this. By default a status that the error
   * bears says it, else every error but a mistake of the code is `transient`.
   */
  readonly classify?: (error: unknown) => CallVerdict | undefined
}

/** A dependency as {@link dependency} declares it: frozen; its state lives in each Hapax, its limits in the store. */
export interface Dependency {
  readonly name: string
  readonly timeoutMs: number
  /** Calls a second over all nodes. */
  readonly rate: number | undefined
  /** Calls at once over all nodes. */
  readonly concurrency: number | undefined
  readonly circuit: { readonly failures: number; readonly withinMs: number; readonly cooldownMs: number }
  readonly waitMs: number
  readonly statuses: Statuses
  readonly classify: ((error: unknown) => CallVerdict | undefined) | undefined
  /**
   * Calls the other side by any client, within the limits and under the circuit of this dependency. Inside a step, so that the
   * result is kept; only inside a run.
   *
   * @param effect gets a signal that aborts at the timeout, and when the attempt ends
   * @throws what `effect` throws; CircuitOpen, which parks the run where it leaves the handler; NotGranted, which defers it;
   * `dependency_timeout`; `no_run`
   * @example const charge = await run.step('charge', (key) => stripe.call((signal) => client.charges.create(body, { idempotencyKey: key })))
   */
  call<Value>(effect: (signal: AbortSignal) => Value | Promise<Value>): Promise<Value>
  /**
   * The global `fetch` through {@link Dependency.call}: resolves where the answer is 2xx, or accepted by `init.accept`. Up to 1 MiB
   * of the body is read by then, so that timeout, slot and circuit hold for the whole exchange; what is beyond comes as a stream.
   *
   * @throws DependencyError on another status; `fetch_invalid` where it cannot be sent; what `call` throws; what `fetch` throws
   * @example
   * run.step('capture', async (key) => (await acquirer.fetch(url, { method: 'POST', headers: { 'idempotency-key': key } })).json())
   * @example const rates = await (await bank.fetch(ratesUrl, { cache: '5m' })).json()
   */
  fetch(url: string | URL, init?: FetchOptions): Promise<Response>
}

/**
 * Declares an external service with its limits, which hold over all nodes that share a store. A handler that says `uses:
 * [acquirer]` is not begun while the circuit is open, and as the limits have room.
 *
 * @throws `config_invalid` with everything that is wrong with its options
 * @example
 * const acquirer = dependency('acquirer', {
 *   timeout: '10s', rate: '100/s', concurrency: 20, circuit: { failures: 5, within: '30s', cooldown: '15s' },
 * })
 */
export function dependency(name: string, options: DependencyOptions = {}): Dependency {
  const problems = dependencyProblems(name, options)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `dependency "${name}": ${problem}`))
  useRunContexts()
  const { circuit = {} } = options
  const declared: Dependency = Object.freeze({
    name,
    timeoutMs: toMs(options.timeout ?? limits.callTimeoutMs),
    rate: ratePerSecond(options.rate),
    concurrency: options.concurrency,
    circuit: Object.freeze({
      failures: circuit.failures ?? limits.circuitFailures,
      withinMs: toMs(circuit.within ?? limits.circuitWithinMs),
      cooldownMs: toMs(circuit.cooldown ?? limits.circuitCooldownMs),
    }),
    waitMs: toMs(options.wait ?? limits.callWaitMs),
    statuses: Object.freeze({ ...options.statuses }),
    classify: options.classify,
    call: async <Value>(effect: (signal: AbortSignal) => Value | Promise<Value>): Promise<Value> =>
      callThrough(declared, runContext(name), effect),
    fetch: async (url: string | URL, init?: FetchOptions): Promise<Response> =>
      fetchThrough(declared, runContext(name), options.fetch ?? globalThis.fetch, url, init),
  })
  return declared
}
