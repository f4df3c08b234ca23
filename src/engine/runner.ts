import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord, Fingerprint } from '../event/event.ts'
import type { RunState } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import type { StandardSchema } from '../event/standard-schema.ts'
import type { Dependencies } from '../flow/dependencies.ts'
import { type RunContext, withinRun } from '../flow/run-context.ts'
import { sleep } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { Owned, RunRecord, SettleAnswer, SettleItem } from '../store/store.ts'
import { Attempt, type AttemptHost, type AttemptSubject, type LiveAttempt } from './attempt.ts'
import { isDeliverable } from './attempt-signals.ts'
import { decide, type Outcome } from './decide.ts'
import type { Entry } from './entry.ts'
import { decodeBody, refusalOf } from './event-data.ts'
import { expiredError } from './expiry.ts'
import { type Ended, FoundRun, seenOf } from './found-run.ts'
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

/** The event as the handler sees it, or why it does not. */
type Opened = { readonly ok: true; readonly event: HandlerEvent } | { readonly ok: false; readonly outcome: Outcome }

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
      const item = this.#settlement(entry, ended)
      const answer = await this.#host.committer.settle(item)
      if (answer === 'settled') this.#host.settled(entry, item.state)
      else await this.#settleAnew(entry, ended, item.state, answer)
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
    const { state } = record
    const handler = this.#host.handlerOf(entry.tag)
    // Of one that was overtaken nothing is looked at: a burst of thousands costs no reads.
    const event = entry.coalescedBy === undefined ? await this.#eventOf(entry) : undefined
    const found = new FoundRun(entry, handler, event, this.#host.dependencies)

    if (entry.coalescedBy !== undefined) return found.unstarted({ kind: 'coalesced', by: entry.coalescedBy })
    if (!handler || !event) return found.unstarted(this.#withoutHandler(entry, event !== undefined && !handler))
    if (found.losses >= limits.lostLeases) {
      const error = recordError(new HapaxError('crash_loop', { losses: found.losses }))
      return found.unstarted({ kind: 'fatal', error })
    }
    if (found.isTooOld(this.#host.now())) return expired(found, handler)

    // Of a handler that coalesces, too: its next owner must know which runs were begun, since those are not overtaken.
    const isTraced = entry.orderName !== undefined || handler.coalesce !== undefined
    if (isTraced || entry.mayHaveBegunAt !== undefined || found.losses > 0) {
      const generation = state?.generation ?? 1
      const { owned } = entry
      const item = { owned, run: record, generation, attempt: found.attempt, at: this.#host.now() }
      if ((await this.#host.committer.begin(item)) === 'stale') return this.#lost(entry)
    }

    const startedAt = this.#host.now()
    const opened = handler.schema ? await this.#checked(event, handler, handler.schema) : this.#opened(event, handler)
    if (!opened.ok) return found.unopened(opened.outcome, startedAt)
    const standing = handler.supersede && (await this.#superseding.look(handler, opened.event, record))
    // The lease may have run out while its begin was under way; what is begun now would be begun beside the next owner.
    if (!this.#host.holds(entry.owned)) return this.#lost(entry)
    if (entry.cancelled) return found.unstarted(entry.cancelled)
    // Its begin, and its schema, may have taken long.
    if (found.isTooOld(this.#host.now())) return expired(found, handler)
    if (standing?.supersededBy !== undefined) return found.unstarted({ kind: 'superseded', by: standing.supersededBy })
    const subject: AttemptSubject = {
      id: entry.id,
      event,
      handler,
      owned: entry.owned,
      record: entry.record,
      attempt: found.attempt,
      mayHaveBegunAt: entry.mayHaveBegunAt === undefined ? undefined : entry.mayHaveBegunAt - handler.timeoutMs,
      expiresAt: found.expiresAt,
    }
    const attempt = state?.undoBegun ? new UndoAttempt(this.#host, subject) : new Attempt(this.#host, subject)
    entry.attempt = attempt
    const outcome = await withinRun(
      () => this.#contextOf(entry, attempt, event.tenant),
      () => attempt.execute(opened.event),
    )
    if (outcome === 'lost') return this.#lost(entry)
    // Before it is settled: lost in between, the run is repeated with the version that is the newest.
    if (standing && outcome.kind === 'completed' && !(await this.#superseding.raise(standing, entry.owned)))
      return this.#lost(entry)
    const { progressed, undoable } = attempt
    return found.ended({ outcome, startedAt, progressed, undoable, tried: attempt.leftTried })
  }

  #withoutHandler(entry: Entry, mayBeElsewhere: boolean): Outcome {
    const name = this.#host.handlerName(entry.tag)
    const error = recordError(new HapaxError('no_handler', { group: this.#host.group, handler: name }))
    this.#host.log.warn('no live handler for a run', { run: entry.id, handler: name })
    return { kind: 'no_handler', error, elsewhere: mayBeElsewhere && this.#host.giveAway(entry.owned, entry.tag) }
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

  /** No promise where the event is at hand, as it nearly always is. */
  #eventOf(entry: Entry): EventRecord | Promise<EventRecord | undefined> {
    return entry.event?.fingerprint ? entry.event : this.#readEvent(entry)
  }

  async #readEvent(entry: Entry): Promise<EventRecord | undefined> {
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

  /** The event as the handler sees it. */
  #opened(event: EventRecord, handler: Handler): Opened {
    try {
      return openedFrom(event, () => decodeBody(event))
    } catch (error) {
      return this.#unopened(error, handler)
    }
  }

  /** The same, checked by the handler's schema. */
  async #checked(event: EventRecord, handler: Handler, schema: StandardSchema): Promise<Opened> {
    try {
      let value: unknown
      const opened = openedFrom(event, () => value)
      if (!opened.ok) return opened
      const checked = await schema['~standard'].validate(decodeBody(event))
      if (checked.issues) {
        const reason = checked.issues.map((issue) => issue.message).join('; ')
        throw new HapaxError('schema_mismatch', { reason: reason.slice(0, 500) })
      }
      value = checked.value
      return opened
    } catch (error) {
      return this.#unopened(error, handler)
    }
  }

  #unopened(error: unknown, handler: Handler): Opened {
    const from = { policy: handler.retry, step: undefined }
    return { ok: false, outcome: classify(error, from, this.#host.now(), this.#host.isDown) }
  }

  #settlement(entry: Entry, { outcome, facts, policy, startedAt, tried }: Ended): SettleItem {
    return {
      owned: entry.owned,
      run: entry.record,
      state: decide(entry.record.state, facts, outcome, policy, this.#host.now(), this.#host.random),
      handler: this.#host.handlerName(entry.tag),
      ...(startedAt === undefined ? {} : { attemptedAt: startedAt }),
      ...(tried.length ? { tried } : {}),
      ...(outcome.kind === 'cancelled' && outcome.intervention ? { intervention: outcome.intervention } : {}),
    }
  }

  /** It was not settled so: another hand was at it. */
  async #settleAnew(entry: Entry, ended: Ended, state: RunState, answer: SettleAnswer): Promise<void> {
    if (answer === 'settled') return this.#host.settled(entry, state)
    if (answer === 'stale') return this.#host.stale(entry)
    const fresh = await this.#reread(entry)
    if (fresh === 'lost') return
    if (!fresh) return this.#host.dropped(entry)
    // By another hand: it may stand now, and hold its order key.
    if (answer === 'finished') return fresh.state ? this.#host.settled(entry, fresh.state) : this.#host.dropped(entry)
    entry.record = fresh
    const isAwaited = state.status === 'waiting' && awaitedCame(entry, state)
    const outcome = isAwaited ? ({ kind: 'signalled' } as const) : ended.outcome
    const next = { ...ended, outcome, facts: { ...ended.facts, seenIntervention: seenOf(entry) } }
    const item = this.#settlement(entry, next)
    return this.#settleAnew(entry, next, item.state, await this.#host.committer.settle(item))
  }
}

/** @throws `payload_dropped` */
function openedFrom(event: EventRecord, read: () => unknown): Opened {
  if (event.body === undefined) throw new HapaxError('payload_dropped')
  const refused = refusalOf(event)
  if (refused) return { ok: false, outcome: { kind: 'fatal', error: recordError(refused) } }
  return { ok: true, event: toHandlerEvent(event, event.body, read) }
}

function expired(found: FoundRun, handler: Handler): Ended {
  return found.unstarted({ kind: 'fatal', error: recordError(expiredError(handler)) })
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
