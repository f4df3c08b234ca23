import { HapaxError } from '../errors/hapax-error.ts'
import { mintEventKey } from '../event/event-key.ts'
import { runId } from '../event/run.ts'
import { type Clock, sleep } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from '../store/store.ts'
import type { Intent, RedriveRequest, RedriveView, VerbAnswer } from './api.ts'

type Redrive = { -readonly [Name in keyof RedriveView]: RedriveView[Name] } & { refusals: Record<string, number> }

/** What a redrive needs of the node. */
export interface RedriveHost {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  /** Redrives a dead run. */
  redriveRun(id: string, intent: Intent): Promise<VerbAnswer>
  /** Gives an event that no handler took to those of now. */
  redriveEvent(event: string, intent: Intent): Promise<VerbAnswer>
}

/** Failures in a row after which a redrive gives up: it is the store, then, and not one run. */
const failuresInRow = 10

/** Redrives many runs by a filter, paced, with progress, stoppable. Kept in this process; asked again, it goes on. */
export class Redrives {
  readonly #host: RedriveHost
  readonly #redrives = new Map<string, Redrive>()

  constructor(host: RedriveHost) {
    this.#host = host
  }

  start(request: RedriveRequest, intent: Intent): RedriveView {
    const id = `rdv_${mintEventKey(this.#host.clock.now(), 0, this.#host.random)}`
    const redrive: Redrive = { id, state: 'running', ...nothingYet, refusals: {} }
    if (this.#redrives.size >= limits.redrivesHeld) {
      for (const [other, { state }] of this.#redrives) if (state !== 'running') this.#redrives.delete(other)
    }
    this.#redrives.set(id, redrive)
    this.#work(redrive, request, intent).then(
      () => {
        if (redrive.state === 'running') redrive.state = 'done'
      },
      (error: unknown) => {
        redrive.state = 'failed'
        redrive.error = errorIn(error, redrive.error?.run)
      },
    )
    return copyOf(redrive)
  }

  view(id: string): RedriveView {
    return copyOf(this.#known(id))
  }

  stop(id: string): RedriveView {
    const redrive = this.#known(id)
    if (redrive.state === 'running') redrive.state = 'stopped'
    return copyOf(redrive)
  }

  stopAll(): void {
    for (const redrive of this.#redrives.values()) if (redrive.state === 'running') redrive.state = 'stopped'
  }

  #known(id: string): Redrive {
    const redrive = this.#redrives.get(id)
    if (!redrive) throw new HapaxError('not_found', { what: 'redrive' })
    return redrive
  }

  /** Asks one after the other, at the pace; answers are awaited beside it, since a run's owner may take its time. */
  async #work(redrive: Redrive, request: RedriveRequest, intent: Intent): Promise<void> {
    const open = new Set<Promise<void>>()
    let inRow = 0
    const asks = request.unclaimed ? this.#unclaimed(request, intent) : this.#dead(request, intent)
    for await (const { name, ask } of asks) {
      if (redrive.state !== 'running') break
      redrive.asked++
      const asked = ask()
        .then(
          (answer) => {
            inRow = 0
            count(redrive, answer)
          },
          (error: unknown) => {
            inRow++
            redrive.failed++
            redrive.error = errorIn(error, name)
          },
        )
        .finally(() => open.delete(asked))
      open.add(asked)
      if (open.size >= limits.redriveOpen) await Promise.race(open)
      await sleep(this.#host.clock, 1_000 / Math.max(0.1, request.perSecond ?? 100))
      if (inRow >= failuresInRow) break
    }
    await Promise.all(open)
    if (inRow >= failuresInRow && redrive.state === 'running') redrive.state = 'failed'
  }

  async *#dead({ unclaimed: _unclaimed, perSecond: _perSecond, ...request }: RedriveRequest, intent: Intent) {
    const { after, before, ...filter } = request
    const query = {
      ...filter,
      ...(after !== undefined && { acceptedAfter: after }),
      ...(before !== undefined && { acceptedBefore: before }),
      statuses: ['dead' as const],
      limit: limits.pageItems,
    }
    for await (const page of oldestFirst((cursor) => this.#host.store.searchRuns({ ...query, ...cursor }))) {
      for (const { run } of page.runs.toReversed()) {
        const name = runId(run)
        yield { name, ask: () => this.#host.redriveRun(name, intent) }
      }
    }
  }

  async *#unclaimed(request: RedriveRequest, intent: Intent) {
    const { handler: _handler, perSecond: _perSecond, ...filter } = request
    const query = { ...filter, unclaimed: true, limit: limits.pageItems }
    for await (const page of oldestFirst((cursor) => this.#host.store.searchEvents({ ...query, ...cursor }))) {
      for (const { key } of page.events.toReversed()) {
        yield { name: key, ask: () => this.#host.redriveEvent(key, intent) }
      }
    }
  }
}

/**
 * The pages of a list that is newest first, from the last one: runs of one order key are to come back in their order. Reads
 * it twice, and keeps only where each page begins.
 */
async function* oldestFirst<Page extends { readonly next: string | undefined }>(
  read: (from: { readonly cursor?: string }) => Promise<Page>,
): AsyncGenerator<Page> {
  const starts: { readonly cursor?: string }[] = [{}]
  for (let { next } = await read({}); next !== undefined; { next } = await read({ cursor: next })) {
    starts.push({ cursor: next })
  }
  for (const start of starts.reverse()) yield await read(start)
}

const nothingYet = { asked: 0, applied: 0, refused: 0, pending: 0, failed: 0, toTheBack: 0, error: undefined }

function count(redrive: Redrive, answer: VerbAnswer): void {
  redrive[answer.outcome]++
  if (answer.outcome === 'refused') redrive.refusals[answer.reason] = (redrive.refusals[answer.reason] ?? 0) + 1
  if (answer.outcome === 'applied' && answer.note === 'to_the_back') redrive.toTheBack++
}

function copyOf(redrive: Redrive): RedriveView {
  return { ...redrive, refusals: { ...redrive.refusals } }
}

function errorIn(error: unknown, run: string | undefined): RedriveView['error'] {
  if (error instanceof HapaxError) return { code: error.code, message: error.message, run }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), run }
}
