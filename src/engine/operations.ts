import { HapaxError } from '../errors/hapax-error.ts'
import { type EventKey, isEventKey, mintEventKey } from '../event/event-key.ts'
import { handlersOf, type Registry } from '../event/handler-record.ts'
import { parseRunId, type RunState, runId } from '../event/run.ts'
import { isTerminal, type RunStatus } from '../event/run-status.ts'
import { type Clock, sleep } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { decodeJson, encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { EventQuery, HistoryEntry, InterveneItem, RunQuery, Settings, Store, StoreCounts } from '../store/store.ts'
import type { Controls, Events, EventView, Intent, Runs, RunView, VerbAnswer } from './api.ts'
import type { Committer } from './committer.ts'
import { Redrives } from './redrive.ts'

/** What the operations need of the node. */
export interface OperationsHost {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly committer: Committer
  registry(): Registry
  /** The registry as the store has it now: another process may have registered handlers. */
  freshRegistry(): Promise<Registry>
  isRunning(shard: number, run: string): boolean
  progressOf(run: string): RunView['progress']
  settingsChanged(settings: Settings): void
}

/** How often an answer that another process gives is looked for. */
const answerPollMs = 25

/** The verbs of people and callers, one implementation for library, HTTP and command line. */
export class Operations {
  readonly #host: OperationsHost
  readonly #redrives: Redrives

  constructor(host: OperationsHost) {
    this.#host = host
    this.#redrives = new Redrives(host, (id, verb, intent) => this.#verb(id, verb, {}, intent))
  }

  /** Ends what goes on in the background. */
  stop(): void {
    this.#redrives.stopAll()
  }

  readonly events: Events = {
    get: async (key) => {
      const event = isEventKey(key) ? await this.#host.store.event(key) : undefined
      if (!event) throw new HapaxError('not_found', { what: 'event' })
      const registry = await this.#registryFor(event.registryVersion)
      const runs: EventView['runs'][number][] = []
      const taking = new Set(handlersOf(registry, event).map((handler) => handler.tag))
      for (const handler of registry.handlers) {
        const record = await this.#host.store.run(key, handler.tag)
        if (!record?.state && !taking.has(handler.tag)) continue
        const id = runId({ event: key, tag: handler.tag })
        runs.push({
          id,
          group: handler.group,
          handler: handler.name,
          status: this.#status(event.shard, id, record?.state),
        })
      }
      return { event, runs }
    },
    list: (query = {}) => this.#host.store.searchEvents(paged<EventQuery>(query)),
    history: async (key): Promise<HistoryEntry[]> => {
      const history = isEventKey(key) ? await this.#host.store.history(key) : []
      if (history.length === 0) throw new HapaxError('not_found', { what: 'event' })
      return history
    },
  }

  readonly runs: Runs = {
    get: (id) => this.#get(id),
    list: (query = {}) => this.#host.store.searchRuns(paged<RunQuery>(query)),
    retry: (id, intent) => this.#verb(id, 'retry', {}, intent),
    cancel: async (id, intent) => {
      const answer = await this.#verb(id, 'cancel', intent.undo === undefined ? {} : { undo: intent.undo }, intent)
      if (answer.outcome === 'refused' && answer.reason === 'undo_unspecified') throw new HapaxError('undo_unspecified')
      return answer
    },
    replay: (id, intent) => {
      const { fromStep, newKeys } = intent
      return this.#verb(
        id,
        'replay',
        { ...(fromStep === undefined ? {} : { fromStep }), ...(newKeys ? { newKeys } : {}) },
        intent,
      )
    },
    resolve: (id, intent) => {
      const { reason: _reason, actor: _actor, ...detail } = intent
      return this.#verb(id, 'resolve', detail, intent)
    },
    signal: async (id, name, payload, options = {}) => {
      const detail = encodeJson(payload, name) ?? 'null'
      const { event, tag } = parseRunId(id)
      const item: InterveneItem = {
        key: this.#mint(),
        event,
        tag,
        verb: 'signal',
        name,
        detail,
        actor: options.actor ?? 'library',
        ...(options.id === undefined ? {} : { id: options.id }),
      }
      return this.#intervene(id, item)
    },
    result: (id, options = {}) => this.#result(id, options.timeout),
    redrive: async (request, intent) => {
      needReason('redrive', intent)
      return this.#redrives.start(request, intent)
    },
    redriveStatus: async (id) => this.#redrives.view(id),
    stopRedrive: async (id) => this.#redrives.stop(id),
  }

  readonly controls: Controls = {
    pause: (what, name, intent) => this.#setting('pause', what, name, intent),
    resume: (what, name, intent) => this.#setting('resume', what, name, intent),
    settings: () => this.#host.store.settings(),
    counts: (): Promise<StoreCounts> => this.#host.store.counts(),
  }

  async #setting(
    verb: 'pause' | 'resume',
    what: 'handler' | 'source',
    name: string,
    intent: Intent,
  ): Promise<Settings> {
    needReason(verb, intent)
    const settings = await this.#host.store.changeSetting({
      verb,
      what,
      name,
      actor: intent.actor ?? 'library',
      reason: intent.reason,
    })
    this.#host.settingsChanged(settings)
    return settings
  }

  async #get(id: string): Promise<RunView> {
    const { event, tag } = parseRunId(id)
    const [record, registry] = await Promise.all([this.#host.store.run(event, tag), this.#registryWith(tag)])
    const handler = registry.handlers.find((one) => one.tag === tag)
    if (!record || !handler) throw new HapaxError('not_found', { what: 'run' })
    return {
      id,
      event,
      group: handler.group,
      handler: handler.name,
      status: this.#status(undefined, id, record.state),
      state: record.state,
      steps: record.checkpoints,
      interventions: record.interventions,
      progress: this.#host.progressOf(id),
    }
  }

  #status(_shard: number | undefined, id: string, state: RunState | undefined): RunStatus {
    if (state && isTerminal(state.status)) return state.status
    return this.#host.progressOf(id) || this.#host.isRunning(0, id) ? 'running' : (state?.status ?? 'ready')
  }

  async #verb(id: string, verb: InterveneItem['verb'], detail: object, intent: Intent): Promise<VerbAnswer> {
    needReason(verb, intent)
    const { event, tag } = parseRunId(id)
    return this.#intervene(id, {
      key: this.#mint(),
      event,
      tag,
      verb,
      detail: encodeJson(detail, verb) ?? '{}',
      reason: intent.reason,
      actor: intent.actor ?? 'library',
    })
  }

  /** Commits it, and waits for the owner's answer as long as an API call may wait. */
  async #intervene(id: string, item: InterveneItem): Promise<VerbAnswer> {
    const answer = await this.#host.committer.intervene(item)
    if (answer.outcome === 'not_found') throw new HapaxError('not_found', { what: 'run' })
    const key = answer.outcome === 'duplicate' ? answer.original : item.key
    const until = this.#host.clock.monotonicMs() + limits.interventionWaitMs
    while (this.#host.clock.monotonicMs() < until) {
      const record = item.tag === undefined ? undefined : await this.#host.store.run(item.event, item.tag)
      const judged = record?.interventions.find((one) => one.key === key)?.answer
      if (judged?.outcome === 'applied') return { outcome: 'applied', run: id }
      if (judged) return { outcome: 'refused', run: id, reason: judged.reason ?? 'refused' }
      await sleep(this.#host.clock, answerPollMs)
    }
    return { outcome: 'pending', run: id }
  }

  async #result(id: string, timeout: Duration | undefined): Promise<unknown> {
    const until = timeout === undefined ? Number.POSITIVE_INFINITY : this.#host.clock.monotonicMs() + toMs(timeout)
    const { event, tag } = parseRunId(id)
    for (;;) {
      const record = await this.#host.store.run(event, tag)
      if (!record) throw new HapaxError('not_found', { what: 'run' })
      const state = record.state
      if (state?.status === 'completed') return decodeJson(state.result)
      if (state && isTerminal(state.status)) {
        throw new HapaxError('run_ended', {
          status: state.status,
          reason: state.error?.message ?? state.reason ?? state.status,
        })
      }
      if (this.#host.clock.monotonicMs() >= until)
        throw new HapaxError('run_unfinished', { status: state?.status ?? 'ready' })
      await sleep(this.#host.clock, answerPollMs)
    }
  }

  #mint(): EventKey {
    return mintEventKey(this.#host.clock.now(), 0, this.#host.random)
  }

  async #registryWith(tag: string): Promise<Registry> {
    const registry = this.#host.registry()
    return registry.handlers.some((handler) => handler.tag === tag) ? registry : this.#host.freshRegistry()
  }

  async #registryFor(version: number): Promise<Registry> {
    const registry = this.#host.registry()
    return registry.version >= version ? registry : this.#host.freshRegistry()
  }
}

function paged<Query extends { limit: number }>(query: Partial<Query>): Query {
  const limit = Math.max(1, Math.min(query.limit ?? 50, limits.pageItems))
  // The rest of a query is optional: with its limit it is whole.
  return { ...query, limit } as Query
}

function needReason(verb: string, intent: Intent): void {
  if (typeof intent?.reason !== 'string' || intent.reason.trim() === '')
    throw new HapaxError('reason_required', { verb })
}
