import { HapaxError } from '../errors/hapax-error.ts'
import { handlerTakes, type Registry } from '../event/handler-record.ts'
import { runId } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import { type Clock, type Instant, sleep } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { InterventionRecord, Owned, RunRecord, Store } from '../store/store.ts'
import type { Committer } from './committer.ts'
import type { Dispatcher, Entry } from './dispatcher.ts'
import { adopted, type Judgement, judge } from './interventions.ts'

/** What carrying out interventions needs of the node. */
export interface IntervenerHost {
  readonly store: Store
  readonly committer: Committer
  readonly log: Log
  readonly group: string
  readonly clock: Clock
  now(): Instant
  holds(owned: Owned): boolean
  registry(): Registry
  dispatcher(): Dispatcher
  lose(owned: Owned): void
}

/** How often a judgement is made anew at once because the run had moved meanwhile. */
const triesAtOnce = 5

/** Between two looks at a run whose attempt has ended, until its settlement is known. */
const settlesMs = 10

/** Between two tries after that, or after the store could not be asked. */
const againMs = 100

/**
 * Carries out what people and callers ask of a run, as its owner: one after the other for each run, the change before
 * the answer, so that an answered verb is never lost.
 */
export class Intervener {
  readonly #host: IntervenerHost
  readonly #chains = new Map<string, Promise<void>>()

  constructor(host: IntervenerHost) {
    this.#host = host
  }

  /** Judges and answers; never rejects. */
  intervene(owned: Owned, intervention: InterventionRecord): Promise<void> {
    if (intervention.answer) return Promise.resolve()
    const name =
      intervention.tag === undefined ? intervention.event : runId({ event: intervention.event, tag: intervention.tag })
    const work = async () => {
      for (;;) {
        try {
          await (intervention.tag === undefined
            ? this.#adopt(owned, intervention)
            : this.#onRun(owned, intervention, name, intervention.tag))
          return
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error)
          this.#host.log.warn('an intervention could not be judged', {
            verb: intervention.verb,
            run: name,
            error: text,
          })
          // No page brings it again: while the pair is ours, nobody else judges it.
          if (!isUnavailable(error) || !this.#host.holds(owned)) return
          await sleep(this.#host.clock, againMs)
        }
      }
    }
    const chain = (this.#chains.get(name) ?? Promise.resolve()).then(work)
    this.#chains.set(name, chain)
    return chain.finally(() => {
      if (this.#chains.get(name) === chain) this.#chains.delete(name)
    })
  }

  async #onRun(owned: Owned, intervention: InterventionRecord, id: string, tag: string): Promise<void> {
    for (let tries = 0; this.#host.holds(owned); tries++) {
      if (tries >= triesAtOnce) await sleep(this.#host.clock, againMs)
      const entry = this.#host.dispatcher().entry(owned.shard, id)
      if (entry && entry.stage !== 'standing') {
        noteIn(entry, intervention)
        const refused = this.#onLive(entry, intervention)
        if (refused === 'later') {
          await sleep(this.#host.clock, settlesMs)
          continue
        }
        if (refused !== 'judge') return this.#answer(owned, intervention, refused)
      }
      const record = entry?.stage === 'ready' ? entry.record : await this.#host.store.run(intervention.event, tag)
      if (!record) return this.#answer(owned, intervention, 'not_found')
      // Judged by an owner before, which died before it answered: its settlement saw the intervention.
      if (
        (record.state?.seenIntervention ?? 0) >= intervention.position &&
        record.state &&
        intervention.verb !== 'signal'
      ) {
        return this.#answer(owned, intervention, undefined)
      }
      const blocksKey = entry?.stage === 'standing' && record.state?.status === 'dead'
      const judgement = judge(record, intervention, this.#host.now(), blocksKey)
      if (judgement.outcome === 'refused') return this.#answer(owned, intervention, judgement.reason)
      if (judgement.outcome === 'noted') return this.#answer(owned, intervention, undefined)
      if (await this.#apply(owned, record, intervention, judgement, entry)) return
    }
  }

  /**
   * A run in memory that executes, or is about to: answers the reason of a refusal, undefined, or that it is judged, now or
   * later: an attempt that has ended takes no signal any more, and how it stands then is not yet known.
   */
  #onLive(entry: Entry, intervention: InterventionRecord): string | undefined | 'judge' | 'later' {
    if (intervention.verb === 'signal') {
      if (entry.attempt?.ended) return 'later'
      entry.attempt?.deliver(intervention)
      return undefined
    }
    if (entry.stage === 'ready') return 'judge'
    if (intervention.verb !== 'cancel') return 'running'
    const detail: unknown = JSON.parse(intervention.detail)
    const undo: unknown = typeof detail === 'object' && detail !== null ? Reflect.get(detail, 'undo') : undefined
    if (entry.attempt?.undoable && typeof undo !== 'boolean') return 'undo_unspecified'
    const outcome = { kind: 'cancelled', undo: undo === true } as const
    if (entry.attempt) entry.attempt.end(outcome)
    else entry.cancelled = outcome
    return undefined
  }

  /** The change, then the answer. Says whether it is done; else the run had moved and is judged anew. */
  async #apply(
    owned: Owned,
    record: RunRecord,
    intervention: InterventionRecord,
    judgement: Extract<Judgement, { outcome: 'applied' }>,
    entry: Entry | undefined,
  ): Promise<boolean> {
    const { committer } = this.#host
    const moved = this.#host.dispatcher().moves(runId({ event: intervention.event, tag: record.tag }))
    const seenIntervention = Math.max(
      judgement.state.seenIntervention,
      ...record.interventions.map((one) => one.position),
    )
    const state = { ...judgement.state, seenIntervention }
    const now = this.#host.now()
    if (judgement.resolved) {
      const { step, value } = judgement.resolved
      const facts = { startedAt: now, endedAt: now, firstTriedAt: now, ...(value === undefined ? {} : { value }) }
      void committer.checkpoint({
        owned,
        run: record,
        generation: state.generation,
        attempt: state.attempt,
        step,
        ...facts,
      })
    }
    const settled = committer.settle({
      owned,
      run: record,
      state,
      handler: this.#nameOf(record.tag),
      intervention: intervention.key,
      ...(judgement.tried?.length ? { tried: judgement.tried } : {}),
      ...(judgement.keepCheckpoints === undefined ? {} : { keepCheckpoints: judgement.keepCheckpoints }),
    })
    // The settlement names the intervention that it carries out: a crash before the answer leaves it on record, and the
    // next owner, judging anew, finds it done.
    const answer = await settled.finally(moved)
    if (answer === 'stale') {
      this.#host.lose(owned)
      return true
    }
    if (answer !== 'settled') return false
    await this.#answer(owned, intervention, undefined)
    if (entry) this.#host.dispatcher().moved(entry, state)
    if (!isTerminal(state.status) && state.dueAt !== undefined) this.#host.dispatcher().noteDue(state.dueAt)
    return true
  }

  async #answer(owned: Owned, intervention: InterventionRecord, refusal: string | undefined): Promise<void> {
    const answer = await this.#host.committer.answer({
      owned,
      intervention: intervention.key,
      outcome: refusal === undefined ? 'applied' : 'refused',
      ...(refusal === undefined ? {} : { reason: refusal }),
    })
    if (answer === 'stale') this.#host.lose(owned)
  }

  /** Gives an event that no handler took to those that take it now. */
  async #adopt(owned: Owned, intervention: InterventionRecord): Promise<void> {
    const event = await this.#host.store.event(intervention.event)
    if (!event) return this.#answer(owned, intervention, 'not_found')
    const only = intervention.id?.startsWith('pick-up:') ? intervention.id.slice('pick-up:'.length) : undefined
    const handlers = this.#host
      .registry()
      .handlers.filter(
        (handler) =>
          handler.group === this.#host.group &&
          handler.untilVersion === undefined &&
          (only === undefined || handler.tag === only) &&
          handlerTakes(handler, event.source, event.type),
      )
    for (const { tag, name } of handlers) {
      const record = await this.#host.store.run(event.key, tag)
      if (!record || record.state) continue
      const state = adopted(this.#host.now(), only === undefined ? 'redrive' : 'picked_up', intervention.position)
      const answer = await this.#host.committer.settle({
        owned,
        run: record,
        state,
        handler: name,
        intervention: intervention.key,
      })
      if (answer === 'stale') return this.#host.lose(owned)
      if (state.dueAt !== undefined) this.#host.dispatcher().noteDue(state.dueAt)
    }
    await this.#answer(owned, intervention, handlers.length === 0 ? 'no_handler' : undefined)
  }

  #nameOf(tag: string): string {
    return this.#host.registry().handlers.find((handler) => handler.tag === tag)?.name ?? tag
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof HapaxError && error.code === 'store_unavailable'
}

function noteIn(entry: Entry, intervention: InterventionRecord): void {
  if (entry.record.interventions.some((one) => one.key === intervention.key)) return
  entry.record = { ...entry.record, interventions: [...entry.record.interventions, intervention] }
}
