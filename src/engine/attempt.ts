import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import { WaitTimeout } from '../event/outcome.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import type { Clock, Instant } from '../kit/clock.ts'
import { decodeJson, encodeJson } from '../kit/json-value.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type {
  AcceptItem,
  CheckpointAnswer,
  CheckpointItem,
  CheckpointRecord,
  InterventionRecord,
  Owned,
  RunRecord,
  Store,
} from '../store/store.ts'
import { Aborts } from './aborts.ts'
import { AttemptMemory } from './attempt-memory.ts'
import type { Committer } from './committer.ts'
import type { Outcome } from './decide.ts'
import { DurableRun } from './durable-run.ts'
import { expiredError, isExpired } from './expiry.ts'
import type { EmittedEvent, Handler, HandlerEvent, RetryPolicy } from './handler.ts'
import { isThenable } from './in-time.ts'
import { classify, recordError, revivedError } from './run-errors.ts'
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
  /** Whether the circuit of this dependency is open. */
  isDown(dependency: string): boolean
}

/** One execution of a run: what it starts from. */
export interface AttemptSubject {
  /** The run's. */
  readonly id: string
  readonly event: EventRecord
  readonly handler: Handler
  readonly owned: Owned
  readonly record: RunRecord
  /** Its number within the generation. */
  readonly attempt: number
  /** A new owner found the run unfinished: from when a step may have been tried that left no record. */
  readonly mayHaveBegunAt: Instant | undefined
  /** Nothing new is begun from here on; undefined: never too old. */
  readonly expiresAt: Instant | undefined
}

/** What executes now, as its node sees it. */
export interface LiveAttempt {
  readonly ended: boolean
  /** Its signal aborts when it ends. */
  readonly aborts: Pick<Aborts, 'signal' | 'begin' | 'end'>
  /** Whether a checkpointed or doubtful step has an undo. */
  readonly undoable: boolean
  /** Ends it with this outcome, unless it has ended. `lost` always wins: nothing may be settled then. */
  end(outcome: Outcome | 'lost'): void
  /** Does not wait for what still runs: its steps are in doubt, and what they still bring is not kept. */
  abandon(): void
  /** A signal that came while it runs. */
  deliver(intervention: InterventionRecord): void
}

/** Where an error came from: whose policy retries it. */
export interface ErrorOrigin {
  readonly policy: RetryPolicy
  readonly step: string | undefined
}

/** What a suspended verb waits for. */
export interface Suspension {
  readonly status: 'scheduled' | 'waiting'
  readonly dueAt: Instant | undefined
  readonly waitingFor: string | undefined
}

/** What the checkpoint of a verb says beside its name. */
export type CheckpointFacts = Omit<CheckpointItem, 'owned' | 'run' | 'generation' | 'attempt' | 'step' | 'endedAt'>

/** What a verb's work resolves to when the verb itself shall never resolve. */
class Suspended {}
const suspended = new Suspended()

/** A promise that never settles: what a suspended attempt's code waits on until it is forgotten. */
const never = <T>(): Promise<T> => new Promise<T>(() => {})

/**
 * One attempt of a run: what it knows, what it writes, and how it ends. The first outcome counts; what the code does
 * afterwards changes nothing.
 *
 * With `collect`, nothing new is executed: checkpointed steps give their results and failed ones their errors, so that the
 * handler tells which undo belongs to which step; the first step that was never tried waits for ever.
 */
export class Attempt extends AttemptMemory implements LiveAttempt {
  readonly id: string
  readonly host: AttemptHost
  readonly subject: AttemptSubject
  readonly generation: number
  readonly aborts = new Aborts()
  /** Whether it left a new checkpoint. */
  progressed = false
  readonly #collect: boolean
  #origins: WeakMap<object, ErrorOrigin> | undefined
  #inFlight = 0
  #straggling = 0
  #writes = 0
  #written: (() => void)[] = []
  /** Its time is up: what its steps still bring is not kept, since the next attempt begins from what was kept by now. */
  #closed = false
  #suspensions: Suspension[] = []
  #ended: Outcome | 'lost' | undefined
  #resolveEnd: ((outcome: Outcome | 'lost') => void) | undefined
  #quiet: (() => void)[] = []

  constructor(host: AttemptHost, subject: AttemptSubject, options: { collect?: boolean } = {}) {
    super(host.clock, subject.record)
    this.host = host
    this.subject = subject
    this.#collect = options.collect ?? false
    this.id = subject.id
    this.generation = subject.record.state?.generation ?? 1
  }

  get ended(): boolean {
    return this.#ended !== undefined
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
    const timeoutMs = this.subject.handler.timeoutMs
    const deadline = this.host.clock.setTimer(timeoutMs, () => {
      const error = recordError(new HapaxError('attempt_timeout', { timeoutMs }))
      this.#closed = true
      // The time went by with waiting for what an attempt before had left running: this one did not fail.
      if (this.#straggling > 0) this.end({ kind: 'deferred', error, until: this.host.now() })
      else this.end({ kind: 'failed', error, policy: this.subject.handler.retry })
    })
    try {
      const returned = this.subject.handler.body(event, new DurableRun(this))
      if (isThenable(returned)) returned.then(this.#returned, this.#threw)
      else this.#returned(returned)
    } catch (error) {
      this.#threw(error)
    }
    const outcome = await ended
    deadline.cancel()
    // A timed-out, abandoned or lost attempt leaves its steps behind (they straggle); any other end waits for them.
    if (outcome !== 'lost') {
      if (!this.#closed && this.#inFlight > 0) await this.#quieted()
      if (this.#closed) await this.#allWritten()
    }
    this.aborts.abort()
    return this.#ended ?? outcome
  }

  /** Ends the attempt where its run is too old to begin anything new. */
  expire(): void {
    const { expiresAt, handler } = this.subject
    if (expiresAt === undefined || !isExpired(expiresAt, this.host.now(), this.tried.values())) return
    this.end({ kind: 'fatal', error: recordError(expiredError(handler)) })
  }

  abandon(): void {
    this.#closed = true
    this.end({ kind: 'handed_back' })
    for (const resolve of this.#quiet.splice(0)) resolve()
  }

  end(outcome: Outcome | 'lost'): void {
    if (this.#ended && outcome !== 'lost') return
    this.#ended = outcome
    if (outcome === 'lost' || (outcome.kind !== 'completed' && outcome.kind !== 'suspended')) this.aborts.abort()
    this.#resolveEnd?.(outcome)
  }

  /** The lease is gone: the verb never resolves. */
  lost(): Suspended {
    this.end('lost')
    return suspended
  }

  /** The attempt has ended: the verb never resolves. */
  forgotten(): Suspended {
    return suspended
  }

  /** The step's effect is in doubt for good: a person decides. */
  unknown(step: StepAddress): Suspended {
    this.end({ kind: 'unknown', error: recordError(new HapaxError('step_in_doubt', { name: step.name }), step.name) })
    return suspended
  }

  /** The verb waits for longer than a slot may be held: the attempt ends once nothing else is in flight. */
  suspend(suspension: Suspension): Suspended {
    this.#suspensions.push(suspension)
    return suspended
  }

  deliver(intervention: InterventionRecord): void {
    this.signals.deliver(intervention)
  }

  /** Resolves when what an attempt before left running of this step has settled, or has run for too long; undefined: nothing. */
  straggler(text: string): Promise<void> | undefined {
    const waited = this.host.stragglers.wait(this.id, text)
    if (!waited) return undefined
    this.#straggling++
    return waited.finally(() => {
      this.#straggling--
    })
  }

  key(step: string, of: string): string {
    return stepKey(this.id, this.subject.record.state?.keySeries ?? 0, step, of)
  }

  /** Remembers where an error came from, for the case that it leaves the handler. */
  from(error: unknown, origin: ErrorOrigin): unknown {
    if (typeof error !== 'object' || error === null) return error
    this.#origins ??= new WeakMap()
    this.#origins.set(error, origin)
    return error
  }

  /**
   * What all verbs share: the name is claimed, a checkpoint answers at once, an ended attempt executes nothing more,
   * and what runs is counted, so that the attempt's end waits for it.
   */
  async verb<Result>(
    step: StepAddress,
    execute: (step: StepAddress, text: string) => Promise<unknown>,
  ): Promise<Result> {
    const text = stepText(step)
    if (step.name === '' || step.name.length > limits.stepNameLength) {
      throw new HapaxError('step_name_invalid', { found: `${step.name.length} characters` })
    }
    if (this.usedNames.has(text)) {
      throw new HapaxError('step_name_repeated', { kind: step.kind, name: step.name })
    }
    this.usedNames.add(text)
    const done = this.checkpoints.get(text)
    if (done && step.kind !== 'sleep') return settledAs<Result>(done)
    if (this.#collect && !done) {
      const failed = this.tried.get(text)?.error
      if (failed) throw revivedError(failed)
      return never()
    }
    if (!done) this.expire()
    if (this.#ended) return never()
    this.#inFlight++
    let value: unknown
    try {
      value = await execute(step, text)
    } catch (error) {
      this.#left()
      if (this.#ended) return never()
      throw error
    }
    this.#left()
    // A verb of an attempt that was lost resolves no more: its code is forgotten. The value is the decoded
    // checkpoint, of the type that the caller's own function returned.
    return value instanceof Suspended || this.#ended === 'lost' ? never() : (value as Result)
  }

  #left(): void {
    this.#inFlight--
    this.#settleDown()
  }

  /** Writes a verb's checkpoint, and gives back its value as every later attempt will see it. */
  async keep(step: StepAddress, text: string, facts: CheckpointFacts): Promise<unknown> {
    if (this.#closed) return this.forgotten()
    const item = this.item(step, facts)
    this.#writes++
    try {
      return this.kept(text, item, await this.host.committer.checkpoint(item))
    } finally {
      this.#wrote()
    }
  }

  /** Writes a checkpoint, unless the attempt's time is up; its end waits for those that are under way. */
  async write(checkpoint: () => Promise<CheckpointAnswer>): Promise<CheckpointAnswer | undefined> {
    if (this.#closed) return undefined
    this.#writes++
    try {
      return await checkpoint()
    } finally {
      this.#wrote()
    }
  }

  #wrote(): void {
    this.#writes--
    if (this.#writes === 0) for (const resolve of this.#written.splice(0)) resolve()
  }

  item(step: StepAddress, facts: CheckpointFacts): CheckpointItem {
    const { owned, record, attempt } = this.subject
    return { owned, run: record, generation: this.generation, attempt, step, ...facts, endedAt: this.host.now() }
  }

  kept(text: string, item: CheckpointItem, answer: CheckpointAnswer): unknown {
    if (answer.outcome === 'stale') return this.lost()
    const { checkpoints } = this
    const { epoch } = item.owned
    // With what the item has beside: to leave that out took 0.5 µs.
    const checkpoint = answer.outcome === 'refused' ? answer.checkpoint : { ...item, epoch, order: checkpoints.size }
    checkpoints.set(text, checkpoint)
    this.tried.delete(text)
    this.progressed = true
    return checkpoint.error ? undefined : decodeJson(checkpoint.value)
  }

  readonly #returned = (value: unknown): void => {
    try {
      this.end({ kind: 'completed', result: encodeJson(value, 'the result') })
    } catch (error) {
      this.#threw(error)
    }
  }

  readonly #threw = (error: unknown): void => {
    const known = typeof error === 'object' && error !== null ? this.#origins?.get(error) : undefined
    const origin = known ?? { policy: this.subject.handler.retry, step: undefined }
    this.end(classify(error, origin, this.host.now(), this.host.isDown))
  }

  /** With nothing in flight and something to wait for, the attempt ends: the code gets two turns to begin something else. */
  #settleDown(): void {
    if (this.#inFlight > 0) return
    const quiet = this.#quiet
    this.#quiet = []
    for (const resolve of quiet) resolve()
    if (this.#suspensions.length === 0 || this.#ended) return
    this.host.clock.turn(() => this.host.clock.turn(() => this.#endSuspended()))
  }

  #endSuspended(): void {
    if (this.#inFlight > 0 || this.#ended) return
    const waitingFor = this.#suspensions.flatMap((one) => one.waitingFor ?? [])
    // It came after the wait had looked for it.
    if (this.signals.hasAny(waitingFor)) {
      this.end({ kind: 'signalled' })
      return
    }
    const due = this.#suspensions.flatMap((one) => one.dueAt ?? [])
    this.end({
      kind: 'suspended',
      status: waitingFor.length ? 'waiting' : 'scheduled',
      dueAt: due.length ? Math.min(...due) : undefined,
      waitingFor: waitingFor.length ? waitingFor : undefined,
    })
  }

  #allWritten(): Promise<void> {
    if (this.#writes === 0) return Promise.resolve()
    return new Promise((resolve) => this.#written.push(resolve))
  }

  #quieted(): Promise<void> {
    return new Promise((resolve) => this.#quiet.push(resolve))
  }
}

/** @throws WaitTimeout */
function settledAs<Result>(checkpoint: CheckpointRecord): Result {
  if (checkpoint.error) throw new WaitTimeout(checkpoint.step.name, checkpoint.endedAt - checkpoint.startedAt)
  // Decoded from what a step of this name returned: its type is the caller's claim, as with every stored value.
  return decodeJson(checkpoint.value) as Result
}
