import type { Engine } from '../src/engine/engine-options.ts'
import type { Receipt } from '../src/event/receipt.ts'
import type { Model } from './model.ts'
import type { SimulatedNode } from './node.ts'
import type { Send } from './plan.ts'
import type { Schedule } from './schedule.ts'

/** How long a sender waits for its receipt, and between two tries. */
const patienceMs = 3_000
const againMs = 400

/** Those who send events: each asks again with the same identity until it has a receipt. */
export class Senders {
  readonly #schedule: Schedule
  readonly #model: Model
  readonly #nodes: readonly SimulatedNode[]
  readonly #waiting = new Set<number>()
  /** Of each send, what it got. */
  readonly receipts = new Map<number, Receipt>()

  constructor(schedule: Schedule, model: Model, nodes: readonly SimulatedNode[]) {
    this.#schedule = schedule
    this.#model = model
    this.#nodes = nodes
  }

  get isDone(): boolean {
    return this.#waiting.size === 0
  }

  send(index: number, send: Send): void {
    this.#waiting.add(index)
    this.#try(index, send, send.node)
  }

  #try(index: number, send: Send, from: number): void {
    if (!this.#waiting.has(index)) return
    const engine = this.engineFrom(from)
    if (!engine) {
      this.#schedule.at(this.#schedule.nowMs + againMs, () => this.#try(index, send, from + 1))
      return
    }
    const { tenant, source, id, type, orderKey, deeds, nonce, version } = send
    const data = { nonce, deeds, ...(version === undefined ? {} : { version }) }
    const call = this.#model.sent(send, JSON.parse(JSON.stringify(data)))
    const { watch } = this.#model
    watch.tell('sender', `sends ${tenant}/${id} ${type}${orderKey === undefined ? '' : ` key ${orderKey}`}`)
    let over = false
    const again = () => {
      if (over) return
      over = true
      watch.reach('accept retried after no answer')
      this.#try(index, send, from + 1)
    }
    engine.accept({ tenant, source, id, type, data, ...(orderKey === undefined ? {} : { orderKey }) }).then(
      (receipt) => {
        watch.tell('sender', `gets ${receipt.outcome} for ${tenant}/${id}`)
        this.#model.ledger.received(call, receipt)
        this.receipts.set(index, this.receipts.get(index) ?? receipt)
        this.#waiting.delete(index)
      },
      () => void this.#schedule.at(this.#schedule.nowMs + againMs, again),
    )
    this.#schedule.at(this.#schedule.nowMs + patienceMs, () => {
      if (this.#waiting.has(index)) again()
    })
  }

  /** A node that takes calls: this one, or the next. */
  engineFrom(index: number): Engine | undefined {
    for (let step = 0; step < this.#nodes.length; step++) {
      const node = this.#nodes[(index + step) % this.#nodes.length]
      if (node?.isAlive && node.engine) return node.engine
    }
    return undefined
  }
}
