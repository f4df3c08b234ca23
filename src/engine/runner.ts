import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord, Fingerprint } from '../event/event.ts'
import type { RunState } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import type { Dependencies } from '../flow/dependencies.ts'
import { type RunContext, withinRun } from '../flow/run-context.ts'
import { sleep } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { Owned, RunRecord, SettleAnswer, TriedStep } from '../store/store.ts'
import { Attempt, type AttemptHost, type AttemptSubject, type LiveAttempt } from './attempt.ts'
import { isDeliverable } from './attempt-signals.ts'
import { type AttemptFacts, decide, type Outcome, type Policy } from './decide.ts'
import { doubtsOf, isGuarded, isUndoable } from './doubts.ts'
import type { Entry } from './entry.ts'
import { decodeBody, refusalOf } from './event-data.ts'
import { expiredError, expiryOf, isExpired } from './expiry.ts'
import type { Handler, HandlerEvent } from './handler.ts'
import { toHandlerEvent } from './handler-event.ts'
import { classify, recordError } from './run-errors.ts'
import { Superseding } from './superseding.ts'
import { UndoAttempt } from './undo.ts'

/** What the runner asks of its engine, beside what an attempt does. */
export interface RunnerHost extends AttemptHost {
  readonly random: Random
  readonly group: string
  readonly dependencies: Dependencies
  handlerOf(tag: string): Handler | undefined
  /** Appends the fingerprint of an event that came without one. */
  fingerprint(event: EventRecord): Promise<Fingerprint | undefined>
  /** The registry's name of a handler that this node may not have. */
  handlerName(tag: string): string
  /** Gives the pair to a node that has this handler, where one lives; says whether one may. */
  giveAway(owned: Owned, tag: string): boolean
  settled(entry: Entry, state: RunState): void
  dropped(entry: Entry): void
  /** The run could not be settled, and is to begin anew. */
  again(entry: Entry): void
  stale(entry: Entry): void
}

/** What is settled beside the next state. */
interface Ended {
  readonly outcome: Outcome
  readonly facts: AttemptFacts
  readonly policy: Policy
  readonly startedAt: number | undefined
  readonly tried: readonly TriedStep[]
}

/** How often a run lost its node while it had begun, in this generation. */
export function lossesOf(entry: Entry): number {
  if (entry.record.begins.length === 0) return entry.record.state?.losses ?? 0
  const settled = entry.record.state?.attempt ?? 0
  const lost = new Set(
    entry.record.begins.filter((begin) => !begin.step && begin.attempt > settled).map((begin) => begin.attempt),
  )
  return (entry.record.state?.losses ?? 0) + lost.size
}

/** The last attempt of this generation that left a trace: a settlement, a begin, a checkpoint. */
function lastAttemptOf({ state, begins, checkpoints }: Entry['record']): number {
  if (begins.length === 0 && checkpoints.length === 0) return state?.attempt ?? 0
  const generation = state?.generation ?? 1
  const traces = [...begins, ...checkpoints.filter((checkpoint) => checkpoint.generation === generation)]
  return Math.max(state?.attempt ?? 0, ...traces.map(({ attempt }) => attempt))
}

/**
 * A run from ready to its next settlement, as one record through named stages: find handler, look at what it lost, open
 * its context, call, classify, decide, settle. Never rejects.
 */
export class Runner {
  readonly #host: RunnerHost
  readonly #superseding: Superseding

  constructor(host: RunnerHost) {
    this.#host = host
    this.#superseding = new Superseding(host)
  }

  async run(entry: Entry): Promise<void> {
    try {
      const ended = await this.#execute(entry)
      if (ended === 'lost') return
      await this.#settle(entry, ended)
    } catch (error) {
      // A store that could not be read, or a bug of ours: the run is not forgotten, and the node goes on.
      this.#host.log.error('a run could not be settled, and begins again', {
        run: entry.id,
        error: error instanceof Error ? error.message : String(error),
      })
      entry.attempt = undefined
      const fresh = await this.#reread(entry)
      if (fresh === 'lost') return
      if (fresh?.state && (isTerminal(fresh.state.status) || fresh.state.turn > (entry.record.state?.turn ?? 0))) {
        return this.#host.settled(entry, fresh.state)
      }
      if (!fresh) return this.#host.dropped(entry)
      entry.record = fresh
      await sleep(this.#host.clock, limits.pollMaxMs)
      this.#host.again(entry)
    } finally {
      entry.attempt = undefined
    }
  }

  /** The run as the store has it, asked for until it answers or the pair is lost. */
  async #reread(entry: Entry): Promise<RunRecord | undefined | 'lost'> {
    while (this.#host.holds(entry.owned)) {
      try {
        return await this.#host.store.run(entry.record.event, entry.tag)
      } catch {
        await sleep(this.#host.clock, limits.pollMaxMs)
      }
    }
    this.#host.stale(entry)
    return 'lost'
  }

  async #execute(entry: Entry): Promise<Ended | 'lost'> {
    const { record } = entry
    const state = record.state
    const handler = this.#host.handlerOf(entry.tag)
    // Of one that was overtaken nothing is looked at: a burst of thousands costs no reads.
    const event = entry.coalescedBy === undefined ? await this.#eventOf(entry) : undefined
    const losses = lossesOf(entry)
    const tried = doubtsOf(record)
    const number = lastAttemptOf(record) + 1
    // Losses are counted once: the attempts that were lost are named by the settlement that counts them.
    const facts = (over: Partial<AttemptFacts>): AttemptFacts => ({
      attempt: number - 1,
      progressed: false,
      losses,
      seenIntervention: seenOf(entry),
      refunded: outageFailures(this.#host.dependencies, state),
      ...over,
    })
    const expiresAt = handler && event ? expiryOf(handler, event, state) : undefined
    const policy = (undoable: boolean, doubts: readonly TriedStep[]): Policy => ({
      undoOnDeath: handler?.undoOnDeath ?? false,
      undoable,
      guarded: isGuarded(doubts),
      expiresAt: doubts.some(({ doubt }) => doubt) ? undefined : expiresAt,
      handlerVersion: handler?.version,
    })
    const unstarted = (outcome: Outcome): Ended => ({
      outcome,
      facts: facts({}),
      policy: policy(isUndoable(record), tried),
      startedAt: undefined,
      tried,
    })

    if (entry.coalescedBy !== undefined) return unstarted({ kind: 'coalesced', by: entry.coalescedBy })
    if (!handler || !event) {
      const name = this.#host.handlerName(entry.tag)
      const error = recordError(new HapaxError('no_handler', { group: this.#host.group, handler: name }))
      this.#host.log.warn('no live handler for a run', { run: entry.id, handler: name })
      const elsewhere = event !== undefined && !handler && this.#host.giveAway(entry.owned, entry.tag)
      return unstarted({ kind: 'no_handler', error, elsewhere })
    }
    if (losses >= limits.lostLeases) {
      return unstarted({ kind: 'fatal', error: recordError(new HapaxError('crash_loop', { losses })) })
    }
    const isTooOld = () => !state?.undoBegun && isExpired(expiresAt, this.#host.now(), tried)
    const expired = () => unstarted({ kind: 'fatal', error: recordError(expiredError(handler)) })
    if (isTooOld()) return expired()

    // Of a handler that coalesces, too: its next owner must know which runs were begun, since those are not overtaken.
    const isTraced = entry.orderName !== undefined || handler.coalesce !== undefined
    if (isTraced || entry.mayHaveBegunAt !== undefined || losses > 0) {
      const item = {
        owned: entry.owned,
        run: record,
        generation: state?.generation ?? 1,
        attempt: number,
        at: this.#host.now(),
      }
      if ((await this.#host.committer.begin(item)) === 'stale') return this.#lost(entry)
    }

    const startedAt = this.#host.now()
    const subject: AttemptSubject = {
      event,
      handler,
      owned: entry.owned,
      record,
      attempt: number,
      mayHaveBegunAt: entry.mayHaveBegunAt === undefined ? undefined : entry.mayHaveBegunAt - handler.timeoutMs,
      expiresAt,
    }
    const opened = await this.#open(event, handler)
    if (!opened.ok) {
      return {
        outcome: opened.outcome,
        facts: facts({ attempt: number }),
        policy: policy(isUndoable(record), tried),
        startedAt,
        tried,
      }
    }
    const standing = handler.supersede && (await this.#superseding.look(handler, opened.event, record))
    // The lease may have run out while its begin was under way; what is begun now would be begun beside the next owner.
    if (!this.#host.holds(entry.owned)) return this.#lost(entry)
    if (entry.cancelled) return unstarted(entry.cancelled)
    // Its begin, and its schema, may have taken long.
    if (isTooOld()) return expired()
    if (standing?.supersededBy !== undefined) return unstarted({ kind: 'superseded', by: standing.supersededBy })
    const begun = { ...subject, record: entry.record }
    const attempt = state?.undoBegun ? new UndoAttempt(this.#host, begun) : new Attempt(this.#host, begun)
    entry.attempt = attempt
    const outcome = await withinRun(
      () => this.#contextOf(entry, attempt, event.tenant),
      () => attempt.execute(opened.event),
    )
    if (outcome === 'lost') return this.#lost(entry)
    // Before it is settled: lost in between, the run is repeated with the version that is the newest.
    if (standing && outcome.kind === 'completed' && !(await this.#superseding.raise(standing, entry.owned)))
      return this.#lost(entry)
    const left = [...attempt.tried.values()]
    return {
      outcome,
      facts: facts({ attempt: number, progressed: attempt.progressed, seenIntervention: seenOf(entry) }),
      policy: policy(attempt.undoable, left),
      startedAt,
      tried: left,
    }
  }

  /** What calls through dependencies find. */
  #contextOf({ owned, turn }: Entry, attempt: LiveAttempt, tenant: string): RunContext {
    const { dependencies, holds } = this.#host
    return {
      dependencies,
      tenant,
      get signal() {
        return attempt.aborts.signal
      },
      beginCall: () => attempt.aborts.begin(),
      endCall: (call) => attempt.aborts.end(call),
      mayCall: () => !attempt.ended && holds(owned),
      waited: (ms) => turn?.waited(ms),
    }
  }

  async #eventOf(entry: Entry): Promise<EventRecord | undefined> {
    const event = entry.event ?? (await this.#host.store.event(entry.record.event))
    if (!event || event.fingerprint) return event
    const fingerprinted = { ...event, fingerprint: await this.#host.fingerprint(event) }
    if (entry.event) entry.event = fingerprinted
    return fingerprinted
  }

  #lost(entry: Entry): 'lost' {
    this.#host.stale(entry)
    return 'lost'
  }

  /** The event as the handler sees it: checked by its schema, where it has one. */
  async #open(
    event: EventRecord,
    handler: Handler,
  ): Promise<{ ok: true; event: HandlerEvent } | { ok: false; outcome: Outcome }> {
    try {
      if (event.body === undefined) throw new HapaxError('payload_dropped')
      const refused = refusalOf(event)
      if (refused) return { ok: false, outcome: { kind: 'fatal', error: recordError(refused) } }
      if (!handler.schema) return { ok: true, event: toHandlerEvent(event, event.body, () => decodeBody(event)) }
      const checked = await handler.schema['~standard'].validate(decodeBody(event))
      if (checked.issues) {
        const reason = checked.issues.map((issue) => issue.message).join('; ')
        throw new HapaxError('schema_mismatch', { reason: reason.slice(0, 500) })
      }
      return { ok: true, event: toHandlerEvent(event, event.body, () => checked.value) }
    } catch (error) {
      const from = { policy: handler.retry, step: undefined }
      return { ok: false, outcome: classify(error, from, this.#host.now(), this.#host.isDown) }
    }
  }

  async #settle(entry: Entry, ended: Ended): Promise<void> {
    let { outcome } = ended
    let seenIntervention = ended.facts.seenIntervention
    for (;;) {
      const facts = { ...ended.facts, seenIntervention }
      const state = decide(entry.record.state, facts, outcome, ended.policy, this.#host.now(), this.#host.random)
      const answer: SettleAnswer = await this.#host.committer.settle({
        owned: entry.owned,
        run: entry.record,
        state,
        handler: this.#host.handlerName(entry.tag),
        ...(ended.startedAt === undefined ? {} : { attemptedAt: ended.startedAt }),
        ...(ended.tried.length ? { tried: ended.tried } : {}),
        ...(outcome.kind === 'cancelled' && outcome.intervention ? { intervention: outcome.intervention } : {}),
      })
      if (answer === 'settled') return this.#host.settled(entry, state)
      if (answer === 'stale') return this.#host.stale(entry)
      const fresh = await this.#reread(entry)
      if (fresh === 'lost') return
      if (!fresh) return this.#host.dropped(entry)
      // By another hand: it may stand now, and hold its order key.
      if (answer === 'finished') return fresh.state ? this.#host.settled(entry, fresh.state) : this.#host.dropped(entry)
      entry.record = fresh
      if (state.status === 'waiting' && awaitedCame(entry, state)) outcome = { kind: 'signalled' }
      seenIntervention = seenOf(entry)
    }
  }
}

/**
 * How many failures of a run that is retried were of an outage: they opened the circuit, or came while it was open. A retry may come
 * within the milliseconds before it opens: in one of six short drills a run failed twice, and one of these was counted.
 */
function outageFailures(dependencies: Dependencies, state: RunState | undefined): number {
  if (state?.reason !== 'retry' || state.dependency === undefined) return 0
  const dependency = dependencies.named(state.dependency)
  if (state.failing && dependency.wasDown(state.failing.since)) return state.failing.times
  return dependency.wasDown(state.since) ? 1 : 0
}

/** The last intervention that this owner knows of. */
function seenOf(entry: Entry): number {
  const { state, interventions } = entry.record
  const seen = state?.seenIntervention ?? 0
  return interventions.length === 0 ? seen : Math.max(seen, ...interventions.map(({ position }) => position))
}

/** Whether the signal that the run is about to wait for is there, and no wait took it. */
function awaitedCame(entry: Entry, state: RunState): boolean {
  const taken = new Set(entry.record.checkpoints.flatMap((checkpoint) => checkpoint.signal ?? []))
  return entry.record.interventions.some(
    (intervention) =>
      isDeliverable(intervention) &&
      state.waitingFor?.includes(intervention.name ?? '') &&
      !taken.has(intervention.key),
  )
}
