/** What every event of the benchmark carries: 1 KB of JSON, shaped as a payment webhook is. */
const metadata = Object.fromEntries(
  Array.from({ length: 22 }, (_, index) => [`key_${index}`, `a value of order ${index}`]),
)

/** The payload of one event, as a value. */
export function payload(id: string): object {
  return {
    id,
    object: 'event',
    created: 1_764_000_000,
    type: 'payment_intent.succeeded',
    pending_webhooks: 1,
    data: { object: { id: `pi_${id}`, amount: 1_099, currency: 'eur', customer: 'cus_1001', metadata } },
  }
}

/** The same as bytes. */
export function body(id: string): Uint8Array {
  return Buffer.from(JSON.stringify(payload(id)))
}
