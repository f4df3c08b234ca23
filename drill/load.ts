import type { Hapax } from '../src/index.ts'
import { nowMs } from './clock.ts'

/** What comes to one node. */
export interface LoadPlan {
  /** Events a second whose runs call the service. */
  readonly calling: number
  /** Events a second whose runs have nothing to do with it. */
  readonly apart: number
}

/** Every so many'th event has an order key, of so many. */
const keyedEvery = 5
const keys = 50

/** So often it is looked what is to be sent by now. */
const lookMs = 2

/** How many burst at once. */
const producers = 64

/**
 * Sends events at a rate, whether those before have been answered or not. Of an order key one is sent when the one before has its
 * receipt: so their order is certain. An event's id is `node_index`, and `_key_place` where it has an order key.
 */
export class Load {
  readonly #node: string
  readonly #hapax: Hapax
  readonly #open = new Set<Promise<void>>()
  readonly #ofKey = new Map<number, Promise<void>>()
  readonly #placeOfKey = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined
  #calling = 0
  #apart = 0
  /** When each was accepted, and its run, by the event's id. */
  readonly accepted = new Map<string, { readonly atMs: number; readonly run: string }>()
  /** Accepts that were refused. */
  refused = 0

  constructor(node: string, hapax: Hapax) {
    this.#node = node
    this.#hapax = hapax
  }

  begin({ calling, apart }: LoadPlan): void {
    const fromMs = nowMs()
    const before = { calling: this.#calling, apart: this.#apart }
    this.#timer = setInterval(() => {
      const seconds = (nowMs() - fromMs) / 1_000
      while (this.#calling - before.calling < calling * seconds) this.#sendCalling()
      while (this.#apart - before.apart < apart * seconds) this.#sendApart()
    }, lookMs)
  }

  async burst(count: number): Promise<void> {
    const until = this.#calling + count
    const produce = async () => {
      while (this.#calling < until) await this.#accept(`${this.#node}_${this.#calling++}`, 'order.paid')
    }
    await Promise.all(Array.from({ length: producers }, produce))
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
  }

  #sendCalling(): void {
    const index = this.#calling++
    const id = `${this.#node}_${index}`
    if (index % keyedEvery !== 0) {
      this.#note(this.#accept(id, 'order.paid'))
      return
    }
    const key = (index / keyedEvery) % keys
    const place = this.#placeOfKey.get(key) ?? 0
    this.#placeOfKey.set(key, place + 1)
    const before = this.#ofKey.get(key) ?? Promise.resolve()
    const sent = before.then(() => this.#accept(`${id}_${key}_${place}`, 'order.paid', `${this.#node} ${key}`))
    this.#ofKey.set(key, sent)
    this.#note(sent)
  }

  #sendApart(): void {
    this.#note(this.#accept(`${this.#node}_mail_${this.#apart++}`, 'mail'))
  }

  #note(sent: Promise<void>): void {
    this.#open.add(sent)
    void sent.finally(() => this.#open.delete(sent))
  }

  async #accept(id: string, type: string, orderKey?: string): Promise<void> {
    const data = { sentMs: nowMs() }
    try {
      const { runs } = await this.#hapax.accept({ source: 'shop', id, type, data, ...(orderKey && { orderKey }) })
      this.accepted.set(id, { atMs: nowMs(), run: runs[0]?.id ?? '' })
    } catch {
      this.refused++
    }
  }
}
