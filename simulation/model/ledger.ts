import { isDeepStrictEqual } from 'node:util'
import type { Receipt } from '../../src/event/receipt.ts'
import type { AcceptAnswer, AcceptItem } from '../../src/store/store.ts'
import type { Watch } from './watch.ts'

/** An event that the store has. */
export interface EventFacts {
  readonly key: string
  readonly tenant: string
  readonly source: string
  readonly id: string
  readonly type: string
  readonly shard: number
  readonly orderKey: string | undefined
  readonly content: unknown
  readonly emittedBy: string | undefined
  /** By the store's clock. */
  readonly acceptedAt: number
  /** When the first receipt that names it came. */
  receiptAtMs: number | undefined
  /** When its own accept was sent; the first, if it was asked again. */
  sentAtMs: number | undefined
  /** Runs that a receipt promised. */
  readonly promised: Set<string>
}

/** One call of accept, as its sender sees it. */
export interface Call {
  readonly identity: string
  readonly tenant: string
  readonly content: unknown
  readonly sentAtMs: number
}

/** Senders, receipts, and the events of the store (G1, G2, G11). */
export class Ledger {
  readonly #watch: Watch
  readonly events = new Map<string, EventFacts>()
  readonly #byIdentity = new Map<string, string>()
  readonly #acceptedFor = new Map<string, string>()
  /** The store has an event that it did not have before. */
  written: (event: EventFacts) => void = () => {}

  constructor(watch: Watch) {
    this.#watch = watch
  }

  /** The event of an identity. */
  eventNamed(identity: { tenant: string; source: string; id: string }): EventFacts | undefined {
    return this.events.get(this.#byIdentity.get(identityOf(identity)) ?? '')
  }

  /** The store has judged an accept. */
  judged(item: AcceptItem, answer: AcceptAnswer): void {
    const identity = identityOf(item)
    if (answer.outcome === 'accepted') this.#written(item, undefined, answer.position !== undefined)
    else if (answer.outcome !== 'in_flight') {
      const known = this.#byIdentity.get(identity)
      if (known !== answer.original)
        this.#watch.violate('G2.one', `${identity} is ${answer.outcome} of ${answer.original}, known is ${known}`)
    }
  }

  /** A follow-up event was committed with the checkpoint of its step. */
  emitted(item: AcceptItem, run: string): void {
    this.#watch.reach('emitted')
    const parent = this.events.get(run.slice(0, 26))
    if (parent && parent.tenant !== item.tenant)
      this.#watch.violate('G11.tenant', `${identityOf(item)} was emitted by an event of ${parent.tenant}`)
    if (!this.#byIdentity.has(identityOf(item))) this.#written(item, run, false)
  }

  #written(item: AcceptItem, emittedBy: string | undefined, spans: boolean): void {
    const { key, tenant, source, id, type, shard, orderKey } = item
    const identity = identityOf(item)
    const known = this.#byIdentity.get(identity)
    if (known === key) return
    if (known !== undefined) {
      this.#watch.violate('G2.one', `${identity} was accepted as ${known}, and again as ${key}`)
      return
    }
    if (spans && item.handedTo) this.#watch.reach('handed over in memory')
    else this.#watch.reach('learned by tail')
    this.#byIdentity.set(identity, key)
    // A value's members may be kept in another order than they were given in.
    const content: unknown = JSON.parse(new TextDecoder().decode(item.body))
    const acceptedAt = this.#watch.storeNow
    const sent = { receiptAtMs: undefined, sentAtMs: undefined, promised: new Set<string>() }
    const event = { key, tenant, source, id, type, shard, orderKey, content, emittedBy, acceptedAt, ...sent }
    this.events.set(key, event)
    this.written(event)
    this.#watch.tell('store', `has ${identity} as ${short(key)} in shard ${shard}`)
  }

  /** A sender got a receipt. */
  received(call: Call, receipt: Receipt): void {
    const { identity } = call
    const key = receipt.event.key
    const event = this.events.get(key)
    this.#watch.reach(receipt.outcome)
    if (!event) {
      this.#watch.violate('G1.receipt', `${identity} got ${receipt.outcome} for ${key}, which is in no commit`)
      return
    }
    if (event.tenant !== call.tenant)
      this.#watch.violate('G11.tenant', `${identity} got a receipt for an event of ${event.tenant}`)
    if (this.#byIdentity.get(identity) !== key)
      this.#watch.violate(
        'G2.one',
        `${identity} got a receipt for ${key}, its event is ${this.#byIdentity.get(identity)}`,
      )
    if (receipt.outcome === 'accepted') {
      const before = this.#acceptedFor.get(identity)
      if (before !== undefined) this.#watch.violate('G2.one', `${identity} got accepted twice: ${before} and ${key}`)
      this.#acceptedFor.set(identity, key)
      event.sentAtMs = call.sentAtMs
    }
    const same = isDeepStrictEqual(event.content, call.content)
    if (receipt.outcome === 'duplicate' && !same)
      this.#watch.violate('G2.verdict', `${identity} has other content and got duplicate`)
    if (receipt.outcome === 'conflict' && same)
      this.#watch.violate('G2.verdict', `${identity} has the same content and got conflict`)
    event.receiptAtMs ??= this.#watch.nowMs
    // A duplicate's receipt names the handlers that its own node knows, which the original may not have had.
    if (receipt.outcome === 'accepted') for (const { id } of receipt.runs) event.promised.add(id)
  }
}

/** An identity as one text. */
export function identityOf({ tenant, source, id }: { tenant: string; source: string; id: string }): string {
  return `${tenant}/${source}/${id}`
}

/** The end of a key is what tells keys apart. */
export function short(key: string): string {
  return key.slice(-6)
}
