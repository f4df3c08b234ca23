import type { Clock } from '../src/kit/clock.ts'
import type { Store } from '../src/store/store.ts'
import { faultyStore, type Passage, type StoreCall, type Wire } from '../src/testing/faulty-store.ts'
import { Draw } from './draw.ts'
import type { NodeOfWire, NodeWire } from './ground.ts'
import type { Sometimes } from './invariants.ts'
import type { Model } from './model.ts'
import type { NodeClock } from './node-clock.ts'
import type { Fault, Plan } from './plan.ts'

/** How long a node waits for an answer before it gives a call up. */
const patienceMs = 700

/** What holds for all nodes alike, until when. */
export interface Weather {
  storeDownUntilMs: number
  storeFullUntilMs: number
}

/** What a wire needs of its world. */
export interface WireWorld {
  readonly plan: Plan
  readonly carrier: Clock
  readonly model: Model
  readonly weather: Weather
  readonly schedule: { readonly nowMs: number }
  connect(): Store
}

type Armed = Extract<Fault, { readonly calls: number }>['kind'] | Extract<Fault, { readonly kind: 'crash' }>['when']

/** The way between a node and the store: latencies by seed, and whatever was armed for its next calls. */
export class SimulatedWire implements NodeWire {
  readonly #world: WireWorld
  readonly #latencies: Draw
  readonly #armed = new Map<Armed, number>()
  readonly #die: () => void
  readonly #stall: (ms: number) => void
  #stallMs = 0
  #slowReadMs = 0
  #lateReplyMs = 0
  #cutUntilMs = 0
  #deafUntilMs = 0
  #hintlessUntilMs = 0
  #isHealed = false

  constructor(index: number, world: WireWorld, node: NodeOfWire) {
    this.#world = world
    this.#latencies = new Draw(world.plan.seed, `latencies of node ${index}`)
    this.#stall = (ms) => {
      if (!this.#isHealed) node.stall(ms)
    }
    this.#die = () => {
      // What was armed before the world healed, and would strike after it, does not.
      if (!this.#isHealed) node.die()
    }
  }

  /** Arms a fault for the node's next calls, or for a time. */
  break(fault: Fault): void {
    const untilMs = this.#world.schedule.nowMs + ('ms' in fault ? fault.ms : 0)
    if ('calls' in fault) this.#armed.set(fault.kind, (this.#armed.get(fault.kind) ?? 0) + fault.calls)
    if (fault.kind === 'stall_in_beat') this.#stallMs = fault.ms
    if (fault.kind === 'slow_read') this.#slowReadMs = fault.ms
    if (fault.kind === 'reply_late') this.#lateReplyMs = fault.ms
    if (fault.kind === 'crash' && fault.when !== 'now') this.#armed.set(fault.when, 1)
    if (fault.kind === 'cut' && fault.way === 'both') this.#cutUntilMs = untilMs
    if (fault.kind === 'cut') this.#deafUntilMs = untilMs
    if (fault.kind === 'hints_lost') this.#hintlessUntilMs = untilMs
  }

  /** Nothing breaks any more. */
  heal(): void {
    this.#isHealed = true
    this.#armed.clear()
    this.#cutUntilMs = 0
    this.#deafUntilMs = 0
    this.#hintlessUntilMs = 0
  }

  open(name: string, clock: NodeClock): Store {
    const { model, carrier, connect } = this.#world
    const wire: Wire = {
      carrier,
      node: clock,
      passage: (call) => this.#passage(name, call),
      hintMs: () => (this.#world.schedule.nowMs < this.#hintlessUntilMs ? undefined : this.#latencyMs()),
      carriedOut: (call, answer, again) => model.carriedOut(name, call, answer, again),
    }
    return faultyStore(connect(), wire)
  }

  gone(): void {}

  #latencyMs(): number {
    return this.#latencies.random.fraction() * this.#world.plan.latencyMs
  }

  #passage(name: string, call: StoreCall): Passage {
    const requestMs = this.#latencyMs()
    const replyMs = this.#latencyMs()
    const { model, weather, schedule } = this.#world
    const now = schedule.nowMs
    const reached = (point: Sometimes) => {
      model.watch.reach(point)
      model.watch.tell(name, `${call.method}: ${point}`)
    }
    const isCommit = call.method === 'commit'
    if (now < weather.storeDownUntilMs) {
      reached('store down')
      return { kind: 'refused', replyMs, reason: 'down' }
    }
    if (now < weather.storeFullUntilMs && isCommit) {
      reached('store full')
      return { kind: 'refused', replyMs, reason: 'full' }
    }
    if (now < this.#cutUntilMs) {
      reached('request lost')
      return { kind: 'request_lost', afterMs: patienceMs }
    }
    if (now < this.#deafUntilMs) {
      reached('reply lost')
      return { kind: 'reply_lost', requestMs, afterMs: patienceMs }
    }
    if (isCommit) return this.#commitPassage(requestMs, replyMs, reached)
    if (call.method === 'own' && model.runs.activeOn(name) > 0 && this.#take('stall_in_beat')) {
      reached('stood still in a beat')
      this.#stall(this.#stallMs)
      return { kind: 'passes', requestMs, replyMs: replyMs + this.#latencies.pick([0, 30, 100, 300]) }
    }
    if (call.method === 'own' && this.#take('lose_beat')) {
      reached('beat lost')
      return this.#latencies.chance(0.5)
        ? { kind: 'request_lost', afterMs: patienceMs }
        : { kind: 'reply_lost', requestMs, afterMs: patienceMs }
    }
    const isRead = call.method === 'tail' || call.method === 'due' || call.method === 'run' || call.method === 'event'
    if (isRead && this.#take('lose_read')) {
      reached('read lost')
      return { kind: 'reply_lost', requestMs, afterMs: patienceMs }
    }
    if (isRead && this.#take('slow_read')) return { kind: 'passes', requestMs, replyMs: replyMs + this.#slowReadMs }
    return { kind: 'passes', requestMs, replyMs }
  }

  #commitPassage(requestMs: number, replyMs: number, reached: (point: Sometimes) => void): Passage {
    const afterMs = patienceMs
    const { carrier } = this.#world
    if (this.#take('before_commit')) {
      reached('crash before commit')
      this.#die()
      return { kind: 'request_lost', afterMs }
    }
    if (this.#take('after_commit')) {
      reached('crash after commit')
      carrier.setTimer(requestMs + replyMs / 2, this.#die)
      return { kind: 'passes', requestMs, replyMs }
    }
    if (this.#take('torn_commit')) {
      reached('crash in the middle of a commit')
      carrier.setTimer(requestMs, this.#die)
      return { kind: 'torn', requestMs, afterMs, keeps: () => this.#latencies.chance(0.5) }
    }
    if (this.#take('lose_request')) {
      reached('request lost')
      return { kind: 'request_lost', afterMs }
    }
    if (this.#take('lose_reply')) {
      reached('reply lost')
      return { kind: 'reply_lost', requestMs, afterMs }
    }
    if (this.#take('reply_late')) {
      reached('reply late')
      return { kind: 'passes', requestMs, replyMs: replyMs + this.#lateReplyMs }
    }
    if (this.#take('commit_late')) {
      reached('commit applied after its node gave up')
      return { kind: 'reply_lost', requestMs: afterMs + this.#latencies.whole(1, 4_000), afterMs }
    }
    if (this.#take('commit_twice')) {
      reached('commit applied twice')
      return { kind: 'repeated', requestMs, replyMs, againMs: this.#latencies.whole(1, 4_000) }
    }
    if (this.#take('commit_torn')) {
      reached('commit torn')
      return { kind: 'torn', requestMs, afterMs, keeps: () => this.#latencies.chance(0.5) }
    }
    return { kind: 'passes', requestMs, replyMs }
  }

  #take(kind: Armed): boolean {
    const left = this.#armed.get(kind) ?? 0
    if (left > 0) this.#armed.set(kind, left - 1)
    return left > 0
  }
}
