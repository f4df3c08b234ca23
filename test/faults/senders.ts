import { createHmac } from 'node:crypto'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import type { Random } from '../../src/kit/random.ts'
import type { Answered, Sent } from './checker/records.ts'
import { secret, tenants } from './shared.ts'

/** Of every hundred: sent twice, sent again with other content. */
const share = { resent: 10, altered: 5 }
const pauseMs = 20

/** A refusal that is to be asked again, as its sender saw it. */
export interface Refusal {
  readonly status: number
  readonly code: unknown
  readonly retryAfter: string | null
}

/** The headers of a signed body. */
export function sign(body: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-signature': createHmac('sha256', secret).update(body).digest('hex'),
  }
}

/** One POST of a signed event to the source of its tenant. */
export function post(url: string, tenant: string, event: object, timeoutMs = 20_000): Promise<Response> {
  const body = JSON.stringify(event)
  const signal = AbortSignal.timeout(timeoutMs)
  return fetch(`${url}/in/${tenant}`, { method: 'POST', body, headers: sign(body), signal })
}

/** Sends as providers do: each awaits its answer and asks again with the same id while there is none. Keeps a ledger. */
export class Senders {
  readonly ledger: (Sent | Answered)[] = []
  readonly refusals: Refusal[] = []
  readonly #url: string
  readonly #random: Random
  readonly #prefix: string
  #count = 0
  #answered = 0
  #stopped = false
  #abandoned = false
  #running: Promise<unknown> = Promise.resolve()

  /** @param prefix of its ids, where several send to one store */
  constructor(url: string, random: Random, prefix = '') {
    this.#url = url
    this.#random = random
    this.#prefix = prefix
  }

  /** Begins to send over so many connections beside two of ordered events, until `stop`. */
  start(connections: number): void {
    const plain = Array.from({ length: connections }, () => this.#send(undefined))
    const ordered = ['one', 'two'].map((key) => this.#send(key))
    this.#running = Promise.all([...plain, ...ordered])
  }

  /** So many were acknowledged. */
  get answered(): number {
    return this.#answered
  }

  /** Sends nothing new; resolves when all that was sent is answered. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** Sends nothing more, and asks for nothing again. */
  async abandon(): Promise<void> {
    this.#abandoned = true
    await this.stop()
  }

  async #send(orderKey: string | undefined): Promise<void> {
    while (!this.#stopped) {
      const id = `${this.#prefix}event-${this.#count++}`
      const tenant = tenants[this.#random.fraction() < 0.5 ? 0 : 1]
      const event = { id, tenant, ...(orderKey === undefined ? {} : { orderKey }), at: systemClock.monotonicMs() }
      this.ledger.push(event)
      await this.#deliver(event, false)
      if (this.#oneIn(share.resent)) await this.#deliver(event, false)
      if (this.#oneIn(share.altered)) await this.#deliver(event, true)
    }
  }

  /** Until there is a definite answer. */
  async #deliver({ id, tenant, orderKey: key }: Sent, altered: boolean): Promise<void> {
    const event = { id, type: key === undefined ? 'paid' : 'queued', key, amount: altered ? 2 : 1 }
    while (!this.#abandoned) {
      const answer = await post(this.#url, tenant, event)
        .then(async (response) => ({ response, value: JSON.parse(await response.text()) }))
        // Killed or cut while it answered: nobody knows, so it is asked again.
        .catch(() => undefined)
      if (answer === undefined || answer.response.status === 503) {
        const { response, value } = answer ?? {}
        if (response) {
          this.refusals.push({ status: 503, code: value.code, retryAfter: response.headers.get('retry-after') })
        }
        await sleep(systemClock, pauseMs)
        continue
      }
      const eventKey = String(answer.value.event?.key)
      const { outcome = `status ${answer.response.status}` }: { outcome?: string } = answer.value
      this.ledger.push({ answered: id, outcome, eventKey, at: systemClock.monotonicMs(), altered })
      this.#answered++
      return
    }
  }

  #oneIn(ofHundred: number): boolean {
    return this.#random.fraction() * 100 < ofHundred
  }
}

/**
 * To each server its own, by the prefix of their ids: what a node accepts is its own to run while it has room, so that one that
 * nobody sends to may have none.
 */
export function sendersTo(urls: Readonly<Record<string, string>>, random: Random): Senders[] {
  const senders = Object.entries(urls).map(([prefix, url]) => new Senders(url, random, prefix))
  for (const each of senders) each.start(4)
  return senders
}

/** What all of them sent, and were told. */
export function ledgerOf(senders: readonly Senders[]): (Sent | Answered)[] {
  return senders.flatMap(({ ledger }) => ledger)
}
