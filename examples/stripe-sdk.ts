/**
 * Stripe's own SDK through a dependency: `call` takes any client, and reads status and headers from its errors. A stand-in on
 * this machine speaks Stripe's error shapes: a reply is lost, then it is asked too often, then a card is declined.
 */
import { once } from 'node:events'
import { mkdtempDisposableSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Stripe from 'stripe'
import { createHapax, dependency, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-stripe-sdk-'))

/** What the stand-in was asked: by the key of the request, as Stripe remembers it for a day. */
const charges = new Map<string, string>()
const calls: string[] = []

const standIn = createServer(async (request, response) => {
  let form = ''
  for await (const chunk of request) form += chunk
  const card = new URLSearchParams(form).get('payment_method') ?? ''
  const key = String(request.headers['idempotency-key'])
  const tries = calls.filter((one) => one === card).length
  calls.push(card)
  const answer = (status: number, body: object, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_${calls.length}`, ...headers })
    response.end(JSON.stringify(body))
  }
  if (card === 'pm_busy' && tries === 0) {
    const error = { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests.' }
    return answer(429, { error }, { 'retry-after': '1' })
  }
  if (card === 'pm_declined') {
    return answer(402, { error: { type: 'card_error', code: 'card_declined', message: 'Your card was declined.' } })
  }
  const id = charges.get(key) ?? `pi_${charges.size + 1}`
  charges.set(key, id)
  if (card === 'pm_lost' && tries < 2) return request.socket.destroy()
  answer(200, { id, object: 'payment_intent', status: 'succeeded' })
})
standIn.listen(0, '127.0.0.1')
await once(standIn, 'listening')
const address = standIn.address()
const port = typeof address === 'object' && address ? address.port : 0

const client = new Stripe('sk_test_of_an_example', {
  host: '127.0.0.1',
  port,
  protocol: 'http',
  // Hapax retries, by its policy, its limits and the circuit, and journals each try. Retries inside the client would take turns
  // of the rate that nobody counts, and knock where the circuit is open. One is left, whatever this says: a call whose
  // connection was closed under it is sent once more at once, with the same key.
  maxNetworkRetries: 0,
  telemetry: false,
})
const stripe = dependency('stripe', { timeout: '5s', rate: '100/s', concurrency: 20, circuit: { failures: 5 } })

const retry = { attempts: 3, min: '50ms', jitter: 'none' } as const
const charge = handler('charge', { source: 'shop', on: 'order.paid', uses: [stripe], retry }, async (event, run) => {
  const { card } = event.data as { card: string }
  try {
    // The key is the step's: the same at each try, so that a reply that was lost charges nobody twice.
    return await run.step('charge', async (key) => {
      const order = { amount: 1999, currency: 'eur', payment_method: card, confirm: true }
      const { id } = await stripe.call(() => client.paymentIntents.create(order, { idempotencyKey: key }))
      return { charged: id }
    })
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError) return { declined: error.code }
    throw error
  }
})

await using hapax = await createHapax({ store: `sqlite:${folder.path}/stripe.db`, handlers: [charge] })
await hapax.start()
for (const card of ['pm_plain', 'pm_lost', 'pm_busy', 'pm_declined']) {
  const receipt = await hapax.accept({ source: 'shop', id: `order of ${card}`, type: 'order.paid', data: { card } })
  for (const { id } of receipt.runs) {
    const result = await hapax.runs.result(id, { timeout: '10s' })
    const { state } = await hapax.runs.get(id)
    console.log(
      `${card}:`,
      result,
      `tries: ${calls.filter((one) => one === card).length}, failures: ${state?.failuresInAll}`,
    )
  }
}
console.log('charged in all:', charges.size)
standIn.close()
