import type { HandlerEvent } from '../../src/engine/handler.ts'
import type { RunState, StepAddress } from '../../src/event/run.ts'
import { isTerminal } from '../../src/event/run-status.ts'
import type { AnswerItem, InterveneAnswer, InterveneItem, SettleAnswer, SettleItem } from '../../src/store/store.ts'
import { briefMs } from '../code.ts'
import { handlerNamed, handlersFor, tagOf } from './handlers.ts'
import { type EventFacts, identityOf, type Ledger } from './ledger.ts'
import type { Limits } from './limits.ts'
import { Order } from './order.ts'
import { Overtaken } from './overtaken.ts'
import type { Hold, Owners } from './owners.ts'
import { pointsOf } from './points.ts'
import { type Entered, RunFacts } from './run-facts.ts'
import { Signals } from './signals.ts'
import { Superseded } from './superseded.ts'
import type { Watch } from './watch.ts'

export type { Entered } from './run-facts.ts'
export { RunFacts } from './run-facts.ts'

/** Most failures since the last checkpoint: the policy of every handler in the workload. */
const attemptsMax = 4

/** Longest that the run of a tick takes. */
const tickMs = 5_000

/** Longest way of a commit, its reply lost. */
const commitMs = 2_000

/** Runs: who executes them, how they settle, how they end (G5, G6, G7, G8). */
export class Runs {
  readonly signals: Signals
  readonly superseded: Superseded
  readonly #watch: Watch
  readonly #ledger: Ledger
  readonly #owners: Owners
  readonly #limits: Limits
  readonly #order: Order
  readonly #overtaken: Overtaken
  readonly #concurrency: number
  readonly #runs = new Map<string, RunFacts>()
  readonly #active = new Map<RunFacts, Hold>()
  /** Their versions are to be kept before they are settled: where that fails, they begin again, and hold no slot until then. */
  readonly #returned = new Set<RunFacts>()
  readonly #stopped = new Set<string>()
  readonly #dead = new Set<string>()
  readonly #verbs = new Map<string, InterveneItem>()
  /** Whether a step of the run is in doubt, or one that is marked once or has a confirm. */
  isInDoubt: (run: RunFacts, which?: 'guarded') => boolean = () => false
  /** A handler is entered. */
  entering: (run: RunFacts, event: EventFacts, node: string) => void = () => {}
  /** A person has said what became of a step. */
  resolved: (run: RunFacts, step: StepAddress) => void = () => {}

  constructor(watch: Watch, ledger: Ledger, owners: Owners, limits: Limits, concurrency: number) {
    this.#watch = watch
    this.#ledger = ledger
    this.#owners = owners
    this.#limits = limits
    this.#concurrency = concurrency
    this.signals = new Signals(watch)
    this.#overtaken = new Overtaken(watch, ledger)
    this.superseded = new Superseded(watch, ledger, (run, which) => this.isInDoubt(run, which))
    this.#order = new Order(
      watch,
      (key) => ledger.events.get(key),
      (run) => this.#isActive(run),
    )
  }

  byId(id: string): RunFacts {
    const known = this.#runs.get(id)
    if (known) return known
    const run = new RunFacts(id)
    this.#runs.set(id, run)
    const event = this.#ledger.events.get(run.event)
    if (event) {
      run.handler = handlerNamed(event, run.tag)
      run.name = `${run.handler ?? run.tag}(${event.tenant}/${event.id})`
      this.#order.note(run, event)
    }
    return run
  }

  /** The store has an event: its runs have their places. */
  knows(event: EventFacts): void {
    this.#dueRuns(event)
  }

  get all(): readonly RunFacts[] {
    return [...this.#runs.values()]
  }

  /** A node's process is gone. */
  nodeDied(node: string): void {
    this.#dead.add(node)
  }

  /** A node's stop has resolved: nothing may begin there. */
  nodeStopped(node: string): void {
    this.#stopped.add(node)
  }

  /** Whether an attempt of the run executes on a node that lives and owns it. */
  #isActive(run: RunFacts): boolean {
    const active = this.#active.get(run)
    if (active === undefined || this.#dead.has(active.node)) return false
    const event = this.#ledger.events.get(run.event)
    // A node whose clock is slow may begin what another has taken over by then, until its next beat tells it so. What was
    // lost and came back to the same node is another epoch's: its old attempt was given up. And so is all that a node does
    // when its lease runs out, whether or not another has taken the pair by then.
    return event !== undefined && this.#owners.isHeld(active, event.shard)
  }

  activeOn(node: string): number {
    const active = [...this.#active].filter(([run, { node: on }]) => on === node && this.#isActive(run))
    return active.filter(([run]) => !this.#returned.has(run)).length
  }

  /** The order keys of the charges that are under way, over all nodes. */
  #charging(): (string | undefined)[] {
    const active = [...this.#active.keys()].filter((run) => this.#isActive(run))
    const charges = active.filter((run) => run.handler === 'charge')
    return charges.map((run) => this.#ledger.events.get(run.event)?.orderKey)
  }

  /** A handler was entered. */
  entered(at: Entered, seen: HandlerEvent): void {
    const event = this.#ledger.events.get(seen.key)
    if (!event) {
      this.#watch.violate(
        'G4.emit',
        `${at.run} runs an event that was neither accepted nor emitted with its checkpoint`,
      )
      return
    }
    if (seen.tenant !== event.tenant || seen.id !== event.id)
      this.#watch.violate('G11.tenant', `${identityOf(seen)} was given the run of ${identityOf(event)}`)
    const run = this.byId(at.run)
    this.#watch.tell(at.node, `begins attempt ${at.generation}.${at.attempt} of ${run.name}`)
    this.mayStart(run, at, 'the handler')
    this.#order.enters(run, event, at)
    this.superseded.enters(run, event)
    this.entering(run, event, at.node)
    const { state } = run
    if (state && isTerminal(state.status) && state.generation === at.generation && this.#watch.clocksAgree)
      this.#watch.violate('G5.final', `${run.name} is ${state.status} and began attempt ${at.attempt}`)
    if (state?.dueAt !== undefined && state.generation === at.generation)
      this.notBefore(run, state.dueAt, `began attempt ${at.attempt}`)
    this.notTooOld(run, event, `began attempt ${at.attempt}`)
    run.enter(at, this.#watch.nowMs)
    this.#returned.delete(run)
    this.#active.set(run, this.#owners.holdOf(at.node, event.shard))
    if (run.handler === 'charge') this.#limits.begun(event.orderKey, this.#charging())
    if (this.activeOn(at.node) > this.#concurrency)
      this.#watch.violate('G8.slots', `${at.node} runs ${this.activeOn(at.node)} at once, may ${this.#concurrency}`)
  }

  /** A handler has returned. */
  returned({ run }: Entered, { key }: HandlerEvent): void {
    const event = this.#ledger.events.get(key)
    if (event && this.superseded.returned(this.byId(run), event)) this.#returned.add(this.byId(run))
  }

  /** Nothing of a run begins on a node that lost it, or that has stopped. */
  mayStart(run: RunFacts, at: Entered, what: string): void {
    if (this.#stopped.has(at.node))
      this.#watch.violate('G10.stop', `${at.node} began ${what} of ${run.name} after its stop`)
    const event = this.#ledger.events.get(run.event)
    const owner = event && this.#owners.ownerOf(event.shard)
    if (owner !== undefined && owner !== at.node && this.#watch.clocksAgree)
      this.#watch.violate('G6.self_fence', `${at.node} began ${what} of ${run.name}, which is ${owner}'s`)
  }

  /** Whether its handler lets it become so old; undefined: for ever. */
  #expiryOf(run: RunFacts, event: EventFacts): number | undefined {
    return run.handler === 'brief' ? (run.state?.openedAt ?? event.acceptedAt) + briefMs : undefined
  }

  /** Nothing new is begun of a run that is too old, unless a step is in doubt. */
  notTooOld(run: RunFacts, event: EventFacts, what: string): void {
    const expiresAt = this.#expiryOf(run, event)
    if (expiresAt === undefined || run.state?.undoBegun || this.isInDoubt(run)) return
    const lateMs = this.#watch.storeNow - expiresAt
    // What is looked at before its begin is committed may come after it by as long as a commit may take.
    if (lateMs > commitMs) this.#watch.violate('G5.expires', `${run.name} ${what} ${lateMs} ms after it was too old`)
  }

  /** An owner that was lost may have begun it, and left no trace. */
  isSuspect(run: RunFacts): boolean {
    const event = this.#ledger.events.get(run.event)
    return event !== undefined && this.#owners.lapsedSince(event.shard, event.acceptedAt)
  }

  stepMayStart(run: RunFacts, what: string): void {
    const event = this.#ledger.events.get(run.event)
    if (event && what.startsWith('step:')) this.notTooOld(run, event, `began ${what}`)
  }

  /** By the store's clock; where machines' seconds differ, a node may be wrong by what it drifts between two beats. */
  notBefore(run: RunFacts, dueAt: number, what: string): void {
    const slackMs = this.#watch.clocksAgree ? 2 : 300
    const earlyMs = dueAt - this.#watch.storeNow
    if (earlyMs > slackMs) this.#watch.violate('G5.early', `${run.name} ${what} ${earlyMs} ms early`)
  }

  /** The store has judged a settlement. */
  settled(node: string, item: SettleItem, answer: SettleAnswer): RunFacts {
    const run = this.byId(`${item.run.event}-${item.run.tag}`)
    const next = item.state
    if (answer === 'look_again') this.#watch.reach('look again')
    else if (this.#active.get(run)?.node === node) this.#active.delete(run)
    if (answer === 'finished') this.#watch.reach('settlement finished before')
    if (answer === 'stale') this.#watch.reach('settlement of a stale epoch refused')
    if (answer !== 'settled') return run
    const name = `settle ${next.generation}.${next.turn}`
    const text = JSON.stringify(item)
    if (run.written.has(text)) return run
    if (run.written.has(name)) {
      this.#watch.violate('G6.idempotent', `${run.name} was settled twice at turn ${next.generation}.${next.turn}`)
    }
    run.written.set(text, 0)
    run.written.set(name, 0)
    this.fenced(run, item.owned, 'settlement')
    this.#moves(run, item)
    this.#overtaken.settled(run, item)
    this.superseded.settled(run, item)
    const verb = this.verbOf(item)
    if (verb?.verb === 'resolve') {
      const { step = '', of = '', fail }: { step?: string; of?: string; fail?: boolean } = JSON.parse(verb.detail)
      // Of a run that was let die, and is run again, the step is in doubt still.
      if (!fail || next.status === 'undoing') this.resolved(run, { kind: 'step', name: step, of })
    }
    this.#dies(run, item)
    run.settlements++
    run.state = next
    run.progressed = false
    const why = next.reason === undefined ? '' : ` (${next.reason})`
    this.#watch.tell('store', `${run.name} is ${next.status}${why}, turn ${next.generation}.${next.turn}`)
    this.#reach(next, run)
    return run
  }

  /** A write under an old epoch changes nothing. */
  fenced(run: RunFacts, owned: SettleItem['owned'], what: string): void {
    if (this.#owners.isPast(owned))
      this.#watch.violate('G6.fence', `a ${what} of ${run.name} under epoch ${owned.epoch} was written`)
  }

  #moves(run: RunFacts, { state: next, attemptedAt, intervention }: SettleItem): void {
    const before = run.state
    const generation = before?.generation ?? 1
    if (next.generation < generation || (before && next.generation === generation && isTerminal(before.status)))
      this.#watch.violate(
        'G5.final',
        `${run.name} was ${before?.status} and is ${next.status} in generation ${next.generation}`,
      )
    if (intervention !== undefined || next.generation !== generation) return
    const failures = before?.failures ?? 0
    const allowed = run.progressed ? [0, failures] : [failures]
    // What failed in an outage is given back, at the next settlement.
    if (before?.reason === 'retry' && before.dependency !== undefined && this.#limits.wasDown(before.since)) {
      this.#watch.reach('attempt given back')
      // In a row, if they are of one outage.
      const { times = 1, since = before.since } = before.failing ?? {}
      if (times > 1 && this.#limits.wasDown(since)) this.#watch.reach('attempts given back')
      allowed.push(Math.max(0, failures - (this.#limits.wasDown(since) ? times : 1)))
    }
    if (next.status === 'parked') this.#watch.reach('parked')
    const free = ['deferred', 'handed_back', 'sleep', 'signal', 'no_handler', 'circuit_open']
    if (next.reason !== undefined && free.includes(next.reason) && !allowed.includes(next.failures))
      this.#watch.violate(
        'G8.attempts',
        `${run.name} had ${failures} failures and has ${next.failures}: ${next.reason}`,
      )
    if (next.reason === 'retry' && !allowed.includes(next.failures - 1))
      this.#watch.violate('G8.attempts', `${run.name} had ${failures} failures and has ${next.failures} after one more`)
    const isExhausted = next.status === 'dead' && next.reason === 'attempts_exhausted'
    if (next.failures > attemptsMax || (isExhausted && next.failures < attemptsMax))
      this.#watch.violate('G8.attempts', `${run.name} is ${next.status} after ${next.failures} failures`)
    if (attemptedAt === undefined && next.failures > failures)
      this.#watch.violate('G8.attempts', `${run.name} failed without an attempt`)
  }

  /** A person may let it die; a run that wore its nodes out is not entered again to be asked. */
  #dies(run: RunFacts, { state: next, intervention }: SettleItem): void {
    if (next.status !== 'dead' || intervention !== undefined || next.error?.code === 'crash_loop') return
    if (this.isInDoubt(run, 'guarded'))
      this.#watch.violate('G4.unanswered', `${run.name} is dead (${next.reason}) with a step in doubt`)
  }

  #reach(state: RunState, run: RunFacts): void {
    for (const point of pointsOf(state)) this.#watch.reach(point)
    const event = this.#ledger.events.get(run.event)
    if (event && !isTerminal(state.status) && this.#order.hasFollowers(run, event))
      this.#watch.reach('order key held by a standing head')
  }

  /** The store has a verb. */
  asked(item: InterveneItem, answer: InterveneAnswer): void {
    if (answer.outcome === 'not_found') return
    const run = this.byId(`${item.event}-${item.tag}`)
    if (answer.outcome === 'duplicate') {
      this.#watch.reach('signal twice, once counted')
      return
    }
    if (this.#verbs.has(item.key)) return
    const twin = [...this.#verbs.values()].find(
      (one) =>
        item.id !== undefined &&
        one.id === item.id &&
        one.event === item.event &&
        one.tag === item.tag &&
        one.verb === item.verb,
    )
    if (twin) this.#watch.violate('G2.verb', `${item.verb} ${item.id} of ${run.name} was written twice`)
    this.#verbs.set(item.key, item)
    run.unanswered.add(item.key)
    this.#watch.tell('store', `has ${item.verb} ${item.name ?? item.detail} for ${run.name}`)
    const detail: { newKeys?: boolean; repeat?: boolean } = JSON.parse(item.detail)
    if (item.verb === 'replay' && detail.newKeys) run.newKeysAsked++
    if (item.verb === 'resolve' && detail.repeat) run.repeatsAllowed++
    if (item.verb === 'signal') this.signals.written(run, item, answer)
  }

  /** An owner has judged a verb. */
  answered(item: AnswerItem): void {
    const verb = this.#verbs.get(item.intervention)
    if (!verb) return
    const run = this.byId(`${verb.event}-${verb.tag}`)
    if (!run.unanswered.delete(item.intervention)) return
    this.#watch.reach(item.outcome === 'applied' ? 'verb applied' : 'verb refused')
    if (item.outcome === 'refused') this.signals.refused(item.intervention)
    const { state } = run
    const isCancelled = state && (state.status === 'cancelled' || state.undoBegun || state.reason === 'released')
    if (verb.verb === 'cancel' && item.outcome === 'applied' && !isCancelled && state?.reason !== 'replay')
      this.#watch.violate('G5.answered', `${run.name} was answered as cancelled and is ${state?.status ?? 'ready'}`)
    this.#watch.tell('store', `${verb.verb} of ${run.name} is ${item.outcome}${item.reason ? `: ${item.reason}` : ''}`)
  }

  /** The verb that a settlement carried out. */
  verbOf(item: SettleItem): InterveneItem | undefined {
    return item.intervention === undefined ? undefined : this.#verbs.get(item.intervention)
  }

  /** What has not ended and does not stand visibly: names and why. What ticked just now may. */
  unfinished(): string[] {
    const left: string[] = []
    for (const event of this.#ledger.events.values()) {
      if (event.type.startsWith('schedule.') && event.acceptedAt > this.#watch.storeNow - tickMs) continue
      for (const run of this.#dueRuns(event)) {
        const why = this.#whyUnfinished(run, event)
        if (why !== undefined) left.push(`${run.name} ${why}`)
      }
    }
    for (const run of this.#runs.values()) if (run.unanswered.size > 0) left.push(`${run.name} has unanswered verbs`)
    return left
  }

  #dueRuns(event: EventFacts): RunFacts[] {
    const [first, ...others] = handlersFor(event)
    const promised = others.filter((name) => event.promised.has(`${event.key}-${tagOf(name)}`))
    return [...(first === undefined ? [] : [first]), ...promised].map((name) =>
      this.byId(`${event.key}-${tagOf(name)}`),
    )
  }

  #whyUnfinished(run: RunFacts, event: EventFacts): string | undefined {
    const { state } = run
    if (state && (isTerminal(state.status) || state.status === 'unknown')) return undefined
    // As its last settlement left it, it may wait; its next attempt executes by now.
    if (this.#isActive(run)) return 'is running'
    if (this.#order.isBlocked(run, event)) {
      this.#watch.reach('blocked behind a dead head')
      return undefined
    }
    if (!state) return 'never settled'
    const expiresAt = this.#expiryOf(run, event)
    if (expiresAt !== undefined && expiresAt < this.#watch.storeNow && !state.undoBegun && !this.isInDoubt(run)) {
      return `is ${state.status} and too old`
    }
    if (state.status !== 'waiting' || state.reason !== 'signal') return `is ${state.status} (${state.reason})`
    return undefined
  }

  /** Runs that wait for a signal which is there. */
  unheard(): string[] {
    return [...this.#runs.values()].flatMap((run) => {
      const { state } = run
      if (state?.status !== 'waiting' || state.waitingFor === undefined || this.#isActive(run)) return []
      return state.waitingFor.some((name) => this.signals.hasFor(run, state.generation, name))
        ? [`${run.name} waits for ${state.waitingFor.join(' or ')}, which is there`]
        : []
    })
  }
}
