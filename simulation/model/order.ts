import { isTerminal } from '../../src/event/run-status.ts'
import { handlersFor } from './handlers.ts'
import type { EventFacts } from './ledger.ts'
import type { Entered, RunFacts } from './run-facts.ts'
import type { Watch } from './watch.ts'

/** Handlers that are ordered, and what a dead head does there. */
const ordered: Readonly<Record<string, 'block' | 'skip'>> = {
  ledger: 'block',
  feed: 'skip',
  charge: 'skip',
  stock: 'skip',
  price: 'skip',
  tick: 'skip',
}

/** Runs of one handler and order key (G7). */
export class Order {
  readonly #watch: Watch
  readonly #queues = new Map<string, Set<RunFacts>>()
  readonly #eventOf: (key: string) => EventFacts | undefined
  readonly #isActive: (run: RunFacts) => boolean

  constructor(watch: Watch, eventOf: (key: string) => EventFacts | undefined, isActive: (run: RunFacts) => boolean) {
    this.#watch = watch
    this.#eventOf = eventOf
    this.#isActive = isActive
  }

  /** The run exists: it has its place. */
  note(run: RunFacts, event: EventFacts): void {
    const name = nameOf(event)
    if (name === undefined) return
    const queue = this.#queues.get(name) ?? new Set()
    this.#queues.set(name, queue.add(run))
  }

  /** The handler is entered: nobody else of its key may run, hold the key, or be before it. */
  enters(run: RunFacts, event: EventFacts, at: Entered): void {
    const name = nameOf(event)
    if (name === undefined) return
    for (const other of this.#queues.get(name) ?? []) {
      if (other === run) continue
      if (this.#isActive(other))
        this.#watch.violate('G7.one_at_a_time', `${run.name} began while ${other.name} of the same key was running`)
      else if (this.#holds(other))
        this.#watch.violate(
          'G7.one_at_a_time',
          `${run.name} began while ${other.name} held its key: ${other.state?.status}`,
        )
      else if (at.generation === 1 && run.firstEnteredAtMs === undefined && this.#isBefore(other, event))
        this.#watch.violate('G7.order', `${run.name} began before ${other.name}, whose receipt came before it was sent`)
    }
  }

  /** A head that began and stands, or a dead one that blocks, holds its key. */
  #holds(run: RunFacts): boolean {
    const { state } = run
    if (!state || run.enteredGeneration < state.generation) return false
    if (state.status === 'completed' || state.status === 'cancelled') return false
    if (state.status !== 'dead') return true
    return blocks(run, this.#eventOf(run.event))
  }

  #isBefore(other: RunFacts, event: EventFacts): boolean {
    const before = this.#eventOf(other.event)
    // A run that no receipt promised is given to its handler later: it has its place from then on.
    if (!before?.promised.has(other.id)) return false
    if (before.receiptAtMs === undefined || event.sentAtMs === undefined || before.receiptAtMs >= event.sentAtMs)
      return false
    if (other.state && isTerminal(other.state.status)) return blocks(other, before)
    // A later generation of a run that had its turn has its own place.
    return (other.state?.generation ?? 1) === 1
  }

  /** Whether others of its key wait for their turn. */
  hasFollowers(run: RunFacts, event: EventFacts): boolean {
    const name = nameOf(event)
    if (name === undefined) return false
    return [...(this.#queues.get(name) ?? [])].some((other) => other !== run && other.firstEnteredAtMs === undefined)
  }

  /** Whether something of its key stands before this run for good, so that it rightly never begins. */
  isBlocked(run: RunFacts, event: EventFacts): boolean {
    const name = nameOf(event)
    if (name === undefined) return false
    return [...(this.#queues.get(name) ?? [])].some((other) => {
      if (other === run || !other.state) return false
      const { status } = other.state
      if (status === 'dead') return blocks(other, this.#eventOf(other.event))
      return status === 'unknown' || (status === 'waiting' && other.state.reason === 'signal')
    })
  }
}

function blocks(run: RunFacts, event: EventFacts | undefined): boolean {
  return (
    event !== undefined &&
    ordered[handlerOf(event)] === 'block' &&
    run.state?.status === 'dead' &&
    run.state.reason !== 'released'
  )
}

function nameOf(event: EventFacts): string | undefined {
  const handler = handlerOf(event)
  if (event.orderKey === undefined || ordered[handler] === undefined || event.type === 'charge.made') return undefined
  return `${handler} ${event.tenant} ${event.orderKey}`
}

function handlerOf(event: EventFacts): string {
  return handlersFor(event)[0] ?? ''
}
