import type { Plan, RatesPlan } from '../plan.ts'
import type { EventFacts } from './ledger.ts'
import { isHarmless } from './limits.ts'
import type { RunFacts } from './run-facts.ts'
import type { Watch } from './watch.ts'

/** Spans in which a rate is looked at, in ms. */
const spansMs = [1_000, 5_000, 15_000] as const

/** Part of what a rate allows within 5 s that shows it to have held runs up. */
const usedUp = 0.7

/** So long a begin may be asked for again and again until it is committed. */
const commitsMs = 12_000

/** How often runs of a handler, and of a source's events, begin over all nodes (G8). */
export class Rates {
  readonly #watch: Watch
  readonly #rates: RatesPlan | undefined
  /** From its turn until its handler is entered: its event is read, and its begin may be committed. */
  readonly #onItsWayMs: number
  /** When runs began, by what bounds them. */
  readonly #begun = new Map<string, number[]>()
  /** Starts of nodes: each brings a turn of its own. */
  readonly #nodes = new Set<string>()

  constructor(watch: Watch, { rates, faults }: Pick<Plan, 'rates' | 'faults'>) {
    this.#watch = watch
    this.#rates = rates
    this.#onItsWayMs = isHarmless(faults) ? 300 : commitsMs
  }

  /** The handler is entered. */
  enters(run: RunFacts, event: EventFacts, node: string): void {
    if (!this.#rates) return
    this.#nodes.add(node)
    if (run.handler === 'meter') this.#begins('handler meter', this.#rates.ofHandler)
    if (event.source === 'till') this.#begins('source till', this.#rates.ofSource)
  }

  #begins(name: string, rate: number): void {
    const begun = this.#begun.get(name) ?? []
    begun.push(this.#watch.nowMs)
    this.#begun.set(name, begun)
    for (const spanMs of spansMs) {
      const since = this.#watch.nowMs - spanMs
      const count = begun.filter((atMs) => atMs > since).length
      // Seconds of machines differ by 3 %; each node has its own row of places, and catches up with late timers.
      const most = (rate * (spanMs + this.#onItsWayMs) * 1.04) / 1_000 + this.#nodes.size * (1 + rate * 0.02) + 1
      if (count > most)
        this.#watch.violate('G8.rate', `${count} runs of ${name} began within ${spanMs} ms, at most ${rate} a second`)
      if (spanMs === 5_000 && count > 5 * rate * usedUp) this.#watch.reach('rate of runs used up')
    }
  }
}
