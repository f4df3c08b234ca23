import { handlerOfTag, handlerTakes, inVersion, isLive, type Registry } from '../event/handler-record.ts'
import { runId } from '../event/run.ts'
import { isTerminal } from '../event/run-status.ts'
import { type Clock, type Instant, sleep } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { InterventionRecord, Owned, RunRecord, Store } from '../store/store.ts'
import type { Committer } from './committer.ts'
import type { Dispatcher } from './dispatcher.ts'
import { isUndoable } from './doubts.ts'
import type { Entry } from './entry.ts'
import { type Judgement, judge } from './interventions.ts'
import type { RunNews } from './run-news.ts'

/** What carrying out interventions needs of the node. */
export interface IntervenerHost {
  readonly clock: Clock
  readonly store: Store
  readonly committer: Committer
  readonly log: Log
  readonly group: string
  now(): Instant
  registry(): Registry
  /** The registry as the store has it now. */
  refreshRegistry(): Promise<Registry>
  /** Whether the handler with this tag is ordered here. */
  orderOf(tag: string): 'block' | 'skip' | undefined
  dispatcher(): Dispatcher
  readonly news: RunNews
  /** What the handler says of death; undefined where this node does not have it. */
  undoOnDeath(tag: string): boolean | undefined
  /** Whether the pair is still this node's. */
  holds(owned: Owned): boolean
  lose(owned: Owned): void
}

/** A judgement that failed (the store could not be read) is made anew after so long. */
const againMs = 1_000

/**
 * Carries out what people and callers ask of a run, as its owner: one after the other for each run, the change before
 * the answer, so that an answered verb is never lost.
 */
export class Intervener {
  readonly #host: IntervenerHost
  readonly #chains = new Map<string, Promise<void>>()
  /** A page may name one again that is being judged. */
  readonly #underWay = new Set<string>()

  constructor(host: IntervenerHost) {
    this.#host = host
  }

  /** Judges and answers; never rejects. */
  intervene(owned: Owned, intervention: InterventionRecord): Promise<void> {
    if (intervention.answer) return Promise.resolve()
    const name = runId(intervention)
    // Of another epoch it is judged anew: the judgement before ends with its pair.
    const asked = `${owned.epoch} ${intervention.key}`
    if (this.#underWay.has(asked)) return Promise.resolve()
    this.#underWay.add(asked)
    const work = async () => {
      // `tail` names it once: what is not judged here, while the pair is held, nobody judges.
      while (this.#host.holds(owned)) {
        try {
          if (await this.#onRun(owned, intervention, name)) return
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error)
          this.#host.log.warn('an intervention could not be judged, and is again', {
            verb: intervention.verb,
            run: name,
            error: text,
          })
          await sleep(this.#host.clock, againMs)
        }
      }
      // The lease has run out, and its timer has not noticed yet: a beat answered late would renew a pair that has forgotten it.
      this.#host.lose(owned)
    }
    const chain = (this.#chains.get(name) ?? Promise.resolve()).then(work)
    this.#chains.set(name, chain)
    return chain.finally(() => {
      this.#underWay.delete(asked)
      if (this.#chains.get(name) === chain) this.#chains.delete(name)
    })
  }

  /** Answers whether it is done with; else the run moved meanwhile, and it is judged anew. */
  async #onRun(owned: Owned, intervention: InterventionRecord, id: string): Promise<boolean> {
    const { tag } = intervention
    const answer = (refusal: string | undefined) => this.#answer(owned, intervention, refusal)
    const entry = this.#host.dispatcher().entry(owned.shard, id)
    if (entry && entry.stage !== 'standing') {
      noteIn(entry, intervention)
      const refused = this.#onLive(entry, intervention)
      if (refused === 'ending') {
        // Answered once it is settled: a crash before that leaves it to the next owner, who finds it not answered.
        await this.#ended(owned, entry)
        return false
      }
      if (refused !== 'judge') return answer(refused)
    }
    const stage = entry?.stage
    const isQueued = stage === 'ready' || stage === 'aside'
    const record = entry && isQueued ? entry.record : await this.#host.store.run(intervention.event, tag)
    if (!record) return answer('not_found')
    if (await this.#isCarriedOut(record, intervention)) return answer(undefined)
    const isAdoptable = await this.#isAdoptable(record, intervention.verb)
    const hasLeftKey = await this.#hasLeftKey(record, entry)
    // What was read may be old by now: it began meanwhile, or ended, or came into memory.
    if (this.#host.dispatcher().entry(owned.shard, id) !== entry || entry?.stage !== stage) return false
    const blocksKey = entry?.stage === 'standing' && record.state?.status === 'dead'
    const judgement = judge(record, intervention, {
      now: this.#host.now(),
      blocksKey,
      hasLeftKey,
      isAdoptable,
      undoOnDeath: this.#host.undoOnDeath(tag),
    })
    if (judgement.outcome === 'refused') return answer(judgement.reason)
    if (judgement.outcome === 'noted') return answer(undefined)
    return this.#apply(owned, record, intervention, judgement, entry)
  }

  /** Whether a settlement names it: by this owner's runner, or by an owner before, which died before it answered. */
  async #isCarriedOut({ event, tag, state }: RunRecord, { key, position, verb }: InterventionRecord): Promise<boolean> {
    if (!state || verb === 'signal' || state.seenIntervention < position) return false
    const history = await this.#host.store.history(event)
    return history.some((entry) => entry.kind === 'settled' && entry.tag === tag && entry.intervention === key)
  }

  /** Resolves when the run does not execute any more, or the pair is lost. */
  async #ended(owned: Owned, entry: Entry): Promise<void> {
    const watch = this.#host.news.watch(entry.id)
    try {
      while (entry.stage === 'running' && this.#host.holds(owned)) {
        if (this.#host.dispatcher().entry(owned.shard, entry.id) !== entry) return
        await watch.next(againMs)
      }
    } finally {
      watch.close()
    }
  }

  /**
   * A run in memory that executes, or is about to: answers the reason of a refusal, undefined, that it is judged, or that
   * its attempt is being ended.
   */
  #onLive(entry: Entry, intervention: InterventionRecord): string | undefined | 'judge' | 'ending' {
    if (intervention.verb === 'signal') {
      // It takes no signal any more, and how the run stands then is not known yet.
      if (entry.attempt?.ended) return 'ending'
      entry.attempt?.deliver(intervention)
      return undefined
    }
    if (entry.stage !== 'running') return 'judge'
    if (intervention.verb !== 'cancel') return 'running'
    if (entry.record.state?.undoBegun) return 'undo_begun'
    const detail: unknown = JSON.parse(intervention.detail)
    const undo: unknown = typeof detail === 'object' && detail !== null ? Reflect.get(detail, 'undo') : undefined
    const undoable = entry.attempt ? entry.attempt.undoable : isUndoable(entry.record)
    if (undoable && typeof undo !== 'boolean') return 'undo_unspecified'
    const outcome = { kind: 'cancelled', undo: undo === true, intervention: intervention.key } as const
    if (entry.attempt) entry.attempt.end(outcome)
    else entry.cancelled = outcome
    return 'ending'
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
    const isDone = this.#host.dispatcher().moves(owned, runId(record))
    const seenIntervention = Math.max(
      judgement.state.seenIntervention,
      ...record.interventions.map((one) => one.position),
    )
    const state = { ...judgement.state, seenIntervention }
    const now = this.#host.now()
    if (judgement.resolved) {
      const { step, value, undoable } = judgement.resolved
      const facts = {
        startedAt: now,
        endedAt: now,
        firstTriedAt: now,
        ...(value === undefined ? {} : { value }),
        ...(undoable && { undoable }),
      }
      // Durable before the run may begin again: the step would be in doubt no more, and have no result.
      const item = { owned, run: record, generation: state.generation, attempt: state.attempt, step, ...facts }
      if ((await committer.checkpoint(item)).outcome === 'stale') {
        isDone()
        this.#host.lose(owned)
        return true
      }
    }
    // The settlement names the intervention that it carries out: a crash before the answer leaves it on record, and the
    // next owner, judging anew, finds it done.
    const answer = await committer.settle({
      owned,
      run: record,
      state,
      handler: this.#nameOf(record.tag),
      intervention: intervention.key,
      ...(judgement.tried?.length ? { tried: judgement.tried } : {}),
      ...(judgement.keepCheckpoints === undefined ? {} : { keepCheckpoints: judgement.keepCheckpoints }),
    })
    if (answer === 'settled') this.#host.dispatcher().moved(owned, record, state)
    // What it has not seen waits behind this verb: judged on the record in memory, it would be asked to look for ever.
    if (answer === 'look_again' && entry) await this.#look(entry)
    isDone()
    if (answer === 'stale') {
      this.#host.lose(owned)
      return true
    }
    if (answer !== 'settled') return false
    const note = state.place === intervention.position ? 'to_the_back' : undefined
    return this.#answer(owned, intervention, undefined, note)
  }

  /** Whether it had ended and holds no place in its order key's queue: it comes back behind all that have one (G7). */
  async #hasLeftKey({ event, tag, state }: RunRecord, entry: Entry | undefined): Promise<boolean> {
    if (entry || !state || !isTerminal(state.status) || this.#host.orderOf(tag) === undefined) return false
    return (await this.#host.store.event(event))?.orderKey !== undefined
  }

  async #look(entry: Entry): Promise<void> {
    const fresh = await this.#host.store.run(entry.record.event, entry.tag).catch(() => undefined)
    if (fresh) entry.record = fresh
  }

  async #answer(
    owned: Owned,
    intervention: InterventionRecord,
    refusal: string | undefined,
    note?: string,
  ): Promise<true> {
    const reason = refusal ?? note
    const answer = await this.#host.committer.answer({
      owned,
      intervention: intervention.key,
      outcome: refusal === undefined ? 'applied' : 'refused',
      ...(reason === undefined ? {} : { reason }),
    })
    if (answer === 'stale') this.#host.lose(owned)
    else this.#host.news.tell(runId(intervention))
    return true
  }

  /** Whether the run's handler takes the event now, and did not when it was accepted. */
  async #isAdoptable({ event: key, tag, state }: RunRecord, verb: InterventionRecord['verb']): Promise<boolean> {
    if (state || verb !== 'redrive') return false
    const event = await this.#host.store.event(key)
    // A deploy that this node has not heard of yet may have brought the handler, or brought it back.
    const known = handlerOfTag(this.#host.registry(), tag)
    const handler = known && isLive(known) ? known : handlerOfTag(await this.#host.refreshRegistry(), tag)
    if (!event || !handler || !isLive(handler)) return false
    return !inVersion(handler, event.registryVersion) && handlerTakes(handler, event.source, event.type)
  }

  #nameOf(tag: string): string {
    return handlerOfTag(this.#host.registry(), tag)?.name ?? tag
  }
}

function noteIn(entry: Entry, intervention: InterventionRecord): void {
  if (entry.record.interventions.some((one) => one.key === intervention.key)) return
  entry.record = { ...entry.record, interventions: [...entry.record.interventions, intervention] }
}
