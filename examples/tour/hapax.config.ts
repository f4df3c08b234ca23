import { defineConfig, type HandlerEvent, handler, RetryLater } from '../../src/index.ts'
import { github, stripe } from '../../src/sources/index.ts'
import { secrets } from './secrets.ts'

/** Where the outside service of the tour listens: another process. */
const outside = process.env.TOUR_OUTSIDE_URL ?? 'http://127.0.0.1:4401'

/** What each event type is to the tour; the sender's ledger expects the same, from its own table in `traffic.ts`. */
export default defineConfig({
  store: 'sqlite:.hapax/tour.db',
  // Short, so that a killed worker's work is taken over while one watches.
  lease: '2s',
  beat: '500ms',
  sources: [stripe({ secret: secrets.stripe }), github({ secret: secrets.github })],
  handlers: [
    handler('record-activity', { source: 'github', on: '*' }, (event) => ({ type: event.type })),

    handler('triage-issue', { source: 'github', on: 'issues.*' }, async (event, run) => {
      const label = await run.step('choose label', () => (event.type === 'issues.opened' ? 'new' : 'known'))
      return { label }
    }),

    // Three steps, each durable before the next begins: a worker that is killed in the second leaves the first done.
    handler('settle-payment', { source: 'stripe', on: 'payment_intent.succeeded' }, async (event, run) => {
      await run.step('book', (key, signal) => ask('/bookings', event, key, signal))
      await run.step('invoice', (key, signal) => ask('/invoices', event, key, signal))
      await run.step('notify', (key, signal) => ask('/messages', event, key, signal))
      return { settled: event.id }
    }),

    // The outside service answers 500 twice before it does the work.
    handler(
      'refund',
      { source: 'stripe', on: 'charge.refunded', retry: { attempts: 5, min: '100ms', max: '1s' } },
      async (event, run) => {
        await run.step('pay back', (key, signal) => ask('/refunds', event, key, signal))
      },
    ),

    // The outside service is down for a while: deferred, at no cost of attempts.
    handler('account-invoice', { source: 'stripe', on: 'invoice.paid' }, async (event, run) => {
      await run.step('account', (key, signal) => ask('/accounts', event, key, signal))
    }),
  ],
})

/** One effect elsewhere, with the step's key as the other side's idempotency key. */
async function ask(path: string, event: HandlerEvent, key: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(`${outside}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ event: event.id, pid: process.pid }),
    signal,
  })
  if (response.status === 503) {
    const seconds = Number(response.headers.get('retry-after') ?? 1)
    throw new RetryLater(seconds * 1_000, `${path} is down`)
  }
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}
