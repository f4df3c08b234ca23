import type { RunView } from '../engine/api.ts'
import { createEngine } from '../engine/engine.ts'
import type { Engine, EngineOptions } from '../engine/engine-options.ts'
import type { Handler } from '../engine/handler.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Receipt } from '../event/receipt.ts'
import type { RunStatus } from '../event/run-status.ts'
import { isTerminal } from '../event/run-status.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { silentLog } from '../kit/log.ts'
import { seededRandom } from '../kit/random.ts'
import { memoryWorld } from '../store/memory/index.ts'
import type { Store } from '../store/store.ts'
import { FakeClock } from './fake-clock.ts'

/** What a test's world is made of. */
export interface TestWorldOptions
  extends Partial<
    Pick<
      EngineOptions,
      'sources' | 'schedules' | 'concurrency' | 'lease' | 'beat' | 'grace' | 'retention' | 'alerts' | 'group' | 'bounds'
    >
  > {
  readonly handlers: readonly Handler[]
  /** Of the randomness. Default 1. */
  readonly seed?: number
  readonly shards?: number
  /** False: the memory store hands events over to their shard, as a clustered store does. */
  readonly acceptSpans?: boolean
  /** Puts something between each node and its store: a fault, a probe. */
  readonly wrapStore?: (store: Store) => Store
}

/** What a node has otherwise than its world. */
export type NodeChange = Partial<Pick<EngineOptions, 'group' | 'schedules' | 'clock' | 'log'>>

/** The real engine on the memory store and a virtual clock. */
export interface TestWorld {
  readonly clock: FakeClock
  /** The first node. */
  readonly hapax: Engine
  /** Starts another node on the same store, with the same handlers or others, in the same group or another. */
  node(handlers?: readonly Handler[], more?: NodeChange): Promise<Engine>
  /** The newest node that lives. */
  newest(): Engine
  /** Kills the newest node: its code never runs on, its lease runs out, nothing is handed back. */
  crash(): Promise<void>
  advance(duration: Duration): Promise<void>
  /** Lets time pass until the condition holds. */
  until(holds: () => boolean | Promise<boolean>, within?: Duration): Promise<void>
  /** Lets time pass until the promise settles. */
  soon<Value>(promise: Promise<Value>, within?: Duration): Promise<Value>
  ended(receipt: Receipt, within?: Duration): Promise<RunView>
  endedRun(id: string, within?: Duration): Promise<RunView>
  standing(receipt: Receipt, status: RunStatus): Promise<void>
  close(): Promise<void>
}

/** Opens a world with one started node. */
export async function testWorld(options: TestWorldOptions): Promise<TestWorld> {
  const clock = new FakeClock()
  const random = seededRandom(options.seed ?? 1)
  const memory = memoryWorld({ clock, shards: options.shards ?? 4, acceptSpans: options.acceptSpans ?? true })
  const nodes: { engine: Engine; store: Store; alive: boolean }[] = []

  const node = async (handlers: readonly Handler[], more: NodeChange = {}): Promise<Engine> => {
    const entry = { alive: true }
    const wrap = options.wrapStore ?? ((store: Store) => store)
    const store = mortal(wrap(memory.connect()), () => entry.alive)
    const engine = await createEngine({
      sources: [],
      clock,
      log: silentLog,
      ...options,
      ...more,
      handlers,
      store,
      random,
    })
    const started = engine.start()
    await within(started, '1m')
    nodes.push(Object.assign(entry, { engine, store }))
    return engine
  }

  const until = async (holds: () => boolean | Promise<boolean>, limit: Duration = '1m'): Promise<void> => {
    const deadline = clock.now() + toMs(limit)
    for (;;) {
      await clock.settle()
      if (await holds()) return
      if (clock.now() >= deadline) throw new HapaxError('run_unfinished', { status: 'not reached in virtual time' })
      await clock.advance(Math.min(100, deadline - clock.now()))
    }
  }

  const within = async <Value>(promise: Promise<Value>, limit: Duration): Promise<Value> => {
    let settled = false
    const watched = promise.finally(() => {
      settled = true
    })
    watched.catch(() => {})
    await until(() => settled, limit)
    return watched
  }

  const reader = (): Engine => {
    const alive = nodes.findLast((one) => one.alive)
    if (!alive) throw new HapaxError('engine_stopped')
    return alive.engine
  }

  const endedRun = async (id: string, limit: Duration = '10s'): Promise<RunView> => {
    let view = await reader().runs.get(id)
    await until(async () => {
      view = await reader().runs.get(id)
      return isTerminal(view.status)
    }, limit)
    return view
  }

  const hapax = await node(options.handlers)
  return {
    clock,
    hapax,
    node: (handlers = options.handlers, more = {}) => node(handlers, more),
    newest: reader,
    crash: async () => {
      const victim = nodes.findLast((one) => one.alive)
      if (victim) victim.alive = false
      await clock.settle()
    },
    advance: (duration) => clock.advance(duration),
    until,
    soon: (promise, limit = '1m') => within(promise, limit),
    endedRun,
    ended: (receipt, limit) => endedRun(receipt.runs[0]?.id ?? '', limit),
    standing: (receipt, status) =>
      until(async () => (await reader().runs.get(receipt.runs[0]?.id ?? '')).status === status),
    close: async () => {
      for (const one of nodes.filter((other) => other.alive)) await within(one.engine.stop(), '1m')
    },
  }
}

/** A store whose calls are never answered once its node is dead: what it had sent before may have been applied. */
function mortal(store: Store, isAlive: () => boolean): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (!isAlive()) return new Promise(() => {})
        const answer: unknown = member.apply(target, args)
        if (!(answer instanceof Promise)) return answer
        return answer.then((value) => (isAlive() ? value : new Promise(() => {})))
      }
    },
  })
}
