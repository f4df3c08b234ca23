import { createHmac } from 'node:crypto'
import { systemClock } from '../../src/kit/clock.ts'
import type { Random } from '../../src/kit/random.ts'
import type { SentEvent } from './history.ts'
import { secret } from './shared.ts'

/** Of every hundred: events with an order key, with a transaction; sent twice; sent again with other content. */
const share = { booked: 5, resent: 10, altered: 3 }
const orderKeys = 6
const plainSenders = 26

type Sending = SentEvent & { readonly answers: { outcome: string; eventKey: string; at: number; altered: boolean }[] }

/** Sends as providers do: each connection awaits its answer, and asks again with the same id when there is none. */
export class Senders {
  readonly sent: SentEvent[] = []
  readonly #url: string
  readonly #random: Random
  readonly #serverIsReady: () => Promise<void>
  #answered = 0
  #stopped = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: { url: string; random: Random; serverIsReady: () => Promise<void> }) {
    this.#url = options.url
    this.#random = options.random
    this.#serverIsReady = options.serverIsReady
  }

  /** Begins to send, until `stop`. */
  start(): void {
    const plain = Array.from({ length: plainSenders }, () => this.#send(undefined))
    const ordered = Array.from({ length: orderKeys }, (_, key) => this.#send(`key-${key}`))
    this.#running = Promise.all([...plain, ...ordered])
  }

  /** Sends nothing new; resolves when every event that was sent is answered. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** So many were answered. */
  get answered(): number {
    return this.#answered
  }

  async #send(orderKey: string | undefined): Promise<void> {
    while (!this.#stopped) {
      const id = `event-${this.sent.length}`
      const type = orderKey ? 'queued' : this.#oneIn(share.booked) ? 'booked' : 'paid'
      const event: Sending = { id, type, orderKey, sentAt: systemClock.monotonicMs(), answers: [] }
      this.sent.push(event)
      await this.#deliver(event, false)
      if (this.#oneIn(share.resent)) await this.#deliver(event, false)
      if (this.#oneIn(share.altered)) await this.#deliver(event, true)
    }
  }

  /** Until there is a definite answer. */
  async #deliver(event: Sending, altered: boolean): Promise<void> {
    const { id, type, orderKey: key } = event
    const body = JSON.stringify({ id, type, key, amount: altered ? 2 : 1 })
    const headers = {
      'content-type': 'application/json',
      'x-signature': createHmac('sha256', secret).update(body).digest('hex'),
    }
    for (;;) {
      await this.#serverIsReady()
      const answer = await fetch(`${this.#url}/in/shop`, { method: 'POST', body, headers })
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        // Killed while it answered: nobody knows, so it is asked again.
        .catch(() => undefined)
      if (answer === undefined || answer.status === 503) continue
      const { outcome, event: found }: { outcome: string; event: { key: string } } = JSON.parse(answer.text)
      if (event.answers.length === 0) this.#answered++
      event.answers.push({ outcome, eventKey: found.key, at: systemClock.monotonicMs(), altered })
      return
    }
  }

  #oneIn(ofHundred: number): boolean {
    return this.#random.fraction() * 100 < ofHundred
  }
}
