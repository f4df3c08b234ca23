import type { DatabaseSync } from 'node:sqlite'
import type { NewEvent } from '../engine/api.ts'
import type { Handler, Run, StepOptions } from '../engine/handler.ts'
import { configInvalid } from '../errors/config-invalid.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { isTerminal, type RunStatus } from '../event/run-status.ts'
import type { Duration } from '../kit/duration.ts'
import type { Store } from '../store/store.ts'
import { testWorld } from './test-world.ts'
import { transactional } from './transactional.ts'

/** What happened where the node died at one point. */
export interface CrashOutcome {
  /** The commit at which it died, from 1. */
  readonly commit: number
  /** Whether the commit was applied before: its answer was lost. */
  readonly applied: boolean
  /** How the run ended on the next node. */
  readonly status: RunStatus
  /** How often each step's function was called, over all attempts. */
  readonly calls: Readonly<Record<string, number>>
}

/** What {@link crashEverywhere} found. */
export interface CrashReport {
  readonly outcomes: readonly CrashOutcome[]
  /** Steps whose effect was called more than once somewhere: these need a key the other side honours, a confirm, or once. */
  readonly repeats: readonly string[]
  /** Points after which the run neither completed nor stands in a way that says what to do. */
  readonly lost: readonly CrashOutcome[]
}

/** What {@link crashEverywhere} runs the handler in. */
export interface CrashOptions {
  /** How long, in virtual time, a run may take to end. Default one day. */
  readonly within?: Duration
  /**
   * What others send to the run: one after the other, each when the run waits; once more, under the same id, after a
   * crash.
   */
  readonly signals?: readonly { readonly name: string; readonly payload?: unknown }[]
  /**
   * Makes the database that `run.transaction` gets, one for each life: node:sqlite's, with the tables that the handler
   * writes. Left open, to be looked into.
   */
  readonly database?: () => DatabaseSync
}

/**
 * Runs a handler once per crash point: the node dies before, and after, each commit of the run; another node takes over.
 * Shows which effects would repeat.
 *
 * @throws `config_invalid` where the handler needs a transaction and there is no `database`; `run_unfinished` where it
 * does not end without a crash either, naming the signal that it waits for
 * @example
 * const report = await crashEverywhere(settle, { source: 'stripe', id: 'evt_1', type: 'payment_intent.succeeded', data })
 * expect(report.repeats).toEqual([])
 */
export async function crashEverywhere(
  handler: Handler,
  event: NewEvent,
  options: CrashOptions = {},
): Promise<CrashReport> {
  if (handler.needs.includes('transaction') && !options.database) throw needsDatabase(handler)
  const dry = await liveThrough(handler, event, options, undefined)
  const outcomes: CrashOutcome[] = []
  for (let commit = 1; commit <= dry.commits; commit++) {
    for (const applied of [false, true])
      outcomes.push((await liveThrough(handler, event, options, { commit, applied })).outcome)
  }
  const repeats = new Set<string>()
  for (const { calls } of outcomes)
    for (const [step, times] of Object.entries(calls)) if (times > (dry.outcome.calls[step] ?? 1)) repeats.add(step)
  const visible = new Set<RunStatus>(['completed', 'dead', 'cancelled', 'unknown', 'waiting'])
  return { outcomes, repeats: [...repeats].sort(), lost: outcomes.filter((outcome) => !visible.has(outcome.status)) }
}

async function liveThrough(
  handler: Handler,
  event: NewEvent,
  options: CrashOptions,
  point: { commit: number; applied: boolean } | undefined,
): Promise<{ commits: number; outcome: CrashOutcome }> {
  const { within = '1d', signals = [] } = options
  const calls: Record<string, number> = {}
  const database = options.database?.()
  let commits = 0
  let dying = false
  let sent = 0
  let isSending = false
  const world = await testWorld({
    handlers: [counting(handler, calls)],
    wrapStore: (store) =>
      atCommit(database ? transactional(store, database) : store, async (go) => {
        if (dying) return go()
        commits++
        if (commits !== point?.commit) return go()
        dying = true
        if (point.applied) await go()
        await world.crash()
        return new Promise<never>(() => {})
      }),
  })
  const accepted = world.hapax.accept(event).catch(() => undefined)
  await world.until(async () => dying || (await ended()), within)
  if (dying) {
    await world.node()
    // The sender got no receipt, or lost it: it asks again with the same identity, as senders do.
    if (point?.commit === 1) await world.soon(world.newest().accept(event), within)
    isSending = false
    const again = sent
    for (sent = 0; sent < again; ) send((await firstRun())?.id ?? '')
    await world.until(ended, within).catch(() => {})
  }
  const view = await firstRun()
  if (view && !point) await refuseUnprovided(view)
  await world.close()
  return {
    commits,
    outcome: { commit: point?.commit ?? 0, applied: point?.applied ?? false, status: view?.status ?? 'ready', calls },
  }

  async function firstRun() {
    const page = await world.newest().events.list({ limit: 1 })
    const key = page.events.at(-1)?.key
    const run = key === undefined ? undefined : (await world.newest().events.get(key)).runs[0]
    return run
  }

  async function ended(): Promise<boolean> {
    await Promise.race([accepted, Promise.resolve()])
    const run = await firstRun()
    if (run?.status === 'waiting' && !isSending) {
      if (sent === signals.length) return waitsForEver(run.id)
      send(run.id)
    }
    return run !== undefined && (isTerminal(run.status) || run.status === 'unknown')
  }

  /** Whether no time ends its wait, and nobody sends anything: nothing will happen to it any more. */
  async function waitsForEver(run: string): Promise<boolean> {
    const { state } = await world.newest().runs.get(run)
    return state?.status === 'waiting' && state.reason !== 'no_handler' && state.dueAt === undefined
  }

  /** Sends the next signal. Its answer takes virtual time, so that it is not awaited here. */
  function send(run: string): void {
    const id = `crash-everywhere-${sent}`
    const signal = signals[sent++]
    if (!signal) return
    isSending = true
    const answered = () => {
      isSending = false
    }
    world.newest().runs.signal(run, signal.name, signal.payload, { id }).then(answered, answered)
  }

  /** Without a crash it ends by itself, or lacks something of the options. */
  async function refuseUnprovided({ id, status }: { readonly id: string; readonly status: RunStatus }): Promise<void> {
    const { state } = await world.newest().runs.get(id)
    if (!database && state?.error?.code === 'ability_missing') throw needsDatabase(handler)
    if (status !== 'waiting') return
    const names = state?.waitingFor?.join(', ') ?? 'a signal'
    throw new HapaxError('run_unfinished', { status: `waiting for ${names}: give it in signals` })
  }
}

function needsDatabase({ name }: Handler): HapaxError {
  return configInvalid([
    `crashEverywhere: handler "${name}" needs a transaction; give database: () => new DatabaseSync(…)`,
  ])
}

/** The store, with `hook` around each of its commits; a transaction is one. */
function atCommit(store: Store, hook: <Answer>(go: () => Promise<Answer>) => Promise<Answer>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return (batch: Parameters<Store['commit']>[0]) => hook(() => target.commit(batch))
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name === 'transact') return (...args: unknown[]) => hook(async () => member.apply(target, args))
      return member.bind(target)
    },
  })
}

/** The same handler, with the calls of its steps' functions counted. */
function counting(handler: Handler, calls: Record<string, number>): Handler {
  const counted = (run: Run): Run =>
    new Proxy(run, {
      get(target, name) {
        if (name === 'step')
          return (step: string, effect: StepOptions<unknown>['run'] | StepOptions<unknown>) =>
            target.step(step, count(step, effect))
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  const count = (step: string, effect: StepOptions<unknown>['run'] | StepOptions<unknown>): StepOptions<unknown> => {
    const options = typeof effect === 'function' ? { run: effect } : effect
    const name = options.of === undefined ? step : `${step}/${options.of}`
    return {
      ...options,
      run: (key, signal) => {
        calls[name] = (calls[name] ?? 0) + 1
        return options.run(key, signal)
      },
    }
  }
  return { ...handler, body: (event, run) => handler.body(event, counted(run)) }
}
