import type { DatabaseSync } from 'node:sqlite'
import { configInvalid } from '../errors/config-invalid.ts'
import type { EventRecord } from '../event/event.ts'
import type { StandardSchema } from '../event/standard-schema.ts'
import type { Dependency } from '../flow/dependency.ts'
import type { Backoff } from '../kit/backoff.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import { type Rate, ratePerSecond } from '../kit/rate.ts'
import { handlerProblems, retryProblems } from './handler-problems.ts'

/** How failures are retried. */
export interface RetryOptions {
  /** Failures since the last new checkpoint before the run is dead. Default 10. */
  readonly attempts?: number
  /** The first wait. Default `'1s'`. */
  readonly min?: Duration
  /** The longest wait. Default `'1h'`, or `min` where that is longer. */
  readonly max?: Duration
  /** What each further wait is multiplied by. Default 2. */
  readonly factor?: number
  /** `full` (default) spreads a herd out; `none` waits exactly. */
  readonly jitter?: 'full' | 'none'
}

/** A retry policy with every default filled in. */
export interface RetryPolicy extends Backoff {
  readonly attempts: number
}

/** The event as a handler sees it. */
export interface HandlerEvent<Data = unknown>
  extends Pick<
    EventRecord,
    | 'key'
    | 'tenant'
    | 'source'
    | 'id'
    | 'type'
    | 'subject'
    | 'time'
    | 'contentType'
    | 'orderKey'
    | 'acceptedAt'
    | 'headers'
  > {
  /** The body, parsed when it is first read: of the schema's output type where the handler has one. Integers no double can hold are bigint. */
  readonly data: Data
  /** The bytes as they came. */
  readonly raw: Uint8Array
}

/** A step with its safety: what to run, how to ask whether it happened, how to undo it. */
export interface StepOptions<Result> {
  /** The effect. Gets the step's stable key, for the other side's idempotency, and a signal that aborts at the timeout. */
  readonly run: (key: string, signal: AbortSignal) => Result | Promise<Result>
  /** The item of a loop: part of checkpoint and key. */
  readonly of?: string
  /** Asked when it is in doubt whether the effect happened, before any repeat. */
  readonly confirm?: (
    key: string,
    signal: AbortSignal,
  ) => { result: Result } | 'absent' | 'unsure' | Promise<{ result: Result } | 'absent' | 'unsure'>
  /** Undoes the effect: called in reverse order of checkpoints when the run is undone. */
  readonly undo?: (result: Result, key: string, signal: AbortSignal) => unknown
  /** True: never repeated by the engine; in doubt, the run becomes `unknown` and a person decides. */
  readonly once?: boolean
  /** Replaces the handler's policy for this step's own errors. */
  readonly retry?: RetryOptions
  /** Default `'30s'`. */
  readonly timeout?: Duration
  /** How long the other side remembers the key. In doubt after that, the run becomes `unknown`. Default `'24h'`. */
  readonly keyTtl?: Duration
}

/** A follow-up event. */
export interface EmittedEvent {
  readonly type: string
  /** Default: the group's name. */
  readonly source?: string
  readonly data?: unknown
  readonly subject?: string
  readonly orderKey?: string
}

/** What a handler is given beside the event: everything durable that it can do. */
export interface Run {
  readonly id: string
  /** From 1, within the generation. */
  readonly attempt: number
  readonly generation: number
  /** Aborts when the attempt ends for any reason: timeout, suspension, cancel, lost lease, shutdown. */
  readonly signal: AbortSignal
  readonly log: Log
  /** The stable key of a step: the same over attempts, unique per step. */
  key(step: string, of?: string): string
  /**
   * Runs `effect` and keeps its result: later attempts get the result and do not run it again (G3). Resolves to the
   * result as it is kept, decoded from JSON.
   *
   * @throws what `effect` throws; `step_name_repeated`; `step_timeout`; `result_not_json`; `result_too_large`
   */
  step<Result>(
    name: string,
    effect: ((key: string, signal: AbortSignal) => Result | Promise<Result>) | StepOptions<Result>,
  ): Promise<Result>
  /** Waits, durably: of a second or more, the slot is free meanwhile and the handler is entered again afterwards. */
  sleep(name: string, duration: Duration, options?: { readonly of?: string }): Promise<void>
  /**
   * Waits for a signal of this name; one that came early counts. Resolves to its payload.
   *
   * @throws WaitTimeout, always the same way on later attempts
   */
  waitFor(name: string, options?: { readonly timeout?: Duration; readonly of?: string }): Promise<unknown>
  /** Accepts a follow-up event, once, together with its checkpoint. Resolves to its key. */
  emit(event: EmittedEvent, options?: { readonly of?: string }): Promise<{ readonly key: string }>
  /**
   * Effect and checkpoint in one commit of the store's own database: exactly once (G4). `body` is given the store's own
   * client: on SQLite a `DatabaseSync`, and it must be synchronous; on PostgreSQL a client of `pg`, as its type then says.
   * Where another transaction was in the way all is rolled back and `body` is called again.
   *
   * On PostgreSQL `begin` opens the transaction in a library of your own, on the same database: `body` is given what it
   * gives to `work`.
   *
   * @throws `ability_missing`, `transaction_async`, what `body` throws (all of it rolled back)
   * @example await run.transaction('book', async (tx: PoolClient) => { await tx.query('insert into ledger …') })
   * @example
   * await run.transaction('book', async (tx: TransactionSql) => { await tx`insert into ledger …` }, {
   *   begin: (work) => sql.begin(work),
   * })
   */
  transaction<Result, Client = DatabaseSync>(
    name: string,
    body: (transaction: Client) => Result | Promise<Result>,
    options?: TransactionOptions<Client>,
  ): Promise<Result>
  /** Shows how far the run is; kept with the next record, not durable by itself. */
  progress(fraction: number, note?: string): void
}

/** How a transaction of a run is made. */
export interface TransactionOptions<Client> {
  /** Tells transactions of one name apart. */
  readonly of?: string
  /** Opens a transaction of your own library, calls `work` with it, commits where that resolves and rolls back where not. */
  readonly begin?: (work: (transaction: Client) => Promise<void>) => Promise<unknown>
}

/** How the latest of a burst is kept. */
export interface CoalesceOptions<Data = unknown> {
  /**
   * What the runs of one burst have in common, of at most 1,000 characters; it must not depend on anything but the event. Where
   * it throws or is no such text, also where `data` does not fit the schema or the schema answers by a promise, the run is
   * executed by itself, and the reason is logged once.
   */
  readonly key: (event: HandlerEvent<Data>) => string
  /** How long after the first event's acceptance others still join it, at most 1 hour. */
  readonly window: Duration
}

/** How what is older than what was processed already is dropped. */
export interface SupersedeOptions<Data = unknown> {
  /** Whose versions are compared: the thing outside, of the event's tenant. It must not depend on anything but the event. */
  readonly key: (event: HandlerEvent<Data>) => string
  /**
   * Which version of it the event brings: numbers by their value, before texts, those by their bytes; a Date is its
   * milliseconds. A text has at most 255 bytes, a bigint is below 2^1024.
   */
  readonly version: (event: HandlerEvent<Data>) => number | bigint | string | Date
}

/** What a handler subscribes to, and how its runs are treated. */
export interface HandlerOptions<Data = unknown> {
  /** Sources: a name, a list, or a trailing wildcard like `'bank-*'`. */
  readonly source: string | readonly string[]
  /** Event types: a name, a list, or a trailing wildcard like `'payment_intent.*'`. */
  readonly on: string | readonly string[]
  /** Checks and types `event.data` before each attempt; data that does not fit is dead as `schema_mismatch`. */
  readonly schema?: StandardSchema<Data>
  readonly retry?: RetryOptions
  /** One attempt. Default `'1m'`. */
  readonly timeout?: Duration
  /** The run is dead, between steps, when it is this old. Default: never. */
  readonly expires?: Duration
  /** Unclaimed events this young are given to this handler when it first appears. Default `'1h'`. */
  readonly pickUp?: Duration
  /**
   * What its runs call: they are not begun while the circuit of one of these is open, and as their limits have room. A run that
   * calls one that is not named here is begun, and parked when it comes to its call.
   */
  readonly uses?: readonly Dependency[]
  /** How often its runs begin over all nodes, attempts and resumptions alike, like `'50/s'`. Default: no limit. */
  readonly rate?: Rate
  /**
   * How many of its runs are under way at once: over all nodes; and of one order key of a tenant, also where it does not
   * order them. A number is the former. Default: no limit.
   */
  readonly concurrency?: number | { readonly limit?: number; readonly perKey?: number }
  /**
   * Which go first on a node where several are ready: the higher; of the same, tenants take turns, and the order keys of each.
   * A function sees the event without its body. Default 0.
   */
  readonly priority?: number | ((event: PrioritizedEvent) => number)
  /** What the store must be able to do: refused at start where it is not. */
  readonly needs?: readonly 'transaction'[]
  /** One at a time per the event's order key. `true` is `{ onDead: 'block' }`. */
  readonly order?: boolean | { readonly onDead: 'block' | 'skip' }
  /**
   * Keeps the latest of a burst: of the runs whose events have the same tenant and key and were accepted within `window` of the
   * first of them, only that of the last event is executed, once the window is over. Each of the others completes without
   * an attempt, with reason `coalesced` and the result `{ coalescedBy: runId }`. With `order` they must have the same order
   * key, too. Default: every run is executed.
   *
   * @example coalesce: { key: (event) => event.subject ?? '', window: '5s' }
   */
  readonly coalesce?: CoalesceOptions<Data>
  /**
   * Drops what is older than what was already processed. Before each call of the handler the newest version of the key that one
   * of its runs completed with is asked for: where that is newer, the run completes without the call, also where attempts
   * went before, with reason `superseded` and the result `{ supersededBy: version }`. What is equal or newer, or has a step in
   * doubt, is executed. Two runs of one key at the same time may both be executed: order them by `order`, or by
   * `concurrency: { perKey: 1 }`. Where `key` or `version` throws or gives nothing of its kind, the run is executed as without
   * it, and the reason is logged once. A version is forgotten when none was raised for as long as identities are kept. Default:
   * every run is executed.
   *
   * @example supersede: { key: (event) => event.data.id, version: (event) => event.data.updatedAt }
   */
  readonly supersede?: SupersedeOptions<Data>
  /** Whether death undoes the steps that have an undo. Default false. */
  readonly undoOnDeath?: boolean
  /** Recorded with each run. */
  readonly version?: string
  /** Names it had before: it takes over their runs. */
  readonly formerly?: readonly string[]
}

/** What a handler's `priority` may look at. */
export type PrioritizedEvent = Pick<
  EventRecord,
  'tenant' | 'source' | 'type' | 'id' | 'subject' | 'orderKey' | 'headers' | 'acceptedAt'
>

/** A handler as {@link handler} declares it: frozen; its state lives in each Hapax. */
export interface Handler {
  readonly name: string
  readonly sources: readonly string[]
  readonly types: readonly string[]
  readonly schema: StandardSchema | undefined
  readonly retry: RetryPolicy
  readonly timeoutMs: number
  readonly expiresMs: number | undefined
  readonly pickUpMs: number
  readonly uses: readonly Dependency[]
  /** Its runs make calls together: the limits of what it uses are not each run's. */
  readonly sharesCalls: boolean
  /** Begins a second over all nodes. */
  readonly rate: number | undefined
  readonly concurrency: { readonly limit: number | undefined; readonly perKey: number | undefined }
  readonly priority: number | ((event: PrioritizedEvent) => number)
  readonly needs: readonly 'transaction'[]
  readonly order: 'block' | 'skip' | undefined
  readonly coalesce: { readonly key: (event: HandlerEvent) => unknown; readonly windowMs: number } | undefined
  readonly supersede:
    | { readonly key: (event: HandlerEvent) => unknown; readonly version: (event: HandlerEvent) => unknown }
    | undefined
  readonly undoOnDeath: boolean
  readonly version: string | undefined
  readonly formerly: readonly string[]
  readonly body: (event: HandlerEvent, run: Run) => unknown
}

/** The policy where a handler says nothing. */
export const defaultRetry: RetryPolicy = { attempts: 10, minMs: 1_000, maxMs: 3_600_000, factor: 2, jitter: 'full' }

/**
 * A policy from options, with `base` where they say nothing.
 *
 * @throws `config_invalid`
 */
export function retryPolicy(options: RetryOptions | undefined, base: RetryPolicy = defaultRetry): RetryPolicy {
  if (!options) return base
  const problems = retryProblems(options)
  if (problems.length > 0) throw configInvalid(problems)
  const minMs = options.min === undefined ? base.minMs : toMs(options.min)
  return {
    attempts: options.attempts ?? base.attempts,
    minMs,
    maxMs: options.max === undefined ? Math.max(base.maxMs, minMs) : toMs(options.max),
    factor: options.factor ?? base.factor,
    jitter: options.jitter ?? base.jitter,
  }
}

/**
 * Declares a handler: a named function subscribed to event types of a source. The name is its identity: change it only
 * with `formerly`.
 *
 * @throws `config_invalid` with everything that is wrong with its options
 * @example
 * const greet = handler('greet', { source: 'github', on: 'issues.opened' }, async (event, run) => {
 *   await run.step('comment', (key) => comment(event.data, key))
 * })
 */
export function handler<Data = unknown>(
  name: string,
  options: HandlerOptions<Data>,
  body: (event: HandlerEvent<Data>, run: Run) => unknown,
): Handler {
  const problems = handlerProblems(name, options, body)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `handler "${name}": ${problem}`))
  return Object.freeze({
    name,
    sources: list(options.source),
    types: list(options.on),
    schema: options.schema,
    retry: retryPolicy(options.retry),
    timeoutMs: toMs(options.timeout ?? limits.handlerTimeoutMs),
    expiresMs: options.expires === undefined ? undefined : toMs(options.expires),
    pickUpMs: toMs(options.pickUp ?? limits.pickUpMs),
    uses: [...(options.uses ?? [])],
    sharesCalls: false,
    rate: ratePerSecond(options.rate),
    concurrency: concurrencyOf(options.concurrency),
    priority: options.priority ?? 0,
    needs: options.needs ?? [],
    order: options.order === true ? 'block' : options.order ? options.order.onDead : undefined,
    coalesce: options.coalesce && coalescing(options.coalesce),
    supersede: options.supersede && superseding(options.supersede),
    undoOnDeath: options.undoOnDeath ?? false,
    version: options.version,
    formerly: options.formerly ?? [],
    // The runner validates `data` by the schema, whose output type is Data, before it calls; without one Data is unknown.
    body: (event: HandlerEvent, run: Run) => body(event as HandlerEvent<Data>, run),
  })
}

function concurrencyOf(concurrency: HandlerOptions['concurrency']): Handler['concurrency'] {
  if (typeof concurrency === 'number') return { limit: concurrency, perKey: undefined }
  return { limit: concurrency?.limit, perKey: concurrency?.perKey }
}

function coalescing<Data>({ key, window }: CoalesceOptions<Data>): NonNullable<Handler['coalesce']> {
  // Its data has been through the schema, as the body's.
  return { key: (event: HandlerEvent) => key(event as HandlerEvent<Data>), windowMs: toMs(window) }
}

function superseding<Data>({ key, version }: SupersedeOptions<Data>): NonNullable<Handler['supersede']> {
  // Its data has been through the schema, as the body's.
  return {
    key: (event: HandlerEvent) => key(event as HandlerEvent<Data>),
    version: (event: HandlerEvent) => version(event as HandlerEvent<Data>),
  }
}

function list(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : [...value]
}
