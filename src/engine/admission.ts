import type { EventRecord } from '../event/event.ts'
import type { Registry } from '../event/handler-record.ts'
import { runId } from '../event/run.ts'
import type { Instant } from '../kit/clock.ts'
import type { DuePage, InterventionRecord, Owned, RunRecord, TailPage } from '../store/store.ts'
import { freshRecord } from './entry.ts'
import { Routes } from './routes.ts'
import type { RunMemory } from './run-memory.ts'

/** An accept under way whose event its node will hand over. */
export interface HandOver {
  /** The event, after its commit; with its runs as the store has them, where that was a while ago. */
  take(event: EventRecord, records?: readonly RunRecord[]): void
  /** There is none: it was a duplicate, or was never sent. */
  forgo(): void
}

/** What letting runs into memory needs of its node. */
export interface AdmissionHost {
  readonly memory: RunMemory
  readonly group: string
  readonly leaseMs: number
  registry(): Registry
  /** Whether runs are begun here still. */
  isTaking(): boolean
  /** Judges an intervention; never rejects. */
  intervene(owned: Owned, intervention: InterventionRecord): Promise<void>
  /** There is work: it is looked for more often. */
  busy(): void
  /** Starts what came. */
  pump(): void
}

/** Lets runs into memory: what was handed over, what a page of `tail` brings, what is due. */
export class Admission {
  readonly #host: AdmissionHost
  readonly #routes: Routes

  constructor(host: AdmissionHost) {
    this.#host = host
    this.#routes = new Routes(
      () => host.registry(),
      ({ group }) => group === host.group,
    )
  }

  /**
   * An accept of this node is about to be committed for hand-over: `tail` will leave it out, so that until it is answered
   * only the low mark tells the next owner of it.
   */
  expect(owned: Owned): HandOver {
    const { memory } = this.#host
    const pair = memory.pair(owned)
    this.#host.busy()
    if (!pair) return { take: () => {}, forgo: () => {} }
    const place = pair.expect()
    return {
      forgo: () => pair.expectNoMore(place),
      take: (event, records = []) => {
        // A pair that was lost, and granted again, under the same epoch even, was read from its low mark: it has the event.
        if (!pair.expects(place) || memory.pairAt(owned.shard) !== pair) return
        if (pair.isHandedBack || !this.#host.isTaking()) return
        pair.expectNoMore(place)
        for (const { tag } of this.#routes.ofAccepted(event)) {
          const record = records.find((one) => one.tag === tag)
          const id = runId({ event: event.key, tag })
          // A verb may have ended it before it was handed over.
          if (record?.state || pair.hasFinished(id)) continue
          memory.add(pair, id, event, record ?? freshRecord(event, tag), undefined)
        }
        this.#host.pump()
      },
    }
  }

  /**
   * What came to a pair since its last page.
   *
   * @param askedAt when the page was asked for.
   */
  takePage(page: TailPage, askedAt: Instant): void {
    const { memory, leaseMs } = this.#host
    const pair = memory.pair(page)
    if (!pair) return
    if (page.stale) {
      memory.lose(pair.grant)
      return
    }
    // It was asked for before the hand-back began.
    if (pair.isHandedBack) return
    for (const standing of page.standing) memory.addStanding(pair, standing)
    for (const { event, runs } of page.events) {
      for (const { tag } of this.#routes.ofAccepted(event)) {
        const record = runs.find((run) => run.tag === tag)
        const id = runId({ event: event.key, tag })
        // It stands or has ended: `due`, a signal or a person brings it back.
        if (record?.state || pair.hasFinished(id)) continue
        const mayHaveBegunAt = pair.mayHaveBegunAt(event.acceptedAt, leaseMs)
        memory.add(pair, id, event, record ?? freshRecord(event, tag), mayHaveBegunAt)
        const isAside = pair.entries.get(id)?.stage === 'aside'
        if (mayHaveBegunAt !== undefined && !isAside) pair.countSuspect()
      }
    }
    if (page.events.length > 0) this.#host.busy()
    const last = page.events.at(-1)?.event.acceptedAt ?? Number.NEGATIVE_INFINITY
    pair.passed(page, page.more ? last : askedAt)
    this.takeAsked(page)
  }

  /** Of such a page only what people and callers ask. */
  takeAsked(page: TailPage): void {
    const pair = this.#host.memory.pair(page)
    if (!pair || page.stale) return
    if (page.interventions.length > 0) this.#host.busy()
    pair.asked(page.asked)
    for (const intervention of page.interventions) void this.#host.intervene(pair.grant, intervention)
  }

  /**
   * A run whose time has come. Answers whether it is in memory now, or will be read anew when it can be.
   *
   * @param moved runs that moved since the page was asked for: what it says of them is old.
   */
  takeDue({ event, run, owned }: DuePage['runs'][number], moved: ReadonlySet<string>): boolean {
    const { memory, leaseMs } = this.#host
    const id = runId(run)
    const pair = memory.pairAt(owned.shard)
    // Before the first page of a pair it is not known who holds its order keys.
    if (!pair?.isRead || moved.has(id) || memory.moving.has(id)) return false
    const known = pair.entries.get(id)
    // Of a pair that is no more, or in memory already.
    if (pair.grant.epoch !== owned.epoch || pair.isHandedBack || (known && known.stage !== 'standing')) return true
    // What is still to be read of its key goes before it, and may have begun.
    if (isPutBehind(run)) {
      if (pair.more) return false
      // Where it alone is left of its key in memory, nothing else would have the others read again.
      if (known && memory.isLetGoBeside(known)) {
        memory.drop(known)
        return false
      }
    }
    if (known) memory.bringBack(known, event, run)
    else {
      const mayHaveBegunAt = pair.mayHaveBegunAt(run.state?.dueAt ?? Number.POSITIVE_INFINITY, leaseMs)
      memory.add(pair, id, event, run, mayHaveBegunAt)
    }
    this.#host.pump()
    return true
  }
}

/** Whether a verb put the run behind its order key, and it has not begun there. */
function isPutBehind({ state, begins }: RunRecord): boolean {
  return state?.place !== undefined && state.attempt === 0 && begins.length === 0
}
