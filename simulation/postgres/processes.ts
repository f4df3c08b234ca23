import { AsyncLocalStorage } from 'node:async_hooks'
import type { Commit } from '../../src/store/store.ts'
import type { Life, Schedule } from '../schedule.ts'

/** Whose code runs, and for which commit. */
interface Running {
  readonly life: Life
  readonly commit?: Commit
}

const running = new AsyncLocalStorage<Running>()

/** Calls something as a process of the simulation. */
export function within<Result>(life: Life, fire: () => Result): Result {
  return running.run({ life }, fire)
}

/** Calls something as a process that carries this commit. */
export function committing<Result>(life: Life, commit: Commit, fire: () => Result): Result {
  return running.run({ life, commit }, fire)
}

/** The commit that is being carried. */
export function commitUnderWay(): Commit | undefined {
  return running.getStore()?.commit
}

/**
 * Puts the timers of the driver's own driver on virtual time: `pg` and its pool know no clock, and wait for replies,
 * connections and idle ones by the global timers. Only what a simulated process sets is caught.
 *
 * @returns takes them back
 */
export function virtualTimers(schedule: Schedule): () => void {
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis
  const set = (fire: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) => {
    const store = running.getStore()
    if (!store) return realSet(fire, delayMs, ...args)
    return new VirtualTimeout(schedule, store.life, () => fire(...args), delayMs)
  }
  globalThis.setTimeout = Object.assign(set, realSet) as typeof realSet
  globalThis.clearTimeout = (timer?: unknown) => {
    if (timer instanceof VirtualTimeout) timer.cancel()
    else realClear(timer as Parameters<typeof realClear>[0])
  }
  return () => {
    globalThis.setTimeout = realSet
    globalThis.clearTimeout = realClear
  }
}

/** What `setTimeout` gives a simulated process. */
class VirtualTimeout {
  readonly cancel: () => void

  constructor(schedule: Schedule, life: Life, fire: () => void, delayMs: number) {
    const timer = schedule.at(schedule.nowMs + delayMs, fire, life)
    this.cancel = () => timer.cancel()
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
