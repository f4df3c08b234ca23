import { HapaxError } from '../errors/hapax-error.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import { decodeJson, encodeJson } from '../kit/json-value.ts'
import type { CheckpointRecord, InterventionRecord, TriedStep } from '../store/store.ts'
import { Aborts } from './aborts.ts'
import { Attempt, type AttemptHost, type AttemptSubject, type LiveAttempt } from './attempt.ts'
import type { Outcome } from './decide.ts'
import type { HandlerEvent, RetryPolicy } from './handler.ts'
import { inTime } from './in-time.ts'
import { classify, isDefiniteRefusal, recordError } from './run-errors.ts'
import { confirmed, isForgotten } from './run-step.ts'
import { stepKey } from './step-key.ts'

/** What is kept of a step that has an undo. */
export interface Undoable {
  readonly step: StepAddress
  readonly undo: (result: unknown, key: string, signal: AbortSignal) => unknown
  readonly confirm: ((key: string, signal: AbortSignal) => unknown) | undefined
  readonly timeoutMs: number
  readonly keyTtlMs: number
  readonly retry: RetryPolicy
}

/** What became of one undo: it is kept, or this ends the attempt. */
type Undone = 'kept' | Outcome | 'lost'

/**
 * One attempt to undo a run: the handler is entered once more without executing anything new, so that it tells which undo
 * belongs to which step; then the undos go in reverse order of the checkpoints, each a step of its own that leaves a begin
 * and a checkpoint and has its own key. A step in doubt is confirmed before it is undone.
 */
export class UndoAttempt implements LiveAttempt {
  /** Undos, and steps of the run itself, that were tried and left no checkpoint. */
  readonly tried: Map<string, TriedStep>
  readonly undoable = true
  /** Whether it left a new checkpoint. */
  progressed = false
  readonly #host: AttemptHost
  readonly #subject: AttemptSubject
  /** The handler's code, which tells its undos. */
  readonly #told: Attempt
  readonly aborts = new Aborts()
  #ended: Outcome | 'lost' | undefined
  #closed = false
  #leave: (outcome: Outcome | 'lost') => void = () => {}

  constructor(host: AttemptHost, subject: AttemptSubject) {
    this.#host = host
    this.#subject = subject
    this.#told = new Attempt(host, subject, { collect: true })
    this.tried = this.#told.tried
  }

  /** The same, once the attempt has ended. */
  get leftTried(): readonly TriedStep[] {
    return [...this.tried.values()]
  }

  get ended(): boolean {
    return this.#ended !== undefined
  }

  end(outcome: Outcome | 'lost'): void {
    if (this.#ended && outcome !== 'lost') return
    this.#ended = outcome
    this.aborts.abort()
    if (outcome === 'lost') this.#leaveNow('lost')
  }

  abandon(): void {
    this.end({ kind: 'handed_back' })
    this.#leaveNow(this.#ended ?? { kind: 'handed_back' })
  }

  /** An undo waits for no signal. */
  deliver(_intervention: InterventionRecord): void {}

  /** @returns `undone`, or how it failed: retried by the step's policy, then `unknown`; `lost` with the lease. */
  execute(event: HandlerEvent): Promise<Outcome | 'lost'> {
    const left = new Promise<Outcome | 'lost'>((resolve) => {
      this.#leave = resolve
    })
    return Promise.race([this.#undoAll(event), left])
  }

  #leaveNow(outcome: Outcome | 'lost'): void {
    this.#closed = true
    this.#leave(outcome)
  }

  async #undoAll(event: HandlerEvent): Promise<Outcome | 'lost'> {
    const collected = this.#told.execute(event)
    await Promise.race([collected, this.#allTold()])
    this.#told.end({ kind: 'handed_back' })
    await collected
    const silent = this.#steps().find((step) => !this.#told.usedNames.has(stepText(step)))
    if (silent) return unknown(silent)
    for (const undoable of this.#inReverse()) {
      const step: StepAddress = { ...undoable.step, kind: 'undo' }
      if (this.#told.checkpoints.has(stepText(step))) continue
      if (this.#ended) return this.#ended
      const undone = await this.#undo(undoable, step)
      if (undone !== 'kept') return undone
    }
    return this.#ended === 'lost' ? 'lost' : { kind: 'undone' }
  }

  /** Resolves when every step that left a checkpoint, or is in doubt, has been named again, or this has ended. */
  async #allTold(): Promise<void> {
    const names = this.#steps().map(stepText)
    while (!this.#ended && !names.every((name) => this.#told.usedNames.has(name))) {
      await new Promise<void>((resolve) => this.#host.clock.setTimer(1, resolve))
    }
  }

  /** Steps whose undo may be due: those that left a checkpoint, and those in doubt. */
  #steps(): StepAddress[] {
    const doubtful = [...this.tried.values()].filter((tried) => tried.doubt)
    const known = [...this.#told.checkpoints.values(), ...doubtful]
    return known.map(({ step }) => step).filter((step) => step.kind === 'step')
  }

  /** Steps in doubt first, since they came last; then the checkpoints from the last to the first. */
  #inReverse(): Undoable[] {
    const order = ({ step }: Undoable) =>
      this.#told.checkpoints.get(stepText(step))?.order ??
      (this.tried.get(stepText(step))?.doubt ? Number.MAX_SAFE_INTEGER : -1)
    return [...this.#told.undoables.values()]
      .filter((undoable) => order(undoable) >= 0)
      .sort((one, other) => order(other) - order(one))
  }

  async #undo(undoable: Undoable, step: StepAddress): Promise<Undone> {
    const host = this.#host
    const text = stepText(step)
    await host.stragglers.wait(this.#told.id, text)
    const startedAt = host.now()
    const before = this.tried.get(text)
    const firstTriedAt = before?.firstTriedAt ?? startedAt
    const note = (doubt: boolean) => this.tried.set(text, { step, firstTriedAt, doubt })
    if (before?.doubt && isForgotten(firstTriedAt, startedAt, undoable.keyTtlMs)) return unknown(step)
    if ((await host.committer.begin({ ...this.#decision(), step, at: startedAt })) === 'stale') return 'lost'
    if (this.#ended) return this.#ended
    if (!host.holds(this.#subject.owned)) return 'lost'
    try {
      const happened = await this.#happened(undoable)
      if (happened === 'unknown') return unknown(step)
      if (happened !== 'absent') {
        note(true)
        await this.#call(undoable, step, (signal) => undoable.undo(happened.result, this.#undoKey(step), signal))
      }
      return await this.#keep(step, text, happened === 'absent' ? 'absent' : 'undone', { startedAt, firstTriedAt })
    } catch (error) {
      if (this.tried.has(text)) note(before?.doubt || !isDefiniteRefusal(error))
      return this.#ended ?? classify(error, { policy: undoable.retry, step: step.name }, host.now(), host.isDown)
    }
  }

  /** The result of the step that is undone: kept, or confirmed where it is in doubt. */
  async #happened(undoable: Undoable): Promise<{ readonly result: unknown } | 'absent' | 'unknown'> {
    const { step, confirm } = undoable
    const done: CheckpointRecord | undefined = this.#told.checkpoints.get(stepText(step))
    if (done) return { result: decodeJson(done.value) }
    if (!confirm) return 'unknown'
    const key = this.#told.key(step.name, step.of)
    const answer = confirmed<unknown>(step.name, await this.#call(undoable, step, (signal) => confirm(key, signal)))
    if (answer === 'unsure') throw new HapaxError('step_in_doubt', { name: step.name })
    return answer
  }

  async #call(undoable: Undoable, step: StepAddress, effect: (signal: AbortSignal) => unknown): Promise<unknown> {
    const { timeoutMs } = undoable
    const call = { run: this.#told.id, text: stepText(step), name: step.name, timeoutMs }
    return inTime(this.#host, { ...call, aborts: this.aborts }, effect)
  }

  async #keep(
    step: StepAddress,
    text: string,
    outcome: string,
    times: Pick<CheckpointRecord, 'startedAt' | 'firstTriedAt'>,
  ): Promise<Undone> {
    if (this.#closed) return this.#ended ?? 'lost'
    const value = encodeJson(outcome, step.name)
    const item = { ...this.#decision(), step, ...times, endedAt: this.#host.now() }
    const answer = await this.#host.committer.checkpoint(value === undefined ? item : { ...item, value })
    if (answer.outcome === 'stale') return 'lost'
    this.tried.delete(text)
    this.progressed = true
    return 'kept'
  }

  #decision() {
    const { owned, record, attempt } = this.#subject
    return { owned, run: record, generation: this.#told.generation, attempt }
  }

  #undoKey(step: StepAddress): string {
    const { record } = this.#subject
    return stepKey(this.#told.id, record.state?.keySeries ?? 0, `undo:${step.name}`, step.of)
  }
}

function unknown({ name }: StepAddress): Outcome {
  return { kind: 'unknown', error: recordError(new HapaxError('step_in_doubt', { name }), name) }
}
