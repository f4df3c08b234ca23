import { isDeepStrictEqual } from 'node:util'
import { Fatal, NotSent, RetryLater } from '../../src/event/outcome.ts'
import { type StepAddress, stepText } from '../../src/event/run.ts'
import type { CheckpointAnswer, CheckpointItem } from '../../src/store/store.ts'
import type { Entered, RunFacts, Runs } from './runs.ts'
import type { Watch } from './watch.ts'

/** One call of a step's function. */
interface Call {
  readonly lineage: number
  readonly atMs: number
  /** Said for sure that nothing was done. */
  refused: boolean
  /** A person has said what became of it. */
  resolved: boolean
  readonly isGuarded: boolean
}

/** What is known of one step of one run. */
interface StepFacts {
  readonly keys: Set<string>
  readonly calls: Call[]
  absentAtMs: number
}

interface Checkpoint {
  readonly text: string
  readonly value: string | undefined
  readonly isError: boolean
  readonly undoable: boolean
  readonly until: number | undefined
  readonly signal: string | undefined
  readonly atMs: number
  readonly order: number
}

/** Calls of the outside service against the checkpoints of the store (G3, G4). */
export class Steps {
  readonly #watch: Watch
  readonly #runs: Runs
  readonly #steps = new Map<string, StepFacts>()
  readonly #keys = new Map<string, string>()
  readonly #checkpoints = new Map<string, Map<string, Checkpoint>>()
  #order = 0

  constructor(watch: Watch, runs: Runs) {
    this.#watch = watch
    this.#runs = runs
    runs.resolved = (run, step) => {
      for (const call of this.#steps.get(`${run.id} ${stepText(step)}`)?.calls ?? []) call.resolved = true
    }
    runs.isInDoubt = (run, which) => this.#isInDoubt(run, which === 'guarded')
  }

  /** The store has judged a checkpoint. */
  checkpointed(run: RunFacts, item: CheckpointItem, answer: CheckpointAnswer): void {
    const text = stepText(item.step)
    const kept = this.checkpointsOf(run.id, item.generation)
    const before = kept.get(text)
    if (answer.outcome === 'stale') return
    const given = answer.outcome === 'refused' ? answer.checkpoint : item
    if (before) {
      if (before.value !== given.value || before.isError !== (given.error !== undefined))
        this.#watch.violate('G3.write_once', `${run.name} ${text} was ${before.value}, now ${given.value}`)
      return
    }
    kept.set(text, {
      text,
      value: given.value,
      isError: given.error !== undefined,
      undoable: item.undoable ?? false,
      until: given.until,
      signal: given.signal,
      atMs: this.#watch.nowMs,
      order: this.#order++,
    })
    this.#watch.tell('store', `keeps ${text} of ${run.name}, attempt ${item.attempt}`)
    if (given.signal !== undefined) this.#runs.signals.taken(run, item.generation, item.step.name, given.signal)
  }

  /** A generation began with these of the one before. */
  carried(run: RunFacts, from: number, to: number, keep: 'all' | 'none' | { readonly before: StepAddress }): void {
    if (keep === 'none') return
    for (const [text, one] of this.checkpointsOf(run.id, from)) {
      if (keep !== 'all' && text === stepText(keep.before)) return
      this.checkpointsOf(run.id, to).set(text, one)
      if (one.signal !== undefined) this.#runs.signals.carried(run, to, one.signal)
    }
  }

  checkpointsOf(run: string, generation: number): Map<string, Checkpoint> {
    const name = `${run}/${generation}`
    const kept = this.#checkpoints.get(name) ?? new Map<string, Checkpoint>()
    this.#checkpoints.set(name, kept)
    return kept
  }

  /** The outside service is called. */
  called(at: Entered, step: StepAddress, key: string, safety: 'plain' | 'once' | 'confirm'): Call {
    const run = this.#runs.byId(at.run)
    const facts = this.#begins(run, at, step, key)
    const lineage = run.lineageOf(at.generation)
    const open = facts.calls.filter((call) => call.lineage === lineage && !call.refused)
    const last = open.at(-1)
    if (last && safety === 'plain') this.#watch.reach('step in doubt repeated')
    if (last && safety === 'once' && open.length > run.repeatsAllowed)
      this.#watch.violate('G4.once', `${run.name} ${step.name} is marked once and was called ${open.length + 1} times`)
    if (last && safety === 'confirm' && facts.absentAtMs < last.atMs && open.length > run.repeatsAllowed)
      this.#watch.violate('G4.confirm', `${run.name} ${step.name} was in doubt and repeated without being asked`)
    const call: Call = {
      lineage,
      atMs: this.#watch.nowMs,
      refused: false,
      resolved: false,
      isGuarded: safety !== 'plain',
    }
    facts.calls.push(call)
    return call
  }

  /** What all calls, of steps and of their undos, must keep. */
  #begins(run: RunFacts, at: Entered, step: StepAddress, key: string): StepFacts {
    const text = stepText(step)
    this.#watch.tell(at.node, `calls ${text} of ${run.name}, attempt ${at.generation}.${at.attempt}`)
    const checkpoint = this.checkpointsOf(at.run, at.generation).get(text)
    const enteredAtMs = run.enteredAtMs(at)
    if (checkpoint && enteredAtMs > checkpoint.atMs)
      this.#watch.violate('G3.no_repeat', `${run.name} ${text} had its checkpoint before attempt ${at.attempt} began`)
    this.#runs.mayStart(run, at, text)
    this.#runs.stepMayStart(run, text)
    const facts = this.#steps.get(`${at.run} ${text}`) ?? { keys: new Set(), calls: [], absentAtMs: -1 }
    this.#steps.set(`${at.run} ${text}`, facts)
    facts.keys.add(key)
    if (facts.keys.size > 1 + run.newKeysAsked)
      this.#watch.violate('G4.key', `${run.name} ${text} was called with ${facts.keys.size} keys`)
    const owner = this.#keys.get(key)
    if (owner !== undefined && owner !== `${at.run} ${text}`)
      this.#watch.violate('G4.key', `${run.name} ${text} has the key of ${owner}`)
    this.#keys.set(key, `${at.run} ${text}`)
    return facts
  }

  /**
   * A step was called in this lineage, did not refuse, and has neither a checkpoint nor a confirm that says absent. Of a run
   * that an owner which was lost may have begun, one that refused may have been done before.
   */
  #isInDoubt(run: RunFacts, isGuarded: boolean): boolean {
    const generation = run.state?.generation ?? 1
    const kept = this.checkpointsOf(run.id, generation)
    const lineage = run.lineageOf(generation)
    const isSuspect = !isGuarded && this.#runs.isSuspect(run)
    const isBegun = [...run.stepsBegun].some((name) => {
      return name.startsWith(`${generation} `) && !kept.has(name.slice(`${generation} `.length))
    })
    if (isBegun && !isGuarded) return true
    for (const [name, { calls, absentAtMs }] of this.#steps) {
      const text = name.slice(run.id.length + 1)
      // What was confirmed and undone is in doubt no more, though it has no checkpoint of its own.
      if (!name.startsWith(`${run.id} `) || kept.has(text) || kept.has(text.replace(/^step:/, 'undo:'))) continue
      const isOpen = (call: Call) =>
        call.lineage === lineage &&
        (!call.refused || isSuspect) &&
        !call.resolved &&
        call.atMs > absentAtMs &&
        (call.isGuarded || !isGuarded)
      if (calls.some(isOpen)) return true
    }
    return false
  }

  threw(call: Call, error: unknown): void {
    call.refused = error instanceof NotSent || error instanceof Fatal || error instanceof RetryLater
  }

  /** A step in doubt was asked whether it was done. */
  confirmed(at: Entered, step: StepAddress, done: string | undefined): void {
    this.#watch.reach(done === undefined ? 'confirm: absent' : 'confirm: done')
    this.#watch.tell(at.node, `confirms ${step.name}: ${done ?? 'absent'}`)
    const facts = this.#steps.get(`${at.run} ${stepText(step)}`)
    if (facts && done === undefined) facts.absentAtMs = this.#watch.nowMs
  }

  /** A handler was given the result of a verb. */
  got(at: Entered, step: StepAddress, value: unknown): void {
    const text = stepText(step)
    const run = this.#runs.byId(at.run)
    const checkpoint = this.checkpointsOf(at.run, at.generation).get(text)
    if (!checkpoint) {
      this.#watch.violate('G3.durable_first', `${run.name} got the result of ${text}, which has no checkpoint`)
      return
    }
    const kept: unknown = checkpoint.value === undefined ? undefined : JSON.parse(checkpoint.value)
    if (!isDeepStrictEqual(kept, value))
      this.#watch.violate(
        'G3.durable_first',
        `${run.name} got ${JSON.stringify(value)} of ${text}, kept is ${checkpoint.value}`,
      )
  }

  slept(at: Entered, step: StepAddress): void {
    this.#watch.reach('slept')
    const run = this.#runs.byId(at.run)
    const checkpoint = this.checkpointsOf(at.run, at.generation).get(stepText(step))
    if (!checkpoint) this.#watch.violate('G3.durable_first', `${run.name} slept ${step.name} without a checkpoint`)
    else this.#runs.notBefore(run, checkpoint.until ?? 0, `woke from ${step.name}`)
  }

  timedOut(at: Entered, step: StepAddress, _timeoutMs: number): void {
    this.#watch.reach('wait timed out')
    const run = this.#runs.byId(at.run)
    const checkpoint = this.checkpointsOf(at.run, at.generation).get(stepText(step))
    if (!checkpoint?.isError)
      this.#watch.violate('G3.durable_first', `${run.name} timed out at ${step.name} without a checkpoint`)
  }

  /** An undo is called: all that was done after its step must be undone. */
  undoCalled(at: Entered, step: StepAddress, key: string): void {
    this.#watch.reach('undo called')
    const run = this.#runs.byId(at.run)
    const facts = this.#begins(run, at, step, key)
    if (facts.calls.length > 0) this.#watch.reach('undo retried')
    const lineage = run.lineageOf(at.generation)
    facts.calls.push({ lineage, atMs: this.#watch.nowMs, refused: false, resolved: false, isGuarded: false })
    const kept = this.checkpointsOf(at.run, at.generation)
    const own = kept.get(stepText({ ...step, kind: 'step' }))
    for (const left of this.notUndone(run, at.generation)) {
      if (own && left.order > own.order)
        this.#watch.violate('G4.undo', `${run.name} undoes ${step.name} before ${left.text}, which came later`)
    }
  }

  /** Checkpointed steps with an undo that was not carried out. */
  notUndone(run: RunFacts, generation: number): Checkpoint[] {
    const kept = this.checkpointsOf(run.id, generation)
    return [...kept.values()].filter((one) => one.undoable && !kept.has(one.text.replace(/^step:/, 'undo:')))
  }
}
