import { isDeepStrictEqual } from 'node:util'
import { stepText } from '../src/event/run.ts'
import type { CircuitTurn, CircuitTurned } from '../src/store/circuits.ts'
import type {
  BeginItem,
  Commit,
  CommitResult,
  FencedAnswer,
  NodeBeat,
  Ownership,
  RunRecord,
} from '../src/store/store.ts'
import type { StoreCall } from '../src/testing/faulty-store.ts'
import { Batches } from './model/batches.ts'
import { type Call, identityOf, Ledger } from './model/ledger.ts'
import { type LimitedPlan, Limits } from './model/limits.ts'
import { Owners } from './model/owners.ts'
import { Rates } from './model/rates.ts'
import { Runs } from './model/runs.ts'
import { Steps } from './model/steps.ts'
import { Ticks } from './model/ticks.ts'
import { Turns, type TurnsPlan } from './model/turns.ts'
import type { Watch } from './model/watch.ts'
import type { Plan } from './plan.ts'

/**
 * A model of the promises, which knows nothing of how the engine keeps them: it hears what senders were told, what the
 * outside service was asked, and what the store answered to each commit and beat, in the order in which it did.
 */
export class Model {
  readonly watch: Watch
  readonly ledger: Ledger
  readonly owners: Owners
  readonly runs: Runs
  readonly steps: Steps
  readonly limits: Limits
  readonly ticks: Ticks
  readonly batches: Batches
  readonly turns: Turns
  /** Of items that may come twice, the first answer. */
  readonly #answers = new Map<unknown, unknown>()

  constructor(watch: Watch, plan: LimitedPlan & TurnsPlan & Pick<Plan, 'concurrency' | 'schedules' | 'rates'>) {
    this.watch = watch
    this.ledger = new Ledger(watch)
    this.owners = new Owners(watch)
    this.limits = new Limits(watch, this.owners, plan)
    this.runs = new Runs(watch, this.ledger, this.owners, this.limits, plan.concurrency)
    this.steps = new Steps(watch, this.runs)
    this.ticks = new Ticks(watch, this.owners, plan.schedules ?? [])
    this.batches = new Batches(watch)
    this.turns = new Turns(watch, this, plan)
    const rates = new Rates(watch, plan)
    this.runs.entering = (run, event, node) => {
      rates.enters(run, event, node)
      this.turns.enters(run, event, node)
    }
    this.ledger.written = (event) => this.ticks.accepted(event)
  }

  /** A sender calls accept. */
  sent(identity: { tenant: string; source: string; id: string }, content: unknown): Call {
    return { identity: identityOf(identity), tenant: identity.tenant, content, sentAtMs: this.watch.nowMs }
  }

  /** The store has carried out a call of this node. */
  carriedOut(node: string, call: StoreCall, answer: unknown, again: boolean): void {
    if (call.method === 'own') {
      const [beat, owned] = [call.args[0] as NodeBeat, answer as Ownership]
      this.owners.beaten(node, beat, owned)
      if (beat.cursors) this.watch.reach(owned.quiet ? 'rested for a beat' : 'work found by a beat')
    }
    if (call.method === 'turnCircuit') this.limits.turned(node, call.args[0] as CircuitTurn, answer as CircuitTurned)
    if (call.method === 'commit') this.#committed(node, call.args[0] as Commit, answer as CommitResult, again)
  }

  /** A process is gone. */
  nodeDied(node: string): void {
    this.runs.nodeDied(node)
    this.limits.nodeDied(node)
  }

  #committed(node: string, batch: Commit, result: CommitResult, again: boolean): void {
    if (again) this.watch.reach('commit applied twice')
    this.#sameAgain(batch, result)
    for (const [index, item] of (batch.accept ?? []).entries()) {
      const answer = result.accept[index]
      if (!answer) continue
      this.ledger.judged(item, answer)
      const event = this.ledger.events.get(item.key)
      if (event) this.runs.knows(event)
    }
    for (const [index, item] of (batch.intervene ?? []).entries()) {
      const answer = result.intervene[index]
      if (answer) this.runs.asked(item, answer)
    }
    for (const [index, item] of (batch.begin ?? []).entries()) this.#began(item, result.begin[index])
    for (const [index, item] of (batch.checkpoint ?? []).entries()) {
      const answer = result.checkpoint[index]
      if (!answer) continue
      const run = this.runs.byId(`${item.run.event}-${item.run.tag}`)
      const name = `checkpoint ${item.generation} ${JSON.stringify(item.step)} ${item.attempt} ${item.owned.epoch}`
      if (answer.outcome === 'stale') this.watch.reach('checkpoint of a stale epoch refused')
      if (answer.outcome === 'written' && !run.written.has(name)) {
        run.written.set(name, item.owned.epoch)
        run.progressed = true
        this.runs.fenced(run, item.owned, 'checkpoint')
        for (const emitted of item.emits ?? []) this.ledger.emitted(emitted, run.id)
      }
      this.steps.checkpointed(run, item, answer)
    }
    for (const [index, item] of (batch.settle ?? []).entries()) {
      const answer = result.settle[index]
      if (!answer) continue
      const before = this.runs.byId(`${item.run.event}-${item.run.tag}`).state?.generation ?? 1
      const run = this.runs.settled(node, item, answer)
      if (answer !== 'settled') continue
      if (item.state.generation > before) {
        const keep = item.keepCheckpoints ?? 'all'
        run.opened(item.state.generation, keep === 'all')
        this.steps.carried(run, before, item.state.generation, keep)
      }
      const isUndone = item.state.reason === 'undone' || this.#wasToUndo(item)
      if (isUndone && item.state.status !== 'undoing') {
        for (const left of this.steps.notUndone(run, item.state.generation))
          this.watch.violate('G4.undo', `${run.name} is ${item.state.status} and ${left.text} was not undone`)
      }
    }
    for (const [index, item] of (batch.answer ?? []).entries())
      if (result.answer[index] === 'written') this.runs.answered(item)
  }

  #began(item: BeginItem, answer: FencedAnswer | undefined): void {
    if (answer === 'stale') this.watch.reach('begin of a stale epoch refused')
    if (answer !== 'written') return
    const run = this.runs.byId(`${item.run.event}-${item.run.tag}`)
    const name = `begin ${item.generation} ${item.attempt} ${JSON.stringify(item.step)}`
    if (run.written.has(name)) return
    run.written.set(name, item.owned.epoch)
    this.runs.fenced(run, item.owned, 'begin')
    if (item.step?.kind === 'step') run.stepsBegun.add(`${item.generation} ${stepText(item.step)}`)
  }

  /** The same item again gets the same answer. */
  #sameAgain(batch: Commit, result: CommitResult): void {
    for (const kind of ['accept', 'intervene', 'begin', 'checkpoint', 'settle'] as const) {
      for (const [index, item] of (batch[kind] ?? []).entries()) {
        const answer = lasting(result[kind][index])
        // What was refused was not written: why, may change.
        const wasRefused = refusals.has(outcomeOf(this.#answers.get(item))) && refusals.has(outcomeOf(answer))
        if (this.#answers.has(item) && !wasRefused && !isDeepStrictEqual(this.#answers.get(item), answer)) {
          const before = JSON.stringify(this.#answers.get(item))
          this.watch.violate('G6.idempotent', `a ${kind} was answered ${before}, and then ${JSON.stringify(answer)}`)
        }
        this.#answers.set(item, answer)
      }
    }
  }

  #wasToUndo(item: NonNullable<Commit['settle']>[number]): boolean {
    const verb = this.runs.verbOf(item)
    return verb?.verb === 'cancel' && JSON.parse(verb.detail).undo === true && item.state.status === 'cancelled'
  }

  /** At the end: what each run left in the store, against what was heard. */
  compare(id: string, record: RunRecord | undefined, settlements: number): void {
    const run = this.runs.byId(id)
    if (!isDeepStrictEqual(record?.state, run.state))
      this.watch.violate('G1.journal', `${run.name} is ${record?.state?.status} in the store, was ${run.state?.status}`)
    if (settlements !== run.settlements)
      this.watch.violate(
        'G1.journal',
        `${run.name} has ${settlements} settlements in its history, had ${run.settlements}`,
      )
  }
}

const refusals: ReadonlySet<unknown> = new Set(['stale', 'finished', 'look_again', 'refused', 'not_found'])

/** What an answer says for good: how the runs of a first event stand is told of the moment in which it was asked. */
function lasting(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('statuses' in answer)) return answer
  const { statuses: _statuses, ...rest } = answer
  return rest
}

function outcomeOf(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'outcome') : answer
}
