import type { NewEvent } from '../engine/api.ts'
import type { Handler, Run, StepOptions } from '../engine/handler.ts'
import type { RunStatus } from '../event/run-status.ts'
import type { Duration } from '../kit/duration.ts'
import type { CommitResult, Store } from '../store/store.ts'
import { testWorld } from './test-world.ts'

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

/**
 * Runs a handler once per crash point: the node dies before, and after, each commit of the run; another node takes over.
 * Shows which effects would repeat.
 *
 * @param within how long, in virtual time, a run may take to end. Default one day.
 * @example
 * const report = await crashEverywhere(settle, { source: 'stripe', id: 'evt_1', type: 'payment_intent.succeeded', data })
 * expect(report.repeats).toEqual([])
 */
export async function crashEverywhere(
  handler: Handler,
  event: NewEvent,
  options: { readonly within?: Duration } = {},
): Promise<CrashReport> {
  const within = options.within ?? '1d'
  const dry = await liveThrough(handler, event, within, undefined)
  const outcomes: CrashOutcome[] = []
  for (let commit = 1; commit <= dry.commits; commit++) {
    for (const applied of [false, true])
      outcomes.push((await liveThrough(handler, event, within, { commit, applied })).outcome)
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
  within: Duration,
  point: { commit: number; applied: boolean } | undefined,
): Promise<{ commits: number; outcome: CrashOutcome }> {
  const calls: Record<string, number> = {}
  let commits = 0
  let dying = false
  const counted = counting(handler, calls)
  const world = await testWorld({
    handlers: [counted],
    wrapStore: (store) =>
      atCommit(store, async (go) => {
        if (dying) return go()
        commits++
        if (commits !== point?.commit) return go()
        dying = true
        if (point.applied) await go()
        await world.crash()
        return new Promise<CommitResult>(() => {})
      }),
  })
  const accepted = world.hapax.accept(event).catch(() => undefined)
  await world.until(async () => dying || (await ended()), within)
  if (dying) {
    await world.node()
    // The sender got no receipt, or lost it: it asks again with the same identity, as senders do.
    if (point?.commit === 1) await world.soon(world.newest().accept(event), within)
    await world.until(ended, within).catch(() => {})
  }
  const view = await firstRun()
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
    const status = (await firstRun())?.status
    return status === 'completed' || status === 'dead' || status === 'cancelled' || status === 'unknown'
  }
}

function atCommit(store: Store, hook: (go: () => Promise<CommitResult>) => Promise<CommitResult>): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      if (name === 'commit') return (batch: Parameters<Store['commit']>[0]) => hook(() => target.commit(batch))
      const member: unknown = Reflect.get(target, name, receiver)
      return typeof member === 'function' ? member.bind(target) : member
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
