import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import { mintEventKey, shardOfKey } from '../event/event-key.ts'
import { handlerOfTag, isLive, type Registry } from '../event/handler-record.ts'
import type { Receipt } from '../event/receipt.ts'
import { parseRunId } from '../event/run.ts'
import { repeat, settledWithin } from '../kit/clock.ts'
import { toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import type { Owned, Settings } from '../store/store.ts'
import { Accepter } from './accept.ts'
import { Alerts } from './alerts.ts'
import type { AcceptOptions, HapaxCore, NewEvent, PendingAccept, RunView } from './api.ts'
import { BurstPlaces } from './burst-places.ts'
import { circuitAlert } from './circuit-alert.ts'
import { Committer } from './committer.ts'
import { OperatorControls } from './controls.ts'
import { Dispatcher } from './dispatcher.ts'
import { endRuns } from './end-runs.ts'
import type { Engine, EngineOptions } from './engine-options.ts'
import { Executing } from './executing.ts'
import { FingerprintKeys } from './fingerprint-keys.ts'
import { lossesOf } from './found-run.ts'
import { Gate } from './gate.ts'
import type { Handler } from './handler.ts'
import { handlerRules } from './handler-rules.ts'
import { handlerIndex } from './handlers.ts'
import { Intervener } from './intervener.ts'
import { LateFingerprints } from './late-fingerprints.ts'
import { NodeDependencies } from './node-dependencies.ts'
import { Operations } from './operations.ts'
import { Ownership } from './ownership.ts'
import { PickUp } from './pick-up.ts'
import { ReadinessCheck } from './readiness.ts'
import { runAlert } from './run-alert.ts'
import { RunNews } from './run-news.ts'
import { Runner } from './runner.ts'
import { openSchedules } from './schedule.ts'
import { StragglingSteps } from './straggling-steps.ts'
import { Sweeper } from './sweeper.ts'
import { Ticker } from './ticker.ts'

/** Opens an engine on a store that is migrated. It accepts at once; `start()` makes it own shards and run handlers. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { store, clock, random, log } = options
  const group = options.group ?? 'default'
  const leaseMs = toMs(options.lease ?? limits.leaseMs)
  const beatMs = toMs(options.beat ?? limits.beatMs)
  const node = `${group}-${mintEventKey(clock.now(), 0, random)}`
  const alerts = new Alerts({ clock, log, random, group, node, channels: options.alerts ?? [] })
  const schedules = await openSchedules(options.schedules ?? [])
  const handlers = [...options.handlers, ...schedules.map(({ schedule }) => schedule.handlerIn(group))]
  const index = handlerIndex(group, handlers)
  const sources = new Map(options.sources.map((source) => [source.name, source]))
  const committer = new Committer(store, clock, log)
  const keys = new FingerprintKeys(store, random, options.key)
  const lateFingerprints = new LateFingerprints({ store, keys, log, source: (name) => sources.get(name) })
  const news = new RunNews(clock)
  const executing = new Executing(group, (tag) => handlerName(tag))
  const progress = new Map<string, NonNullable<RunView['progress']>>()
  let registry: Registry = await store.registry()
  let state: 'accepting' | 'started' | 'stopping' | 'stopped' = 'accepting'
  /** Also while it stops, until what it stops after has settled. */
  let accepts = true
  let isStarting = false
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined
  const gate = new Gate()
  let stopWatching: (() => void) | undefined

  const refresh = async (): Promise<Registry> => {
    const fresh = await store.registry()
    if (fresh.version !== registry.version) registry = fresh
    return registry
  }
  const lose = (owned: Owned): void => ownership.lose(owned)
  const handlerName = (tag: string): string => handlerOfTag(registry, tag)?.name ?? tag
  const isRunning = (run: string): boolean => {
    const entry = dispatcher.entry(shardOfKey(parseRunId(run).event), run)
    return entry?.stage === 'running' && entry.coalescedBy === undefined
  }
  const applySettings = (settings: Settings): void => {
    dependencies.learn(settings)
    dispatcher.settings(settings)
  }
  const dependencies: NodeDependencies = new NodeDependencies({
    clock,
    log,
    node,
    store,
    group,
    index,
    sources: options.sources,
    now: () => ownership.now(),
    beat: () => ownership.beat(),
    changed: () => dispatcher.lineChanged(),
    tell: (occurrence) => alerts.raise(occurrence),
  })

  const ownership: Ownership = new Ownership(
    store,
    clock,
    log,
    { node, group, leaseMs, beatMs },
    {
      granted: (grant) => {
        dispatcher.granted(grant)
        for (const ticker of tickers) void ticker.wake()
      },
      lost: (owned) => dispatcher.lost(owned),
      handBack: (owned) => dispatcher.handBack(owned),
      lowMarks: () => dispatcher.lowMarks(),
      registryChanged: () => {
        const reading = refresh().then(() => dispatcher.wake())
        reading.catch(logged('reading the registry'))
        return reading
      },
      settingsChanged: () => {
        const reading = store.settings().then(applySettings)
        reading.catch(logged('reading the settings'))
        return reading
      },
      restingCursors: () => dispatcher.restingCursors(),
      beaten: (quiet) => dispatcher.beaten(quiet),
      claims: () => dependencies.states.claims(),
      lent: (shares) => dependencies.lent(shares),
      lapsed: () => dependencies.states.lapsed(),
    },
  )

  const accepter: Accepter = new Accepter({
    clock,
    random,
    store,
    committer,
    keys,
    lateFingerprints,
    group,
    registry: () => registry,
    source: (name) => sources.get(name),
    handOver: (shard) => (state === 'started' && dispatcher.takesHandOver(shard) ? ownership.pair(shard) : undefined),
    pickShard: () => ownership.pickShard(),
    accepted: (event) => {
      if (state === 'started' && event.orderKey !== undefined) dispatcher.wake()
    },
    expect: (owned) => dispatcher.expect(owned),
    holds: (owned) => ownership.holds(owned),
    lose,
    isRunning,
  })

  const attemptHost = {
    clock,
    log,
    committer,
    store,
    stragglers: new StragglingSteps(clock),
    now: () => ownership.now(),
    holds: (owned: Owned) => ownership.holds(owned),
    toEmit: async (parent: EventRecord, event: Parameters<Parameters<Handler['body']>[1]['emit']>[0], id: string) => {
      const source = event.source ?? group
      return accepter.emitted({ ...event, source, id, tenant: parent.tenant })
    },
    progressed: (run: string, fraction: number, note: string | undefined) => {
      progress.set(run, { fraction, note })
    },
    isDown: (dependency: string) => dependencies.isDown(dependency),
    dependencies: dependencies.states,
  }

  const identitiesMs = toMs(options.retention?.identities ?? limits.identityRetentionMs)
  const tickerHost = { clock, log, store, group, leaseMs, identitiesMs, registry: () => registry, ownership, accepter }
  const tickers = schedules.map((open) => new Ticker(open, tickerHost))

  const runner = new Runner({
    ...attemptHost,
    random,
    group,
    handlerOf: (tag) => index.get(tag),
    fingerprint: (event) => lateFingerprints.dispatched(event),
    handlerName,
    giveAway: (owned, tag) => {
      const handler = handlerOfTag(registry, tag)
      return handler !== undefined && isLive(handler) && ownership.giveAway(owned, handler.name)
    },
    settled: (entry, next) => {
      progress.delete(entry.id)
      alerts.raise(runAlert(entry.id, () => handlerName(entry.tag), entry.record.state, next))
      dispatcher.settled(entry, next)
      news.tell(entry.id, next)
    },
    dropped: (entry) => {
      progress.delete(entry.id)
      dispatcher.dropped(entry)
    },
    again: (entry) => dispatcher.again(entry),
    stale: (entry) => {
      progress.delete(entry.id)
      dispatcher.dropped(entry)
      lose(entry.owned)
    },
  })

  const intervener: Intervener = new Intervener({
    clock,
    store,
    committer,
    log,
    group,
    now: () => ownership.now(),
    registry: () => registry,
    refreshRegistry: refresh,
    orderOf: (tag) => index.get(tag)?.order,
    dispatcher: () => dispatcher,
    news,
    undoOnDeath: (tag) => index.get(tag)?.undoOnDeath,
    holds: (owned) => ownership.holds(owned),
    lose,
  })

  const dispatcher: Dispatcher = new Dispatcher({
    clock,
    log,
    store,
    group,
    leaseMs,
    concurrency: options.concurrency ?? limits.concurrency,
    bounds: options.bounds ?? {
      held: limits.runsHeld,
      aside: limits.runsAside,
      perKey: limits.runsAsidePerKey,
      page: limits.pageEvents,
    },
    registry: () => registry,
    refreshRegistry: refresh,
    ...handlerRules(index),
    now: () => ownership.now(),
    holds: (owned) => ownership.holds(owned),
    run: (entry) => runner.run(executing.begin(entry, ownership.now())),
    ended: (entry) => executing.end(entry),
    intervene: (owned, intervention) => intervener.intervene(owned, intervention),
    isSuspect: (entry) => lossesOf(entry) > 0,
    usesOf: (tag) => dependencies.usesOf(tag),
    lineOf: (entry) => dependencies.lineOf(entry),
    isAllInLines: () => dependencies.isAllInLines,
    burstPlaces: new BurstPlaces({ log, handlerOf: (tag) => index.get(tag) }),
  })

  const operations = new Operations({
    clock,
    log,
    random,
    store,
    committer,
    registry: () => registry,
    freshRegistry: refresh,
    isRunning,
    heldBy: (run) => dispatcher.heldBy(shardOfKey(parseRunId(run).event), run),
    progressOf: (run) => progress.get(run),
    usesOf: (tag) => dependencies.usesOf(tag),
    executing: () => executing.list(),
    news,
  })
  const { controls } = new OperatorControls({
    log,
    store,
    dependencies: dependencies.states,
    freshRegistry: refresh,
    settingsChanged: applySettings,
    hasSource: (name) => sources.has(name),
    turned: (circuit) => alerts.raise(circuitAlert(circuit)),
    usersOf: (dependency) => dependencies.usersOf(dependency),
  })
  const readiness = new ReadinessCheck(store, clock, () => ownership.beatForSure())
  const pickUp = new PickUp({ clock, random, store, committer, group, handlers: index, now: () => ownership.now() })
  const sweeper = new Sweeper(
    store,
    clock,
    log,
    alerts,
    options.retention ?? {},
    async () => {
      // Retention by a wall clock that is wrong would drop what is to be kept.
      if (state !== 'started') await ownership.beatForSure()
      return ownership.now()
    },
    () => lateFingerprints.catchUp().catch(logged('appending fingerprints')),
  )

  function logged(what: string): (error: unknown) => void {
    return (error) => log.warn(`${what} failed`, { error: error instanceof Error ? error.message : String(error) })
  }

  /** A process without handlers has no beat that tells of new ones; a started one picks up young unclaimed events. */
  const lookAtRegistry = async (): Promise<void> => {
    const fresh = ownership.beats ? registry : await refresh()
    if (state === 'started') await pickUp.look(fresh)
  }

  const accept = ((event: NewEvent, acceptOptions: AcceptOptions = {}): Promise<Receipt | PendingAccept> => {
    if (!accepts) return Promise.reject(new HapaxError('engine_stopped'))
    return acceptOptions.transaction === undefined
      ? accepter.accept(event, acceptOptions)
      : accepter.acceptWithin(event, acceptOptions)
  }) as HapaxCore['accept']

  if (store.acceptWithin) await keys.openFor(['default', ...options.sources.map((source) => source.tenant)])
  const registryWatch = repeat(clock, beatMs, lookAtRegistry, logged('looking for new handlers'))
  sweeper.start()

  return {
    accept,
    events: gate.guard(operations.events),
    runs: gate.guard(operations.runs),
    controls: gate.guard(controls),
    schedules: () => gate.whileOpen(() => Promise.all(tickers.map((ticker) => ticker.view()))),
    whileOpen: (ask) => gate.whileOpen(ask),
    ready: () =>
      stopping ? Promise.reject(new HapaxError('engine_stopped')) : gate.whileOpen(() => readiness.check()),
    reject: (source, code) => committer.reject(source, code),

    start() {
      if (stopping) return Promise.reject(new HapaxError('engine_stopped'))
      if (starting) return starting
      isStarting = true
      starting = startNow()
        .catch((error: unknown) => {
          starting = undefined
          throw error
        })
        .finally(() => {
          isStarting = false
        })
      return starting
    },

    stop({ after } = {}) {
      if (!stopping) accepts = after !== undefined
      stopping ??= stopNow(after)
      return stopping
    },
  }

  async function startNow(): Promise<void> {
    for (const one of handlers) {
      for (const ability of one.needs) {
        if (!store.abilities[ability])
          throw new HapaxError('ability_missing', { handler: one.name, ability, store: store.kind })
      }
    }
    registry = await store.register(
      group,
      node,
      handlers.map(({ name, formerly, sources: from, types }) => ({ name, formerly, sources: from, types })),
    )
    state = 'started'
    stopWatching = store.onWork(() => dispatcher.wake())
    applySettings(await store.settings())
    await ownership.start(
      registry,
      handlers.map((one) => one.name),
    )
    log.info('started', { node, group, handlers: handlers.length, shards: ownership.pairs.length })
  }

  async function stopNow(after: Promise<unknown> | undefined): Promise<void> {
    // Nothing is awaited where no start is under way: from the call on, nothing is begun any more.
    if (isStarting) await starting?.catch(() => {})
    const wasStarted = state === 'started'
    state = 'stopping'
    registryWatch.cancel()
    const graceMs = toMs(options.grace ?? limits.graceMs)
    for (const ticker of tickers) ticker.stop()
    dispatcher.takeNoMore()
    const quiet = wasStarted ? endRuns(clock, dispatcher, graceMs) : Promise.resolve()
    if (after) await settledWithin(clock, after, graceMs)
    accepts = false
    sweeper.stop()
    operations.stop()
    await quiet
    if (wasStarted) {
      dispatcher.stop()
      dependencies.stop()
      await ownership.stop((shard) => dispatcher.executes(shard))
    }
    stopWatching?.()
    await settledWithin(clock, committer.drained(), limits.lastWordMs)
    await alerts.stop(limits.lastWordMs)
    committer.close()
    gate.close()
    await store.close()
    state = 'stopped'
    log.info('stopped', { node })
  }
}
