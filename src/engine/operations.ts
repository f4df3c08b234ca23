import { HapaxError } from '../errors/hapax-error.ts'
import { type EventKey, isEventKey, mintEventKey } from '../event/event-key.ts'
import {
  type HandlerRecord,
  handlerOfTag,
  handlersOf,
  handlerTakes,
  isCalled,
  isLive,
  type Registry,
} from '../event/handler-record.ts'
import { parseRunId, type RunState, runId } from '../event/run.ts'
import { isTerminal, type RunStatus } from '../event/run-status.ts'
import type { Clock } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { Random } from '../kit/random.ts'
import type { EventQuery, HistoryEntry, InterveneItem, InterventionRecord, RunSummary, Store } from '../store/store.ts'
import type { Events, EventView, HeldRun, Intent, Runs, RunView, VerbAnswer } from './api.ts'
import type { Committer } from './committer.ts'
import { needReason } from './need-reason.ts'
import { Redrives } from './redrive.ts'
import { listRuns, paged } from './run-list.ts'
import type { RunNews } from './run-news.ts'
import { resultIn } from './run-result.ts'

/** What the operations need of the node. */
export interface OperationsHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly store: Store
  readonly committer: Committer
  registry(): Registry
  /** The registry as the store has it now: another process may have registered handlers. */
  freshRegistry(): Promise<Registry>
  isRunning(run: string): boolean
  /** What it waits for in memory, where this node owns it. */
  heldBy(run: string): HeldRun | undefined
  progressOf(run: string): RunView['progress']
  /** What executes here now. */
  executing(): readonly RunSummary[]
  /** What the runs of this handler use, where this process has it. */
  usesOf(tag: string): readonly string[]
  readonly news: RunNews
}

/** How soon what another process does to a run is looked for; then half as often each time. */
const pollMinMs = 25
const pollMaxMs = 200

/** The verbs of people and callers, one implementation for library, HTTP and command line. */
export class Operations {
  readonly #host: OperationsHost
  readonly #redrives: Redrives

  constructor(host: OperationsHost) {
    this.#host = host
    this.#redrives = new Redrives({
      ...host,
      redriveRun: (id, intent) => this.#verb(id, 'redrive', {}, intent),
      redriveEvent: (event, intent) => this.#redriveEvent(event, intent),
    })
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
        const { status } = await this.#standing(id, key, handler, record?.state)
        runs.push({ id, group: handler.group, handler: handler.name, status })
      }
      return { event, runs }
    },
    list: async (query = {}) => this.#host.store.searchEvents(paged<EventQuery>(query)),
    history: async (key): Promise<HistoryEntry[]> => {
      const history = isEventKey(key) ? await this.#host.store.history(key) : []
      if (history.length === 0) throw new HapaxError('not_found', { what: 'event' })
      return history
    },
  }

  readonly runs: Runs = {
    get: (id) => this.#get(id),
    list: (query = {}) => listRuns(this.#host, query),
    retry: (id, intent) => this.#verb(id, 'retry', {}, intent),
    cancel: async (id, intent) => {
      const answer = await this.#verb(id, 'cancel', intent.undo === undefined ? {} : { undo: intent.undo }, intent)
      if (answer.outcome === 'refused' && answer.reason === 'undo_unspecified') throw new HapaxError('undo_unspecified')
      return answer
    },
    replay: async (id, intent) => {
      const { fromStep, of, newKeys } = intent
      if (of !== undefined && fromStep === undefined)
        throw new HapaxError('invalid_query', { reason: 'of names an item of fromStep, which is missing' })
      const detail = {
        ...(fromStep !== undefined && { fromStep }),
        ...(of !== undefined && { of }),
        ...(newKeys && { newKeys }),
      }
      return this.#verb(id, 'replay', detail, intent)
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

  async #get(id: string): Promise<RunView> {
    const { event, tag } = parseRunId(id)
    const [record, registry] = await Promise.all([this.#host.store.run(event, tag), this.#registryWith(tag)])
    const handler = handlerOfTag(registry, tag)
    if (!record || !handler) throw new HapaxError('not_found', { what: 'run' })
    return {
      id,
      event,
      group: handler.group,
      handler: handler.name,
      ...(await this.#standing(id, event, handler, record.state)),
      state: record.state,
      steps: record.checkpoints,
      interventions: record.interventions,
      progress: this.#host.progressOf(id),
    }
  }

  /** How it stands, and what holds it. */
  async #standing(
    id: string,
    event: EventKey,
    handler: HandlerRecord,
    state: RunState | undefined,
  ): Promise<Pick<RunView, 'status' | 'held'>> {
    const status = this.#status(id, state)
    const held = status === 'ready' ? await this.#heldBy(id, event, handler) : undefined
    // It leaves no record that it is parked: an outage's backlog would cost one for each run.
    return { status: held?.reason === 'circuit_open' ? 'parked' : status, held }
  }

  async #heldBy(id: string, key: EventKey, handler: HandlerRecord): Promise<HeldRun | undefined> {
    const { paused, circuits } = await this.#host.store.settings()
    const uses = this.#host.usesOf(handler.tag)
    if (paused.length > 0) {
      const source = (await this.#host.store.event(key))?.source
      const holds = { handler: (name: string) => isCalled(handler, name), source: (name: string) => name === source }
      const pause = paused.find(({ what, name }) => (what === 'dependency' ? uses.includes(name) : holds[what](name)))
      if (pause) return { reason: 'paused', by: `${pause.what} ${pause.name}` }
    }
    const open = circuits.find(({ dependency, state }) => state !== 'closed' && uses.includes(dependency))
    if (open) return { reason: 'circuit_open', by: open.dependency }
    return this.#host.heldBy(id)
  }

  #status(id: string, state: RunState | undefined): RunStatus {
    if (state && isTerminal(state.status)) return state.status
    return this.#host.progressOf(id) || this.#host.isRunning(id) ? 'running' : (state?.status ?? 'ready')
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
    const judged = await this.#look(id, limits.interventionWaitMs, async () => {
      const record = await this.#host.store.run(item.event, item.tag)
      return record?.interventions.find((one) => one.key === key)?.answer
    })
    return answerOf(id, judged)
  }

  /** An event that no handler took has no run yet: its history tells what became of it. */
  async #redriveEvent(event: EventKey, intent: Intent): Promise<VerbAnswer> {
    const found = await this.#host.store.event(event)
    if (!found) throw new HapaxError('not_found', { what: 'event' })
    const { handlers } = await this.#host.freshRegistry()
    const takers = handlers.filter((one) => isLive(one) && handlerTakes(one, found.source, found.type))
    const answers = await Promise.all(takers.map(({ tag }) => this.#verb(runId({ event, tag }), 'redrive', {}, intent)))
    const nobody: VerbAnswer = { outcome: 'refused', run: event, reason: 'no_handler' }
    const best = (outcome: VerbAnswer['outcome']) => answers.find((one) => one.outcome === outcome)
    return { ...(best('applied') ?? best('pending') ?? best('refused') ?? nobody), run: event }
  }

  /**
   * Reads until there is an answer: whenever something happened to the run here, and now and then. What executes here
   * is not read before: that it ended will be told.
   */
  async #look<Answer>(
    id: string,
    withinMs: number,
    read: (told: RunState | undefined) => Promise<Answer | undefined>,
    isRunning = this.#host.isRunning(id),
  ): Promise<Answer | undefined> {
    const { clock, news } = this.#host
    const until = clock.monotonicMs() + withinMs
    const watch = news.watch(id)
    try {
      let told = withinMs > 0 && isRunning ? await watch.next(Math.min(pollMinMs, withinMs)) : undefined
      for (let pollMs = pollMinMs; ; pollMs = Math.min(pollMs * 2, pollMaxMs)) {
        const answer = await read(told)
        const leftMs = until - clock.monotonicMs()
        if (answer !== undefined || leftMs <= 0) return answer
        told = await watch.next(Math.min(pollMs, leftMs))
      }
    } finally {
      watch.close()
    }
  }

  async #result(id: string, timeout: Duration | undefined): Promise<unknown> {
    const { event, tag } = parseRunId(id)
    let latest: RunState | undefined
    const ended = await this.#look(
      id,
      timeout === undefined ? Number.POSITIVE_INFINITY : toMs(timeout),
      async (told) => {
        const record = told ? { state: told } : await this.#host.store.run(event, tag)
        if (!record) throw new HapaxError('not_found', { what: 'run' })
        latest = record.state
        return latest && isTerminal(latest.status) ? latest : undefined
      },
    )
    if (!ended) throw new HapaxError('run_unfinished', { status: latest?.status ?? 'ready' })
    return resultIn(ended)
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

function answerOf(run: string, judged: InterventionRecord['answer']): VerbAnswer {
  if (!judged) return { outcome: 'pending', run }
  if (judged.outcome === 'refused') return { outcome: 'refused', run, reason: judged.reason ?? 'refused' }
  return { outcome: 'applied', run, ...(judged.reason === 'to_the_back' && { note: judged.reason }) }
}
