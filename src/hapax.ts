import { logAlert } from './alerts/log-alert.ts'
import { checkOptions, scheduleProblems } from './config/check-options.ts'
import type { HapaxCore } from './engine/api.ts'
import { createEngine } from './engine/engine.ts'
import type { Engine } from './engine/engine-options.ts'
import type { Handler } from './engine/handler.ts'
import type { Schedule } from './engine/schedule.ts'
import type { Retention } from './engine/sweeper.ts'
import type { AlertChannel } from './event/alert.ts'
import type { HandlerRecord } from './event/handler-record.ts'
import { createFetchIngress } from './ingress/fetch-ingress.ts'
import { createHttpIngress, type HttpIngress } from './ingress/http-ingress.ts'
import { type Clock, systemClock } from './kit/clock.ts'
import type { Duration } from './kit/duration.ts'
import { type Log, silentLog } from './kit/log.ts'
import { type Random, systemRandom } from './kit/random.ts'
import type { Source } from './sources/source.ts'
import { type MigrateMode, openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'

/** What {@link createHapax} takes. */
export interface HapaxOptions {
  /** `'sqlite:path/to/file.db'`, `'postgres://user@host/database'`, `'memory:'`, or an open store. */
  readonly store: string | Store
  /**
   * `'check'` refuses a store that is missing or of an earlier version, with the command to run; `'auto'` makes or upgrades
   * it. Default `'auto'`, on PostgreSQL `'check'`. An open store is taken as it is.
   */
  readonly migrate?: MigrateMode
  /** Where events come from; each is one endpoint. Default none. */
  readonly sources?: readonly Source[]
  /** What processes them. None: this process only accepts. */
  readonly handlers?: readonly Handler[]
  /** What is called at certain times: `schedule(…)`. Default none. */
  readonly schedules?: readonly Schedule[]
  /** Nodes that run the same handlers. Several services may share a store under groups of their own. Default `'default'`. */
  readonly group?: string
  /** Runs executing at once on this node. Default 100. */
  readonly concurrency?: number
  /** How long a silent node keeps its shards. Default `'8s'`, renewed every `beat`. */
  readonly lease?: Duration
  /** Default `'2s'`. */
  readonly beat?: Duration
  /** How long `stop()` waits for runs before it hands them back. Default `'25s'`. */
  readonly grace?: Duration
  readonly retention?: Retention
  /** Where people are told: `slackAlert({ … })`, `webhookAlert({ … })` of `hapax/alerts`. Default: the log, at `warn`. */
  readonly alerts?: readonly AlertChannel[]
  /** Secret that wraps the fingerprint keys in the store. Default: they are kept as they are. */
  readonly key?: string
  /** Default: silent. */
  readonly log?: Log
  /** For tests: virtual time and seeded randomness. */
  readonly clock?: Clock
  readonly random?: Random
}

/** The library: accepts events, runs handlers, reads and moves what is kept. */
export interface Hapax extends HapaxCore, AsyncDisposable {
  /** Serves `POST /in/{source}` for any fetch-style server. */
  fetch(request: Request): Promise<Response>
  /** `POST /in/{source}` apart from any server: what `fetch` and `toNodeListener` serve. */
  readonly ingress: HttpIngress
  /** The configured sources. */
  readonly sources: readonly Source[]
  /** The handlers of every group, as the store's registry has them. */
  handlers(): Promise<readonly HandlerRecord[]>
  /** Counts a request that was turned away before it was an event. */
  reject(source: string, code: string): void
}

/**
 * Opens the store, and makes ready to accept. `start()` begins to run handlers in this process; without it the process
 * only accepts, which is a supported use.
 *
 * @throws `store_unknown`, `store_refused`, `schema_too_new`, `config_invalid`, `ability_missing`
 * @example
 * await using hapax = await createHapax({ store: 'sqlite:hapax.db', handlers: [greet] })
 * await hapax.start()
 * const receipt = await hapax.accept({ source: 'shop', id: 'order-1', type: 'order.paid', data: { total: 1999 } })
 */
export async function createHapax(options: HapaxOptions): Promise<Hapax> {
  checkOptions(options, await scheduleProblems(options.schedules))
  const clock = options.clock ?? systemClock
  const random = options.random ?? systemRandom()
  const log = options.log ?? silentLog
  const { migrate, alerts = [logAlert()] } = options
  const store =
    typeof options.store === 'string' ? await openStore(options.store, { clock, random, log, migrate }) : options.store
  const sources = options.sources ?? []
  const handlers = options.handlers ?? []
  let engine: Engine
  try {
    await store.migrate()
    engine = await createEngine({ ...options, store, clock, random, log, handlers, sources, alerts })
  } catch (error) {
    if (store !== options.store) await store.close()
    throw error
  }
  const ingress = createHttpIngress({ sources, accept: engine.accept, clock, reject: engine.reject, log })
  return {
    ...engine,
    sources,
    ingress,
    handlers: () => engine.whileOpen(async () => (await store.registry()).handlers),
    fetch: createFetchIngress(ingress),
    [Symbol.asyncDispose]: () => engine.stop(),
  }
}
