import { HapaxError } from '../../src/errors/hapax-error.ts'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import type { Beside, Life, Schedule } from '../schedule.ts'
import { Backend, type BackendListener } from './backend.ts'
import { type Overseer, waitsShorter } from './overseer.ts'
import { within } from './processes.ts'
import { before, type Group, nameOf, sync } from './protocol.ts'

/** After so long without a word it is asked whether a lock is waited for: the server has looked for deadlocks by then. */
const askAfterMs = 12

/** A server that says nothing for so long is broken, or the simulation is. */
const patienceMs = 30_000

/** The server as one world uses it: which of its processes are at work, and when virtual time may go on. */
export class SimulatedServer implements Beside {
  readonly schema: string
  readonly overseer: Overseer
  readonly #lockTimeouts: ReadonlyMap<string, number>
  readonly #schedule: Schedule
  readonly #now: () => number
  readonly #place: { readonly host: string; readonly port: number }
  readonly #backends = new Set<Backend>()
  /** Told of every statement that begins to wait for a lock. */
  waits: (name: string) => void = () => {}
  #tasks = 0
  #last: Promise<void> = Promise.resolve()
  #failure: unknown
  #wake: () => void = () => {}

  /** @param lockTimeouts see {@link Overseer.shortenWaits} */
  constructor(
    overseer: Overseer,
    schema: string,
    lockTimeouts: ReadonlyMap<string, number>,
    schedule: Schedule,
    now: () => number,
  ) {
    this.#lockTimeouts = lockTimeouts
    this.overseer = overseer
    this.schema = schema
    this.#schedule = schedule
    this.#now = now
    const { hostname, port } = new URL(overseer.url)
    this.#place = { host: hostname, port: Number(port) }
  }

  within<Result>(life: Life, fire: () => Result): Result {
    return within(life, fire)
  }

  settled(): Promise<void> | undefined {
    return this.#isAtWork ? this.#settle() : undefined
  }

  /** A process for a connection. */
  connect(listener: BackendListener, start: Group): Backend {
    const changed = () => {
      for (const one of this.#backends) if (one.isGone) this.#backends.delete(one)
      this.#wake()
    }
    const backend = new Backend(this.#place, listener, changed)
    this.#backends.add(backend)
    backend.give(start.bytes, 'ready')
    return backend
  }

  /** Gives a process a statement, at the time that it is now. */
  give(backend: Backend, group: Group, commits: boolean): void {
    backend.group = group
    if (group.uncommitted === undefined) backend.give(group.bytes, 'ready')
    else if (commits) backend.giveBehind(this.#tellsTime(), group.bytes, 'ready')
    else backend.giveBehind(this.#tellsTime(), group.uncommitted, 'executed')
  }

  /** Commits what was given without its commit. */
  commit(backend: Backend): void {
    // Who waited for it goes on at this time. While it waits itself, its own answers are still to come.
    if (backend.isAtRest) backend.giveBehind(this.#tellsTime(), sync, 'ready')
    else backend.give(sync, 'ready')
  }

  /** The process's client is gone: who waited for it goes on at this time, too. */
  end(backend: Backend): void {
    if (![...this.#backends].some(({ isWaiting }) => isWaiting)) backend.end()
    else {
      this.task(async () => {
        await this.overseer.tellTime(this.schema, this.#now())
        backend.end()
      })
    }
  }

  /** Gives it a statement, and cancels that where it waits for a lock. */
  giveAndCancel(backend: Backend, group: Group, isAnswered: () => boolean): void {
    const give = () => this.give(backend, group, true)
    this.task(() => this.overseer.cancelled(this.schema, backend.pid ?? 0, give, isAnswered))
  }

  /** Ends these processes as an administrator does, one after the other. */
  terminate(backends: readonly Backend[]): void {
    this.task(async () => {
      for (const backend of backends) {
        if (backend.pid === undefined || backend.isGone) continue
        await this.overseer.terminate(backend.pid)
        await backend.gone
      }
    })
  }

  /** A notification went out: whoever listens is waited for. */
  notifies(): void {
    for (const backend of this.#backends) if (backend.listens) backend.expectNotification()
  }

  /** Something that virtual time waits for, one after the other. */
  task(work: () => Promise<void>): void {
    this.#tasks++
    const done = () => {
      this.#tasks--
      this.#wake()
    }
    const failed = (error: unknown) => {
      this.#failure ??= error
    }
    this.#last = this.#last.then(work).catch(failed).finally(done)
  }

  #tellsTime(): Buffer {
    return before(`select setval('${this.schema}.simulated_clock', ${this.#now()})`)
  }

  get #isAtWork(): boolean {
    if (this.#failure !== undefined || this.#tasks > 0) return true
    for (const backend of this.#backends) if (backend.isRunning || backend.heldBackSinceMs !== undefined) return true
    return false
  }

  /**
   * Who waited for a lock is heard after whoever had it, and in the order in which they began to wait: of two sockets that have
   * something to say, the event loop takes either first.
   */
  #tellHeldBack(): void {
    if ([...this.#backends].some(({ isRunning }) => isRunning)) return
    const since = ({ heldBackSinceMs }: Backend) => heldBackSinceMs ?? Number.POSITIVE_INFINITY
    const held = [...this.#backends].filter(({ heldBackSinceMs }) => heldBackSinceMs !== undefined)
    for (const backend of held.sort((one, other) => since(one) - since(other))) backend.tell()
  }

  async #settle(): Promise<void> {
    // Whatever was carried out may have given free what others wait for.
    const waited = this.#tasks > 0 ? [] : [...this.#backends].filter(({ isWaiting }) => isWaiting)
    for (const backend of waited) backend.lookAgain()
    const untilMs = systemClock.monotonicMs() + patienceMs
    while (this.#isAtWork) {
      if (this.#failure !== undefined) throw this.#failure
      this.#tellHeldBack()
      const running = [...this.#backends].filter(({ isRunning }) => isRunning)
      if (running.length === 0 && this.#tasks === 0) continue
      const areOld = this.#tasks === 0 && running.every((backend) => waited.includes(backend))
      if (!areOld && (await this.#changes())) continue
      // Our own lock, that a cancel needs, holds nobody up for longer than that.
      if (this.#tasks === 0) await this.#ask(running)
      if (systemClock.monotonicMs() > untilMs) {
        const texts = running.map(({ group }) => group && nameOf(group)).join('; ')
        throw new HapaxError('store_unavailable', { reason: `the server stands still: ${texts}` })
      }
    }
  }

  /** Whether something happened before it is time to ask. */
  #changes(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = systemClock.setTimer(askAfterMs, () => resolve(false))
      this.#wake = () => {
        timer.cancel()
        resolve(true)
      }
    })
  }

  async #ask(running: readonly Backend[]): Promise<void> {
    const pids = running.flatMap(({ pid }) => pid ?? [])
    if (pids.length === 0) return
    const blocked = await this.overseer.blocked(pids)
    for (const backend of running) {
      if (!backend.isRunning || !blocked.has(backend.pid ?? 0)) continue
      if (backend.block(this.#schedule.nowMs)) this.#limit(backend)
    }
  }

  /** A wait that the server ends by itself is as long in virtual time, and then waited for in truth. */
  #limit(backend: Backend): void {
    const { group } = backend
    if (!group) return
    this.waits(nameOf(group))
    const mostMs = this.#lockTimeouts.get(nameOf(group))
    if (mostMs === undefined) return
    this.#schedule.at(this.#schedule.nowMs + mostMs, () => {
      if (backend.isWaiting && backend.group === group)
        this.task(() => this.#whileBlocked(backend, (mostMs / waitsShorter) * 1.2))
    })
  }

  async #whileBlocked(backend: Backend, mostMs: number): Promise<void> {
    const untilMs = systemClock.monotonicMs() + mostMs
    while (backend.isWaiting && systemClock.monotonicMs() < untilMs) await sleep(systemClock, 5)
  }
}
