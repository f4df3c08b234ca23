import type { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import { WaitTimeout } from '../event/outcome.ts'
import { runId, type StepAddress, stepText } from '../event/run.ts'
import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { decodeJson, encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type {
  AcceptItem,
  CheckpointItem,
  CheckpointRecord,
  InterventionRecord,
  Owned,
  RunRecord,
  Store,
  TriedStep,
} from '../store/store.ts'
import type { Committer } from './committer.ts'
import type { Outcome } from './decide.ts'
import type { EmittedEvent, Handler, HandlerEvent, RetryPolicy, Run, StepOptions } from './handler.ts'
import { retryPolicy } from './handler.ts'
import { classify, isDefiniteRefusal, recordError } from './run-errors.ts'
import { stepKey } from './step-key.ts'
import type { StragglingSteps } from './straggling-steps.ts'

/** What an attempt needs of the node that it runs on. */
export interface AttemptHost {
  readonly clock: Clock
  readonly log: Log
  readonly committer: Committer
  readonly store: Store
  readonly stragglers: StragglingSteps
  /** The store's clock. */
  now(): Instant
  /** Whether the node still holds the pair under this epoch, by the monotonic clock: asked before every effect. */
  holds(owned: Owned): boolean
  /** The item of a follow-up event, with its id and identity made. */
  toEmit(parent: EventRecord, event: EmittedEvent, id: string): Promise<AcceptItem>
  progressed(run: string, fraction: number, note: string | undefined): void
}

/** One execution of a run: what it starts from. */
export interface AttemptSubject {
  readonly event: EventRecord
  readonly handler: Handler
  readonly owned: Owned
  readonly record: RunRecord
  /** Its number within the generation. */
  readonly attempt: number
  /** A new owner found the run unfinished: from when a step may have been tried that left no record. */
  readonly mayHaveBegunAt: Instant | undefined
}

/** A promise that never settles: what a suspended attempt's code waits on until it is forgotten. */
const never = <T>(): Promise<T> => new Promise<T>(() => {})

/** What {@link Attempt} keeps of a step that has an undo. */
export interface Undoable {
  readonly step: StepAddress
  readonly undo: (result: unknown, key: string, signal: AbortSignal) => unknown
  readonly confirm: ((key: string, signal: AbortSignal) => unknown) | undefined
  readonly timeoutMs: number
}

/**
 * One attempt of a run: the durable verbs that its handler calls, and how it ends. The first outcome counts; what the
 * code does afterwards changes nothing.
 *
 * With `collect`, nothing new is executed: checkpointed steps give their results, so that the handler tells which undo
 * belongs to which step; the first step without a checkpoint waits for ever.
 */
export class Attempt implements Run {
  readonly id: string
  readonly attempt: number
  readonly generation: number
  readonly log: Log
  readonly undoables = new Map<string, Undoable>()
  readonly checkpoints = new Map<string, CheckpointRecord>()
  /** Whether it left a new checkpoint. */
  progressed = false
  readonly #host: AttemptHost
  readonly #subject: AttemptSubject
  readonly #collect: boolean
  readonly #keySeries: number
  readonly #names = new Set<string>()
  readonly #tried = new Map<string, TriedStep>()
  readonly #signals: InterventionRecord[]
  readonly #signalsTaken: Set<string>
  readonly #errorsFrom = new WeakMap<object, { policy: RetryPolicy; inDoubt: boolean; step: string }>()
  #controller: AbortController | undefined
  #inFlight = 0
  #suspensions: Suspension[] = []
  #ended: Outcome | 'lost' | undefined
  #resolveEnd: ((outcome: Outcome | 'lost') => void) | undefined
  #wake: (() => void)[] = []
  #quiet: (() => void)[] = []

  constructor(host: AttemptHost, subject: AttemptSubject, options: { collect?: boolean } = {}) {
    this.#host = host
    this.#subject = subject
    this.#collect = options.collect ?? false
    this.id = runId(subject.record)
    this.attempt = subject.attempt
    this.generation = subject.record.state?.generation ?? 1
    this.#keySeries = subject.record.state?.keySeries ?? 0
    this.log = host.log
    for (const checkpoint of subject.record.checkpoints) this.checkpoints.set(stepText(checkpoint.step), checkpoint)
    for (const tried of subject.record.tried) this.#tried.set(stepText(tried.step), tried)
    this.#signals = subject.record.interventions.filter((intervention) => intervention.verb === 'signal')
    this.#signalsTaken = new Set(subject.record.checkpoints.flatMap((checkpoint) => checkpoint.signal ?? []))
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#ended) this.#controller.abort()
    return this.#controller.signal
  }

  /** Steps tried without a checkpoint, for the settlement. */
  get tried(): TriedStep[] {
    return [...this.#tried.values()]
  }

  /** Whether a checkpointed or doubtful step has an undo. */
  get undoable(): boolean {
    for (const text of this.undoables.keys()) {
      if (this.checkpoints.has(text) || this.#tried.get(text)?.doubt) return true
    }
    for (const checkpoint of this.checkpoints.values()) if (checkpoint.undoable) return true
    return false
  }

  /** Names that were used: what a deploy renamed is missing here. */
  get usedNames(): ReadonlySet<string> {
    return this.#names
  }

  /**
   * Calls the handler and waits for the attempt's end, and for the steps in flight beside it.
   *
   * @returns the outcome, or `lost` where the lease is: then nothing is settled by this node.
   */
  async execute(event: HandlerEvent): Promise<Outcome | 'lost'> {
    const ended = new Promise<Outcome | 'lost'>((resolve) => {
      this.#resolveEnd = resolve
    })
    const timeoutMs = this.#subject.handler.timeoutMs
    const deadline = this.#host.clock.setTimer(timeoutMs, () => {
      const error = recordError(new HapaxError('attempt_timeout', { timeoutMs }))
      this.end({ kind: 'failed', error, policy: this.#subject.handler.retry, inDoubt: false })
    })
    try {
      const returned = this.#subject.handler.body(event, this)
      if (returned instanceof Promise) returned.then(this.#returned, this.#threw)
      else this.#returned(returned)
    } catch (error) {
      this.#threw(error)
    }
    const outcome = await ended
    deadline.cancel()
    // A timed-out or lost attempt leaves its steps behind (they straggle); any other end waits for them.
    if (outcome !== 'lost' && !(outcome.kind === 'failed' && outcome.error.code === 'attempt_timeout'))
      await this.#quieted()
    this.#controller?.abort()
    return this.#ended ?? outcome
  }

  /** Ends the attempt with this outcome, unless it has ended. `lost` always wins: nothing may be settled then. */
  end(outcome: Outcome | 'lost'): void {
    if (this.#ended && outcome !== 'lost') return
    this.#ended = outcome
    if (
      outcome === 'lost' ||
      outcome.kind === 'cancelled' ||
      outcome.kind === 'handed_back' ||
      outcome.kind === 'failed'
    ) {
      this.#controller?.abort()
    }
    this.#resolveEnd?.(outcome)
  }

  /** A signal that came while it runs. */
  deliver(intervention: InterventionRecord): void {
    this.#signals.push(intervention)
    const wake = this.#wake
    this.#wake = []
    for (const resolve of wake) resolve()
  }

  key(step: string, of = ''): string {
    return stepKey(this.#subject.record, this.#keySeries, step, of)
  }

  progress(fraction: number, note?: string): void {
    this.#host.progressed(this.id, fraction, note)
  }

  step<Result>(
    name: string,
    effect: ((key: string, signal: AbortSignal) => Result | Promise<Result>) | StepOptions<Result>,
  ): Promise<Result> {
    const options: StepOptions<Result> = typeof effect === 'function' ? { run: effect } : effect
    return this.#verb({ kind: 'step', name, of: options.of ?? '' }, (step, text) => {
      if (options.undo) this.#rememberUndo(step, text, options)
      return () => this.#runStep(step, text, options)
    })
  }

  sleep(name: string, duration: Duration, options: { readonly of?: string } = {}): Promise<void> {
    return this.#verb({ kind: 'sleep', name, of: options.of ?? '' }, (step, text) => async () => {
      const done = this.checkpoints.get(text)
      const startedAt = this.#host.now()
      const until = done?.until ?? startedAt + toMs(duration)
      if (!done && until - startedAt < limits.shortWaitMs) {
        await this.#shortWait(until - startedAt)
        return this.#keep(step, text, { startedAt, firstTriedAt: startedAt, until })
      }
      if (!done) await this.#keep(step, text, { startedAt, firstTriedAt: startedAt, until })
      return until <= this.#host.now()
        ? undefined
        : this.#suspend({ status: 'scheduled', dueAt: until, waitingFor: undefined })
    })
  }

  waitFor(name: string, options: { readonly timeout?: Duration; readonly of?: string } = {}): Promise<unknown> {
    return this.#verb(
      { kind: 'waitFor', name, of: options.of ?? '' },
      (step, text) => () => this.#wait(step, text, options.timeout),
    )
  }

  emit(event: EmittedEvent, options: { readonly of?: string } = {}): Promise<{ readonly key: string }> {
    return this.#verb({ kind: 'emit', name: event.type, of: options.of ?? '' }, (step, text) => async () => {
      const startedAt = this.#host.now()
      const item = await this.#host.toEmit(this.#subject.event, event, this.key(`emit:${event.type}`, step.of))
      return this.#keep(step, text, {
        startedAt,
        firstTriedAt: startedAt,
        value: JSON.stringify({ key: item.key }),
        emits: [item],
      })
    })
  }

  transaction<Result>(
    name: string,
    body: (transaction: DatabaseSync) => Result,
    options: { readonly of?: string } = {},
  ): Promise<Result> {
    return this.#verb({ kind: 'transaction', name, of: options.of ?? '' }, (step, text) => async () => {
      const { store } = this.#host
      if (!store.transact) {
        throw new HapaxError('ability_missing', {
          handler: this.#subject.handler.name,
          ability: 'transaction',
          store: store.kind,
        })
      }
      const startedAt = this.#host.now()
      let kept: string | undefined
      const item = this.#item(step, { startedAt, firstTriedAt: startedAt })
      const answer = await store.transact(item, (transaction) => {
        // The store that has the ability hands its own client: `transaction` is typed by the one store that has it today.
        const result = body(transaction as DatabaseSync)
        if (result instanceof Promise) throw new HapaxError('transaction_async')
        kept = encodeJson(result, name)
        return kept ?? 'null'
      })
      return this.#kept(step, text, kept === undefined ? item : { ...item, value: kept }, answer)
    })
  }

  /**
   * What all verbs share: the name is claimed, a checkpoint answers at once, an ended attempt executes nothing more,
   * and what runs is counted, so that the attempt's end waits for it.
   */
  #verb<Result>(step: StepAddress, open: (step: StepAddress, text: string) => () => Promise<unknown>): Promise<Result> {
    const text = stepText(step)
    if (step.name === '' || step.name.length > limits.stepNameLength) {
      return Promise.reject(new HapaxError('step_name_invalid', { found: `${step.name.length} characters` }))
    }
    if (this.#names.has(text)) {
      return Promise.reject(new HapaxError('step_name_repeated', { kind: step.kind, name: step.name }))
    }
    this.#names.add(text)
    const execute = open(step, text)
    const done = this.checkpoints.get(text)
    if (done && step.kind !== 'sleep') return settledAs<Result>(done)
    if (this.#ended || (this.#collect && !done)) return never()
    this.#inFlight++
    return new Promise<Result>((resolve, reject) => {
      const left = () => {
        this.#inFlight--
        this.#settleDown()
      }
      execute().then(
        (value) => {
          left()
          // A verb of an attempt that ended resolves no more: its code is forgotten.
          if (!(value instanceof Suspended) && this.#ended !== 'lost') resolve(value as Result)
        },
        (error: unknown) => {
          left()
          if (!this.#ended) reject(error)
        },
      )
    })
  }

  async #runStep<Result>(step: StepAddress, text: string, options: StepOptions<Result>): Promise<unknown> {
    const host = this.#host
    await host.stragglers.wait(this.id, text)
    const key = this.key(step.name, step.of)
    const timeoutMs = options.timeout === undefined ? limits.stepTimeoutMs : toMs(options.timeout)
    const policy = options.retry ? retryPolicy(options.retry, this.#subject.handler.retry) : this.#subject.handler.retry
    const startedAt = host.now()
    const tried = this.#tried.get(text)
    const begun = this.#unsettledBegin(step)
    const firstTriedAt = tried?.firstTriedAt ?? begun ?? this.#subject.mayHaveBegunAt ?? startedAt
    const undoable = options.undo ? { undoable: true } : {}
    const note = (doubt: boolean) => this.#tried.set(text, { step, firstTriedAt, doubt, ...undoable })
    const from = (inDoubt: boolean) => ({
      policy,
      inDoubt,
      step: step.of === '' ? step.name : `${step.name}/${step.of}`,
    })

    if (tried?.doubt || begun !== undefined) {
      note(true)
      if (options.confirm) {
        const confirm = options.confirm
        let answer: { result: Result } | 'absent' | 'unsure'
        try {
          answer = await this.#timed(step, timeoutMs, (signal) => confirm(key, signal))
        } catch (error) {
          throw this.#from(error, from(true))
        }
        if (typeof answer === 'object') {
          return this.#keep(step, text, {
            startedAt,
            firstTriedAt,
            ...undoable,
            ...keptValue(answer.result, step.name),
          })
        }
        if (answer === 'unsure') throw this.#from(new HapaxError('step_in_doubt', { name: step.name }), from(true))
      } else if (
        options.once ||
        startedAt - firstTriedAt > (options.keyTtl === undefined ? limits.keyTtlMs : toMs(options.keyTtl))
      ) {
        return this.#unknown(step)
      }
    }

    if (options.once || options.confirm) {
      const { owned, record } = this.#subject
      const item = { owned, run: record, generation: this.generation, attempt: this.attempt, step, at: startedAt }
      if ((await host.committer.begin(item)) === 'stale') return this.#lost()
    }
    if (this.#ended) return suspended
    if (!host.holds(this.#subject.owned)) return this.#lost()
    note(true)
    let result: Result
    try {
      result = await this.#timed(step, timeoutMs, (signal) => options.run(key, signal))
    } catch (error) {
      const definite = isDefiniteRefusal(error)
      note(!definite)
      if (!definite && options.once) return this.#unknown(step)
      throw this.#from(error, from(!definite && options.confirm !== undefined))
    }
    return this.#keep(step, text, { startedAt, firstTriedAt, ...undoable, ...keptValue(result, step.name) })
  }

  async #wait(step: StepAddress, text: string, timeout: Duration | undefined): Promise<unknown> {
    const timeoutMs = timeout === undefined ? undefined : toMs(timeout)
    let startedAt = this.#begunAt(step)
    for (;;) {
      const now = this.#host.now()
      const signal = this.#signals.find((one) => one.name === step.name && !this.#signalsTaken.has(one.key))
      if (signal) {
        this.#signalsTaken.add(signal.key)
        const first = startedAt ?? now
        return this.#keep(step, text, {
          startedAt: first,
          firstTriedAt: first,
          value: signal.detail,
          signal: signal.key,
        })
      }
      if (startedAt === undefined) {
        startedAt = now
        const { owned, record } = this.#subject
        const item = { owned, run: record, generation: this.generation, attempt: this.attempt, step, at: now }
        if ((await this.#host.committer.begin(item)) === 'stale') return this.#lost()
        continue
      }
      const deadline = timeoutMs === undefined ? undefined : startedAt + timeoutMs
      if (deadline !== undefined && deadline <= now) {
        const timedOut = new HapaxError('wait_timeout', { name: step.name, timeoutMs: timeoutMs ?? 0 })
        await this.#keep(step, text, { startedAt, firstTriedAt: startedAt, error: recordError(timedOut) })
        throw new WaitTimeout(step.name, timeoutMs ?? 0)
      }
      if (deadline === undefined || deadline - now >= limits.shortWaitMs) {
        return this.#suspend({ status: 'waiting', dueAt: deadline, waitingFor: step.name })
      }
      await this.#shortWait(deadline - now)
    }
  }

  /** Waits in memory, keeping the slot, until the time is up or a signal comes. */
  #shortWait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#host.clock.setTimer(delayMs, resolve)
      this.#wake.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** Writes the checkpoint, and gives back its value as every later attempt will see it. */
  async #keep(
    step: StepAddress,
    text: string,
    facts: Omit<CheckpointItem, 'owned' | 'run' | 'generation' | 'attempt' | 'step' | 'endedAt'>,
  ): Promise<unknown> {
    const item = this.#item(step, facts)
    return this.#kept(step, text, item, await this.#host.committer.checkpoint(item))
  }

  #kept(
    step: StepAddress,
    text: string,
    item: CheckpointItem,
    answer: Awaited<ReturnType<Committer['checkpoint']>>,
  ): unknown {
    if (answer.outcome === 'stale') return this.#lost()
    const { owned, run: _run, emits: _emits, ...rest } = item
    const checkpoint =
      answer.outcome === 'refused' ? answer.checkpoint : { ...rest, epoch: owned.epoch, order: this.checkpoints.size }
    this.checkpoints.set(text, checkpoint)
    this.#tried.delete(text)
    this.progressed = true
    this.#host.log.debug('checkpoint', { run: this.id, step: step.name })
    return checkpoint.error ? undefined : decodeJson(checkpoint.value)
  }

  #item(
    step: StepAddress,
    facts: Omit<CheckpointItem, 'owned' | 'run' | 'generation' | 'attempt' | 'step' | 'endedAt'>,
  ): CheckpointItem {
    const { owned, record } = this.#subject
    return {
      owned,
      run: record,
      generation: this.generation,
      attempt: this.attempt,
      step,
      ...facts,
      endedAt: this.#host.now(),
    }
  }

  /** Calls `effect` with a deadline. A function that outlives it straggles: the step waits for it before it is tried again. */
  async #timed<Value>(
    step: StepAddress,
    timeoutMs: number,
    effect: (signal: AbortSignal) => Value | Promise<Value>,
  ): Promise<Value> {
    const controller = new AbortController()
    const outer = this.signal
    const abort = () => controller.abort()
    outer.addEventListener('abort', abort, { once: true })
    let timer: Timer | undefined
    try {
      const returned = effect(controller.signal)
      if (!(returned instanceof Promise)) return returned
      this.#host.stragglers.add(this.id, stepText(step), returned)
      const late = new Promise<never>((_resolve, reject) => {
        timer = this.#host.clock.setTimer(timeoutMs, () => {
          controller.abort()
          reject(new HapaxError('step_timeout', { name: step.name, timeoutMs }))
        })
      })
      return await Promise.race([returned, late])
    } finally {
      timer?.cancel()
      outer.removeEventListener('abort', abort)
    }
  }

  #rememberUndo<Result>(step: StepAddress, text: string, options: StepOptions<Result>): void {
    const { undo, confirm } = options
    if (!undo) return
    const timeoutMs = options.timeout === undefined ? limits.stepTimeoutMs : toMs(options.timeout)
    // The result is this very step's checkpoint: its type is the step's own.
    this.undoables.set(text, {
      step,
      undo: (result, key, signal) => undo(result as Result, key, signal),
      confirm,
      timeoutMs,
    })
  }

  /** When a begin of this step was written by an attempt that never settled. */
  #unsettledBegin(step: StepAddress): Instant | undefined {
    const settled = this.#subject.record.state?.attempt ?? 0
    return this.#subject.record.begins.find(
      (begin) =>
        begin.attempt > settled &&
        begin.attempt < this.attempt &&
        begin.step &&
        stepText(begin.step) === stepText(step),
    )?.at
  }

  #begunAt(step: StepAddress): Instant | undefined {
    return this.#subject.record.begins.find((begin) => begin.step && stepText(begin.step) === stepText(step))?.at
  }

  #from(error: unknown, from: { policy: RetryPolicy; inDoubt: boolean; step: string }): unknown {
    if (typeof error === 'object' && error !== null) this.#errorsFrom.set(error, from)
    return error
  }

  #suspend(suspension: Suspension): Suspended {
    this.#suspensions.push(suspension)
    return suspended
  }

  #lost(): Suspended {
    this.end('lost')
    return suspended
  }

  #unknown(step: StepAddress): Suspended {
    const error = recordError(new HapaxError('step_in_doubt', { name: step.name }), step.name)
    this.end({ kind: 'unknown', error })
    return suspended
  }

  readonly #returned = (value: unknown): void => {
    try {
      this.end({ kind: 'completed', result: encodeJson(value, 'the result') })
    } catch (error) {
      this.#threw(error)
    }
  }

  readonly #threw = (error: unknown): void => {
    const from = typeof error === 'object' && error !== null ? this.#errorsFrom.get(error) : undefined
    const origin = from ?? { policy: this.#subject.handler.retry, inDoubt: false, step: undefined }
    this.end(classify(error, origin, this.#host.now()))
  }

  /** With nothing in flight and something to wait for, the attempt ends: the code gets two turns to begin something else. */
  #settleDown(): void {
    if (this.#inFlight > 0) return
    const quiet = this.#quiet
    this.#quiet = []
    for (const resolve of quiet) resolve()
    if (this.#suspensions.length === 0 || this.#ended) return
    this.#host.clock.turn(() =>
      this.#host.clock.turn(() => {
        if (this.#inFlight > 0 || this.#ended) return
        const waiting = this.#suspensions.find((one) => one.status === 'waiting')
        const due = this.#suspensions.flatMap((one) => one.dueAt ?? [])
        this.end({
          kind: 'suspended',
          status: waiting ? 'waiting' : 'scheduled',
          dueAt: due.length ? Math.min(...due) : undefined,
          waitingFor: waiting?.waitingFor,
        })
      }),
    )
  }

  #quieted(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#quiet.push(resolve))
  }
}

/** What a suspended verb waits for. */
interface Suspension {
  readonly status: 'scheduled' | 'waiting'
  readonly dueAt: Instant | undefined
  readonly waitingFor: string | undefined
}

/** What a verb's work resolves to when the verb itself shall never resolve. */
class Suspended {}
const suspended = new Suspended()

function keptValue(result: unknown, name: string): { value?: string } {
  const value = encodeJson(result, name)
  return value === undefined ? {} : { value }
}

function settledAs<Result>(checkpoint: CheckpointRecord): Promise<Result> {
  if (checkpoint.error) {
    return Promise.reject(new WaitTimeout(checkpoint.step.name, (checkpoint.endedAt ?? 0) - checkpoint.startedAt))
  }
  return Promise.resolve(decodeJson(checkpoint.value) as Result)
}
