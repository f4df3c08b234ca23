import type { Delivery } from './traffic.ts'

/** What the sender knows by itself: one entry per request, with the answer that it got. */
export interface Sent {
  readonly delivery: Delivery
  readonly status: number
  /** `accepted`, `duplicate` or `conflict`; undefined for a refusal. */
  readonly outcome: string | undefined
}

const connections = 16

/** Sends as a provider does, some connections at once, and keeps a ledger of its own. */
export class Sender {
  readonly ledger: Sent[] = []
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** Sends all; a request that gets no definite answer is sent again, as providers do. */
  async send(deliveries: readonly Delivery[]): Promise<void> {
    const left = deliveries.values()
    await Promise.all(
      Array.from({ length: connections }, async () => {
        for (const delivery of left) this.ledger.push(await this.#deliver(delivery))
      }),
    )
  }

  async #deliver(delivery: Delivery): Promise<Sent> {
    for (;;) {
      const response = await fetch(`${this.#url}/in/${delivery.source}`, {
        method: 'POST',
        headers: delivery.headers,
        body: delivery.body,
      })
      const { outcome }: { outcome?: string } = JSON.parse(await response.text())
      if (response.status !== 503 && response.status !== 429) return { delivery, status: response.status, outcome }
    }
  }
}
