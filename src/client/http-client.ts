import type {
  Controls,
  DependencyView,
  Events,
  EventView,
  Intent,
  NewEvent,
  PauseAnswer,
  RedriveView,
  Runs,
  RunView,
  VerbAnswer,
} from '../engine/api.ts'
import { resultIn } from '../engine/run-result.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { errorOf, problemType } from '../errors/problem.ts'
import type { Receipt } from '../event/receipt.ts'
import { isTerminal } from '../event/run-status.ts'
import { type Clock, sleep, systemClock } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import type {
  DependenciesAnswer,
  EventAnswer,
  EventsAnswer,
  HandlersAnswer,
  HandlerView,
  HistoryAnswer,
  ListedSchedule,
  RunsAnswer,
  SchedulesAnswer,
  SourcesAnswer,
  SourceView,
} from '../server/api-types.ts'
import type { Pause } from '../store/store.ts'
import { encodeCloudEvent } from './cloudevent-body.ts'

export type { HandlerView, ListedSchedule, SourceView } from '../server/api-types.ts'

/** How to reach a server. */
export interface ClientOptions {
  /** Where it listens. Default `http://127.0.0.1:4400`. */
  readonly url?: string | URL
  /** How long a request may take. Default 30 s. */
  readonly timeout?: Duration
  /** Sent with every request; a bearer token, for example. */
  readonly headers?: Readonly<Record<string, string>>
  /** The fetch to use. Default: the platform's. */
  readonly fetch?: typeof fetch
  readonly clock?: Clock
}

/** An event as it can be sent to `POST /v1/events`: whose it is, the server decides. */
export type ClientEvent = Omit<NewEvent, 'tenant' | 'headers'>

/** The verbs of a Hapax, over HTTP: the same words, types and errors as in the library. */
export interface HapaxClient {
  /**
   * Sends one event as a CloudEvent. Safe to repeat with the same id when it throws.
   *
   * @throws the server's own errors, and `server_unreachable`
   */
  accept(event: ClientEvent): Promise<Receipt>
  readonly events: Events
  readonly runs: Runs
  readonly controls: Controls
  handlers(): Promise<readonly HandlerView[]>
  /** The schedules of the process that is asked. */
  schedules(): Promise<readonly ListedSchedule[]>
  sources(): Promise<readonly SourceView[]>
  /** Whether the server takes traffic; false while it starts or stops. @throws `server_unreachable` */
  ready(): Promise<boolean>
}

/**
 * A client of one server.
 *
 * @example
 * const hapax = createClient({ url: 'http://127.0.0.1:4400' })
 * const { events } = await hapax.events.list({ source: 'stripe' })
 */
export function createClient(options: ClientOptions = {}): HapaxClient {
  const call = caller(options)
  const clock = options.clock ?? systemClock
  return {
    accept: (event) =>
      call<Receipt>('POST', '/v1/events', {
        text: encodeCloudEvent(event),
        contentType: 'application/cloudevents+json',
        // A conflict is a definite answer with a receipt, not an error.
        also: [409],
      }),
    events: eventsOver(call),
    runs: runsOver(call, clock),
    controls: controlsOver(call),
    handlers: async () => (await call<HandlersAnswer>('GET', '/v1/handlers')).handlers,
    schedules: async () => (await call<SchedulesAnswer>('GET', '/v1/schedules')).schedules,
    sources: async () => (await call<SourcesAnswer>('GET', '/v1/sources')).sources,
    ready: async () => {
      try {
        await call('GET', '/readyz')
        return true
      } catch (error) {
        if (error instanceof HapaxError && error.code !== 'server_unreachable') return false
        throw error
      }
    },
  }
}

/** One request; `T` is what the API promises for this route (`server/api-types`). */
type Call = <T>(method: 'GET' | 'POST', path: string, request?: CallRequest) => Promise<T>

interface CallRequest {
  readonly query?: object
  readonly json?: object
  readonly text?: string
  readonly contentType?: string
  /** Statuses above 299 whose JSON body is an answer, not an error. */
  readonly also?: readonly number[]
}

function eventsOver(call: Call): Events {
  return {
    async get(key) {
      // Asked for as bytes: a JSON number that a double cannot hold would not survive this side's parser.
      const { event, runs } = await call<EventAnswer>('GET', `/v1/events/${encodeURIComponent(key)}`, {
        query: { body: 'base64' },
      })
      const { bodyBase64, data: _, ...rest } = event
      const body = bodyBase64 === undefined ? undefined : new Uint8Array(Buffer.from(bodyBase64, 'base64'))
      return { event: { ...rest, body }, runs } satisfies EventView
    },
    async list(query = {}) {
      const { events, next } = await call<EventsAnswer>('GET', '/v1/events', { query })
      return { events: [...events], next }
    },
    async history(key) {
      return [...(await call<HistoryAnswer>('GET', `/v1/events/${encodeURIComponent(key)}/history`)).entries]
    },
  }
}

function runsOver(call: Call, clock: Clock): Runs {
  const pathOf = (id: string) => `/v1/runs/${encodeURIComponent(id)}`
  const verb = async (id: string, name: string, body: object): Promise<VerbAnswer> => {
    try {
      return await call<VerbAnswer>('POST', `${pathOf(id)}/${name}`, { json: body })
    } catch (error) {
      if (!(error instanceof HapaxError) || error.code !== 'intervention_refused') throw error
      return { outcome: 'refused', run: id, reason: String(error.details.reason ?? '') }
    }
  }
  const get = (id: string) => call<RunView>('GET', pathOf(id))
  return {
    get,
    async list({ statuses, ...query } = {}) {
      const { runs, next } = await call<RunsAnswer>('GET', '/v1/runs', { query: { ...query, status: statuses } })
      return { runs: [...runs], next }
    },
    retry: (id, intent) => verb(id, 'retry', intent),
    cancel: (id, intent) => verb(id, 'cancel', intent),
    replay: (id, intent) => verb(id, 'replay', intent),
    resolve: (id, intent) => verb(id, 'resolve', intent),
    signal: (id, name, payload, options = {}) =>
      verb(id, `signals/${encodeURIComponent(name)}`, { ...options, payload }),
    result: (id, options = {}) => resultOf(id, get, clock, options.timeout),
    redrive: (request, intent) => call<RedriveView>('POST', '/v1/redrive', { json: { ...request, ...intent } }),
    redriveStatus: (id) => call<RedriveView>('GET', `/v1/redrive/${encodeURIComponent(id)}`),
    stopRedrive: (id) => call<RedriveView>('POST', `/v1/redrive/${encodeURIComponent(id)}/stop`, { json: {} }),
  }
}

/** Asks until the run has ended: the API has no call that waits. */
async function resultOf(
  id: string,
  get: (id: string) => Promise<RunView>,
  clock: Clock,
  timeout: Duration | undefined,
): Promise<unknown> {
  const until = timeout === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + toMs(timeout)
  for (;;) {
    const run = await get(id)
    if (run.state && isTerminal(run.state.status)) return resultIn(run.state)
    if (clock.monotonicMs() >= until) throw new HapaxError('run_unfinished', { status: run.status })
    await sleep(clock, limits.pollMinMs)
  }
}

const pathOf = { handler: 'handlers', source: 'sources', dependency: 'dependencies' } as const

function controlsOver(call: Call): Controls {
  const change = (verb: 'pause' | 'resume') => (what: Pause['what'], name: string, intent: Intent) =>
    call<PauseAnswer>('POST', `/v1/${pathOf[what]}/${encodeURIComponent(name)}/${verb}`, { json: intent })
  const dependency = (name: string) => `/v1/dependencies/${encodeURIComponent(name)}`
  const turn = (verb: 'open' | 'close') => (name: string, intent: Intent) =>
    call<DependencyView>('POST', `${dependency(name)}/${verb}`, { json: intent })
  return {
    pause: change('pause'),
    resume: change('resume'),
    settings: () => call('GET', '/v1/settings'),
    counts: () => call('GET', '/v1/counts'),
    dependencies: async () => (await call<DependenciesAnswer>('GET', '/v1/dependencies')).dependencies,
    dependency: (name) => call('GET', dependency(name)),
    open: turn('open'),
    close: turn('close'),
    limit: (name, { rate, concurrency }, intent) => {
      // A number is times a second; over HTTP all rates are text.
      const text = typeof rate === 'number' ? `${rate}/s` : rate
      return call('POST', `${dependency(name)}/limits`, { json: { rate: text, concurrency, ...intent } })
    },
  }
}

function caller(options: ClientOptions): Call {
  const clock = options.clock ?? systemClock
  const base = new URL(options.url ?? 'http://127.0.0.1:4400')
  const timeoutMs = toMs(options.timeout ?? '30s')
  const send = options.fetch ?? fetch
  return async <T>(method: 'GET' | 'POST', path: string, request: CallRequest = {}): Promise<T> => {
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    addQuery(url, request.query ?? {})
    const body = request.text ?? (request.json && JSON.stringify(request.json))
    let response: Response
    const late = new AbortController()
    const timer = clock.setTimer(timeoutMs, () => late.abort())
    try {
      response = await send(url, {
        method,
        headers: {
          accept: `application/json, ${problemType}`,
          ...(body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
          ...options.headers,
        },
        signal: late.signal,
        ...(body === undefined ? {} : { body }),
      })
    } catch (cause) {
      throw new HapaxError('server_unreachable', { url: base.origin, reason: reasonOf(cause) }, { cause })
    } finally {
      timer.cancel()
    }
    return readAnswer<T>(response, base, request.also ?? [])
  }
}

async function readAnswer<T>(response: Response, base: URL, also: readonly number[]): Promise<T> {
  let value: unknown
  try {
    value = await response.json()
  } catch (cause) {
    const reason = `status ${response.status} without JSON`
    throw new HapaxError('server_unreachable', { url: base.origin, reason }, { cause })
  }
  const isProblem = response.headers.get('content-type')?.startsWith(problemType) ?? false
  // The shape is the server's promise (openapi.json); checking it again here would only hide a version mismatch.
  if (!isProblem && (response.ok || also.includes(response.status))) return value as T
  throw errorOf(value) ?? new HapaxError('internal')
}

/** Lists become one comma-separated value; what is undefined is left out. */
function addQuery(url: URL, query: object): void {
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value))
  }
}

/** Of a fetch that failed: the system's word for it, like `ECONNREFUSED`; never a body. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'the request failed'
  const inner: unknown = cause.cause
  if (inner instanceof Error && 'code' in inner) return String(inner.code)
  return cause.name === 'TimeoutError' ? 'no answer in time' : cause.message
}
