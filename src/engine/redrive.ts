import { HapaxError } from '../errors/hapax-error.ts'
import { mintEventKey } from '../event/event-key.ts'
import { runId } from '../event/run.ts'
import { type Clock, sleep } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from '../store/store.ts'
import type { Intent, RedriveRequest, RedriveView, VerbAnswer } from './api.ts'
import type { Committer } from './committer.ts'

interface Redrive {
  readonly id: string
  state: RedriveView['state']
  asked: number
  applied: number
  refused: number
}

/** What a redrive needs of the node. */
export interface RedriveHost {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly committer: Committer
}

/** Redrives many runs by a filter, paced, with progress, stoppable. Kept in this process; asked again, it goes on. */
export class Redrives {
  readonly #host: RedriveHost
  readonly #redriveRun: (id: string, verb: 'redrive', intent: Intent) => Promise<VerbAnswer>
  readonly #redrives = new Map<string, Redrive>()

  constructor(host: RedriveHost, redriveRun: (id: string, verb: 'redrive', intent: Intent) => Promise<VerbAnswer>) {
    this.#host = host
    this.#redriveRun = redriveRun
  }

  start(request: RedriveRequest, intent: Intent): RedriveView {
    const id = `rdv_${mintEventKey(this.#host.clock.now(), 0, this.#host.random)}`
    const redrive: Redrive = { id, state: 'running', asked: 0, applied: 0, refused: 0 }
    if (this.#redrives.size >= limits.redrivesHeld) {
      for (const [other, { state }] of this.#redrives) if (state !== 'running') this.#redrives.delete(other)
    }
    this.#redrives.set(id, redrive)
    const work = request.unclaimed ? this.#unclaimed(redrive, request, intent) : this.#dead(redrive, request, intent)
    work.then(
      () => {
        if (redrive.state === 'running') redrive.state = 'done'
      },
      () => {
        redrive.state = 'failed'
      },
    )
    return { ...redrive }
  }

  view(id: string): RedriveView {
    const redrive = this.#redrives.get(id)
    if (!redrive) throw new HapaxError('not_found', { what: 'redrive' })
    return { ...redrive }
  }

  stop(id: string): RedriveView {
    const redrive = this.#redrives.get(id)
    if (!redrive) throw new HapaxError('not_found', { what: 'redrive' })
    if (redrive.state === 'running') redrive.state = 'stopped'
    return { ...redrive }
  }

  stopAll(): void {
    for (const redrive of this.#redrives.values()) if (redrive.state === 'running') redrive.state = 'stopped'
  }

  async #dead(redrive: Redrive, request: RedriveRequest, intent: Intent): Promise<void> {
    let cursor: string | undefined
    do {
      const { unclaimed: _unclaimed, perSecond: _perSecond, ...filter } = request
      const query = {
        ...filter,
        statuses: ['dead' as const],
        limit: limits.pageItems,
        ...(cursor === undefined ? {} : { cursor }),
      }
      const page = await this.#host.store.searchRuns(query)
      for (const { run } of page.runs) {
        if (redrive.state !== 'running') return
        redrive.asked++
        const answer = await this.#redriveRun(runId(run), 'redrive', intent)
        if (answer.outcome === 'refused') redrive.refused++
        else redrive.applied++
        await this.#pace(request)
      }
      cursor = page.next
    } while (cursor !== undefined)
  }

  async #unclaimed(redrive: Redrive, request: RedriveRequest, intent: Intent): Promise<void> {
    let cursor: string | undefined
    do {
      const { handler: _handler, perSecond: _perSecond, ...filter } = request
      const query = { ...filter, unclaimed: true, limit: limits.pageItems, ...(cursor === undefined ? {} : { cursor }) }
      const page = await this.#host.store.searchEvents(query)
      for (const event of page.events) {
        if (redrive.state !== 'running') return
        redrive.asked++
        const key = mintEventKey(this.#host.clock.now(), event.shard, this.#host.random)
        const actor = intent.actor ?? 'library'
        const item = { key, event: event.key, verb: 'redrive' as const, detail: '{}', reason: intent.reason, actor }
        const answer = await this.#host.committer.intervene(item)
        if (answer.outcome === 'written') redrive.applied++
        else redrive.refused++
        await this.#pace(request)
      }
      cursor = page.next
    } while (cursor !== undefined)
  }

  #pace(request: RedriveRequest): Promise<void> {
    return sleep(this.#host.clock, 1_000 / Math.max(0.1, request.perSecond ?? 100))
  }
}
