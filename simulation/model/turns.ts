import type { Act, Plan } from '../plan.ts'
import { turnKinds, urgencyOf } from '../turns.ts'
import { tagOf } from './handlers.ts'
import type { EventFacts, Ledger } from './ledger.ts'
import type { Hold, Owners } from './owners.ts'
import type { RunFacts } from './run-facts.ts'
import type { Runs } from './runs.ts'
import type { Watch } from './watch.ts'

/** A run that a node has in memory, and that has not begun there since. */
interface Waiting {
  readonly run: RunFacts
  readonly event: EventFacts
  readonly urgency: number
  readonly sinceMs: number
  readonly hold: Hold
  /** No owner was lost that may have begun it: it is entered in the moment in which it is chosen. */
  readonly isFresh: boolean
  readonly settlements: number
  /** How many runs of each other tenant began since it is there, or its own tenant had a turn. */
  readonly others: Map<string, number>
  /** As much of other keys of its tenant. */
  readonly otherKeys: Map<string, number>
}

/** What of a plan they rest on. */
export type TurnsPlan = Pick<Plan, 'turns' | 'bounds' | 'acts'>

/**
 * Who goes first on a node (G8), of what it has in memory: the more urgent; of the same, each tenant, and each key of a tenant, waits
 * for one run of another at most. A node asks a handler how urgent a run is when it takes it into its memory.
 */
export class Turns {
  readonly #watch: Watch
  readonly #ledger: Ledger
  readonly #owners: Owners
  readonly #runs: Runs
  readonly #isOn: boolean
  /** Handlers whose runs are let go for no room: they wait in lines, and there is little. */
  readonly #letGo: ReadonlySet<string>
  readonly #waiting = new Map<string, Map<string, Waiting>>()

  constructor(watch: Watch, parts: { ledger: Ledger; owners: Owners; runs: Runs }, { turns, bounds, acts }: TurnsPlan) {
    this.#watch = watch
    this.#ledger = parts.ledger
    this.#owners = parts.owners
    this.#runs = parts.runs
    // Of code that lacks a handler a node gives pairs away, and nobody hears of it before the next beat.
    this.#isOn = turns === true && !acts.some(lacksHandler)
    this.#letGo = new Set(bounds.aside < roomy ? ['clerk'] : [])
  }

  /** A node asks how urgent a run of this handler is. */
  asked(node: string, handler: string, identity: Pick<EventFacts, 'tenant' | 'source' | 'id'>): void {
    const event = this.#ledger.eventNamed(identity)
    if (!this.#isOn || !event || this.#letGo.has(handler)) return
    const run = this.#runs.byId(`${event.key}-${tagOf(handler)}`)
    const of = this.#waiting.get(node) ?? new Map<string, Waiting>()
    this.#waiting.set(node, of)
    of.set(run.id, {
      run,
      event,
      urgency: urgencyOf(event.type) ?? 0,
      sinceMs: this.#watch.nowMs,
      hold: this.#owners.holdOf(node, event.shard),
      isFresh: !this.#runs.isSuspect(run),
      settlements: run.settlements,
      others: new Map(),
      otherKeys: new Map(),
    })
  }

  /** The handler is entered. */
  enters(run: RunFacts, event: EventFacts, node: string): void {
    if (!this.#isOn || !turnKinds.some((kind) => kind === run.handler)) return
    const of = this.#waiting.get(node) ?? new Map<string, Waiting>()
    const known = of.get(run.id)
    of.delete(run.id)
    // It was chosen a while ago: its begin had to be committed first.
    const isLate = this.#runs.isSuspect(run)
    const urgency = urgencyOf(event.type) ?? 0
    for (const other of of.values()) {
      const isBeside = other.run.handler === run.handler
      if (isBeside && other.urgency === urgency) this.#turns(other, { event, known, isLate }, of)
      else if (!isLate && this.#isThere(other)) this.#isFirst(run, urgency, other, isBeside)
    }
  }

  /** One of another urgency waits. */
  #isFirst(run: RunFacts, urgency: number, other: Waiting, isBeside: boolean): void {
    // Of a line there may be no room for more; who waits in none waits for the same slots as all.
    if (other.urgency > urgency && (isBeside || other.run.handler === 'errand'))
      this.#watch.violate(
        'G8.priority',
        `${run.name} of priority ${urgency} began, ${other.run.name} of ${other.urgency} waited`,
      )
    if (other.urgency < urgency) this.#watch.reach('more urgent run first')
  }

  /** One that is as urgent waits in the same line. */
  #turns(
    other: Waiting,
    { event, known, isLate }: { event: EventFacts; known: Waiting | undefined; isLate: boolean },
    of: ReadonlyMap<string, Waiting>,
  ): void {
    const isOwn = other.event.tenant === event.tenant
    const counts = isOwn ? other.otherKeys : other.others
    const name = isOwn ? (event.orderKey ?? '') : event.tenant
    if (isOwn) other.others.clear()
    if (isOwn && name === (other.event.orderKey ?? '')) {
      counts.clear()
      return
    }
    if (isLate || other.sinceMs >= this.#watch.nowMs) return
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    if (known && known.sinceMs > other.sinceMs)
      this.#watch.reach(isOwn ? 'key waited its turn' : 'tenant waited its turn')
    // One that may have been begun by an owner before has had its turn when its begin is sent, and is entered later.
    const isHeard = [...of.values()].every((one) => one.isFresh || !isOfOne(one, other))
    if (count > 1 && isHeard && this.#isThere(other))
      this.#watch.violate(
        'G8.turns',
        `${count} runs of ${isOwn ? 'key' : 'tenant'} ${name} began while ${other.run.name} waited`,
      )
  }

  /** Whether it is in the node's memory still, and free to go. */
  #isThere({ run, event, sinceMs, hold, isFresh, settlements }: Waiting): boolean {
    return (
      isFresh &&
      sinceMs < this.#watch.nowMs &&
      settlements === run.settlements &&
      this.#owners.isHeld(hold, event.shard) &&
      !this.#owners.isAskedBack(event.shard)
    )
  }
}

/** Whether they are of one tenant in one queue: a turn of one is a turn of both. */
function isOfOne(one: Waiting, other: Waiting): boolean {
  return (
    one.run.handler === other.run.handler && one.urgency === other.urgency && one.event.tenant === other.event.tenant
  )
}

/** Room for all that may wait in any world. */
const roomy = 1_000

function lacksHandler(act: Act): boolean {
  return act.kind === 'deploy' && act.version === 'without_audit'
}
