import { configInvalid, found } from '../errors/config-invalid.ts'
import type { Dependencies } from '../flow/dependencies.ts'
import { Gatherer } from '../flow/gatherer.ts'
import { runContext, useRunContexts } from '../flow/run-context.ts'
import { type Duration, durationMs, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import { type Handler, type HandlerEvent, type HandlerOptions, handler } from './handler.ts'

/** How many events are handled together, and for how long the first of them waits for others. */
export interface BatchOptions {
  /** The most of one call, up to 1,000: each is a run that holds a slot of its node until the call is done. */
  readonly size: number
  /** Shorter than half a minute, or the runs' own timeout comes first. */
  readonly within: Duration
}

/** One event of a batch. */
export interface BatchItem<Data = unknown> {
  readonly event: HandlerEvent<Data>
  /** The stable key of its step, for the other side's idempotency: the same in whichever batch it comes again. */
  readonly key: string
}

/** The step of each run of a batch. */
const stepName = 'batch'

/**
 * Declares a handler that is called for many events at once: fewer calls outside. Each event is a run of its own, with one step,
 * whose effect several runs share: a run is retried, parked, counted and shown by itself, and may come again in another batch with
 * the same key. A batch is of one tenant, and of one node.
 *
 * @param body answers nothing, or a result for each item in their order: an Error among them fails that run alone. What it throws
 * fails all. A dependency may be called in it, as of one of the runs.
 * @throws `config_invalid`
 * @example
 * const index = batchHandler('index', { source: 'shop', on: 'product.*', batch: { size: 100, within: '1s' } }, (items) =>
 *   search.call((signal) => post('/bulk', items.map(({ event, key }) => ({ id: key, ...event.data })), signal)))
 */
export function batchHandler<Data = unknown>(
  name: string,
  options: HandlerOptions<Data> & { readonly batch: BatchOptions },
  body: (items: readonly BatchItem<Data>[], signal: AbortSignal) => unknown,
): Handler {
  const { batch, ...handling } = options
  const problems = batchProblems(batch, body)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `handler "${name}": ${problem}`))
  useRunContexts()
  const gathering = { size: batch.size, withinMs: toMs(batch.within) }
  const timeout = options.timeout ?? limits.handlerTimeoutMs
  /** One for each Hapax that has the handler, and each of its tenants. */
  const gatherers = new WeakMap<Dependencies, Map<string, Gatherer<BatchItem<Data>, unknown>>>()
  const gathererOf = (): Gatherer<BatchItem<Data>, unknown> => {
    const { dependencies, tenant } = runContext(name)
    const ofTenants = gatherers.get(dependencies) ?? new Map<string, Gatherer<BatchItem<Data>, unknown>>()
    gatherers.set(dependencies, ofTenants)
    const gatherer = ofTenants.get(tenant) ?? new Gatherer(dependencies.clock, gathering, body)
    ofTenants.set(tenant, gatherer)
    return gatherer
  }
  const single = handler<Data>(name, handling, (event, run) =>
    run.step(stepName, {
      timeout,
      run: (key, signal) => gathererOf().add({ event, key }, signal, runContext(name).mayCall),
    }),
  )
  return Object.freeze({ ...single, sharesCalls: true })
}

function batchProblems(batch: unknown, body: unknown): string[] {
  if (typeof batch !== 'object' || batch === null) return ['batch: wanted { size, within }']
  const size = 'size' in batch ? batch.size : undefined
  const within = 'within' in batch ? batch.within : undefined
  const isSize = Number.isSafeInteger(size) && Number(size) >= 1 && Number(size) <= limits.batchRuns
  return [
    ...(isSize ? [] : [`batch.size: wanted a whole number from 1 to ${limits.batchRuns}, found ${found(size)}`]),
    ...((durationMs(within) ?? 0) >= 1 ? [] : [`batch.within: wanted a duration like '1s', found ${found(within)}`]),
    ...(typeof body === 'function' ? [] : ['body: wanted a function of (items, signal)']),
  ]
}
