import { Duplex } from 'node:stream'
import type { Commit } from '../../src/store/store.ts'
import type { Life, Schedule } from '../schedule.ts'
import type { Backend, Said } from './backend.ts'
import { commitUnderWay } from './processes.ts'
import { type Group, Groups } from './protocol.ts'
import type { SimulatedServer } from './server.ts'

/** What becomes of one statement on its way. Spans are milliseconds. */
export type Passage =
  | {
      readonly kind: 'passes'
      readonly requestMs: number
      readonly replyMs: number
      /** Between its end and its commit. */
      readonly openMs: number
      readonly cancels: boolean
    }
  /** Its connection breaks: before the server has it, before it commits, or before the reply has come. */
  | {
      readonly kind: 'breaks'
      readonly when: 'before' | 'middle' | 'after'
      readonly requestMs: number
      readonly replyMs: number
    }
  /** The node's end of the connection breaks, and the server gets the statement later. */
  | { readonly kind: 'late'; readonly requestMs: number; readonly afterMs: number }

/** How a connection asks the wire that it goes by. */
export interface Way {
  readonly schedule: Schedule
  readonly server: SimulatedServer
  readonly life: Life
  latencyMs(): number
  passage(group: Group): Passage
  /** Milliseconds until a notification is heard; undefined: it is lost. */
  hintMs(): number | undefined
  /** Until when nothing comes through there, and back. */
  readonly cutUntilMs: number
  readonly deafUntilMs: number
  readonly refuses: boolean
  /** The server has answered a group. */
  answered(group: Group, commit: Commit | undefined, said: Said): void
  /** A statement is carried out, and its transaction is open. */
  opens(): void
}

/** A connection of `pg`, whose bytes go by the schedule: each way keeps its order, whatever it is delayed by. */
export class SimulatedSocket extends Duplex {
  readonly #way: Way
  readonly #groups = new Groups()
  readonly #there: (() => void)[] = []
  readonly #back: (() => void)[] = []
  #thereMs = 0
  #backMs = 0
  #backend: Backend | undefined
  #isBroken = false
  #isLeaving = false
  /** What the server is at, for this connection. */
  #asked: { readonly group: Group; readonly commit: Commit | undefined; readonly passage: Passage } | undefined

  constructor(way: Way) {
    super({ allowHalfOpen: false })
    this.#way = way
  }

  get life(): Life {
    return this.#way.life
  }

  /** The server's process for it, where there is one. */
  get backend(): Backend | undefined {
    return this.#backend
  }

  connect(): this {
    this.#goes(this.#way.latencyMs(), () => {
      const isRefused = this.#way.refuses
      this.#comes(this.#way.latencyMs(), () => {
        if (isRefused) this.destroy(networkError('ECONNREFUSED'))
        else this.emit('connect')
      })
    })
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /** Its process is gone: what it had sent arrives, and then the end of the connection. */
  abandon(): void {
    if (!this.#isLeaving) this.#goes(this.#way.latencyMs(), () => this.#leave())
    this.#isLeaving = true
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const group of this.#groups.feed(chunk)) if (!this.#isBroken) this.#send(group)
    done()
  }

  override _final(done: () => void): void {
    this.abandon()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.abandon()
    done(error)
  }

  #send(group: Group): void {
    if (group.kind === 'farewell') return
    if (group.kind === 'start') {
      this.#goes(this.#way.latencyMs(), () => this.#start(group))
      return
    }
    const { server } = this.#way
    const passage = this.#way.passage(group)
    const commit = commitUnderWay()
    const give = (commits: boolean) => () => {
      const backend = this.#backend
      if (!backend) return
      this.#asked = { group, commit, passage }
      if (passage.kind === 'passes' && passage.cancels) {
        server.giveAndCancel(backend, group, () => backend.isGone || this.#asked?.group !== group)
      } else server.give(backend, group, commits)
    }
    switch (passage.kind) {
      case 'passes': {
        const isHeld = passage.openMs > 0 && group.uncommitted !== undefined && !passage.cancels
        this.#goes(passage.requestMs, give(!isHeld))
        if (isHeld) this.#goes(this.#thereMs - this.#way.schedule.nowMs + passage.openMs, () => this.#commit())
        return
      }
      case 'breaks':
        if (passage.when === 'before') {
          this.#goes(passage.requestMs, () => this.#leave())
          this.#breaks(passage.replyMs)
        } else this.#goes(passage.requestMs, give(passage.when === 'after'))
        return
      case 'late':
        this.#goes(passage.requestMs, give(true))
        this.#breaks(passage.afterMs)
    }
  }

  #start(group: Group): void {
    const { server } = this.#way
    if (this.#way.refuses) {
      this.#breaks(this.#way.latencyMs())
      return
    }
    this.#backend = server.connect(
      {
        executed: () => this.#executed(),
        answered: (said) => this.#answered(said),
        notified: (bytes) => {
          const hintMs = this.#way.hintMs()
          if (hintMs !== undefined) this.#comes(hintMs, () => this.push(bytes))
        },
        ended: (bytes) => {
          if (this.#isBroken) return
          this.#comes(this.#way.latencyMs(), () => {
            if (bytes.length > 0) this.push(bytes)
            this.push(null)
          })
        },
      },
      group,
    )
  }

  #commit(): void {
    const backend = this.#backend
    if (!backend || backend.isGone) return
    this.#way.server.commit(backend)
  }

  #leave(): void {
    if (this.#backend) this.#way.server.end(this.#backend)
  }

  /** What was sent without its commit is carried out. */
  #executed(): void {
    const { passage, group } = this.#asked ?? {}
    if (group) this.#way.opens()
    if (passage?.kind !== 'breaks') return
    this.#leave()
    this.#breaks(passage.replyMs)
  }

  #answered(said: Said): void {
    const asked = this.#asked
    this.#asked = undefined
    if (!asked) {
      this.#comes(this.#way.latencyMs(), () => this.push(said.bytes))
      return
    }
    const { group, commit, passage } = asked
    if (said.error === undefined && /^\s*listen /i.test(group.text) && this.#backend) this.#backend.listens = true
    this.#way.answered(group, commit, said)
    if (passage.kind === 'passes') this.#comes(passage.replyMs, () => this.push(said.bytes))
    if (passage.kind === 'breaks') {
      this.#leave()
      this.#breaks(passage.replyMs)
    }
  }

  /** The node hears that the connection is reset. */
  #breaks(afterMs: number): void {
    this.#isBroken = true
    this.#comes(afterMs, () => this.destroy(networkError('ECONNRESET')))
  }

  /** Towards the server: also what a process that died had sent. */
  #goes(delayMs: number, fire: () => void): void {
    const { schedule } = this.#way
    this.#thereMs = Math.max(this.#thereMs, schedule.nowMs + delayMs)
    this.#there.push(fire)
    schedule.at(this.#thereMs, () => this.#pass(this.#there, 'cutUntilMs'))
  }

  /** Towards the node. */
  #comes(delayMs: number, fire: () => void): void {
    const { schedule, life } = this.#way
    this.#backMs = Math.max(this.#backMs, schedule.nowMs + delayMs)
    this.#back.push(fire)
    schedule.at(this.#backMs, () => this.#pass(this.#back, 'deafUntilMs', life), life)
  }

  #pass(way: (() => void)[], until: 'cutUntilMs' | 'deafUntilMs', life?: Life): void {
    const { schedule } = this.#way
    const untilMs = this.#way[until]
    if (untilMs > schedule.nowMs) schedule.at(untilMs, () => this.#pass(way, until, life), life)
    else way.shift()?.()
  }
}

/** As the system tells it. */
function networkError(code: 'ECONNREFUSED' | 'ECONNRESET'): Error {
  return Object.assign(new Error(`simulated ${code}`), { code })
}
