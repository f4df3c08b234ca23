import { setTimeout as pause } from 'node:timers/promises'
import type { HapaxClient } from '../../src/client/http-client.ts'
import type { Behaviour, Call } from './outside-service.ts'
import type { Processes, Started } from './processes.ts'
import { addsUp, effectsOf, type Row, readBack, rejectedSoFar, summaryText } from './read-back.ts'
import { Sender } from './sender.ts'
import {
  type Delivery,
  githubDeliveries,
  runsExpected,
  type StripeEvent,
  type StripeType,
  stripeDelivery,
  stripeEvents,
  stripeResend,
  underAnotherId,
} from './traffic.ts'

/** What the scenes play on. */
export interface Stage {
  readonly hapax: HapaxClient
  readonly serverUrl: string
  readonly outsideUrl: string
  readonly processes: Processes
  /** The tour's id: part of every event id. */
  readonly tour: string
  readonly say: (line: string) => void
}

const counts: Readonly<Record<StripeType, number>> = {
  'payment_intent.succeeded': 20,
  'charge.refunded': 10,
  'invoice.paid': 10,
  'customer.created': 5,
}

/** Every tenth delivery is sent a second time. */
const resendEvery = 10

/** How long a scene may take: a lease, a takeover and some retries are seconds. */
const sceneMs = 60_000

/** Plays all scenes; true when every number of the summary adds up. */
export async function play(stage: Stage): Promise<boolean> {
  const { hapax, tour, say } = stage
  const since = Date.now() - 1_000
  const rejectedBefore = await rejectedSoFar(hapax)
  const sender = new Sender(stage.serverUrl)
  const payments = await stripeEvents('payment_intent.succeeded', tour, counts['payment_intent.succeeded'] + 1)
  const [crashed, ...settled] = payments
  if (!crashed) throw new Error('no payment to crash in')

  await traffic(stage, sender, settled)
  const deferred = await outage(stage, sender)
  const killed = await workerKilled(stage, sender, crashed)

  const expected = expectationOf(sender)
  await until('every run to complete', async () => (await readBack(hapax, tour, since)).completed >= expected.runs)
  await until('the refusal to be counted', async () => (await rejectedSoFar(hapax)) > rejectedBefore)
  const record = await readBack(hapax, tour, since)
  const { effects, events } = effectsOf(await callsOf(stage))
  const rows: Row[] = [
    { what: 'accepted', sent: expected.accepted, readBack: record.accepted },
    { what: 'duplicates', sent: expected.duplicates, readBack: record.duplicates },
    { what: 'conflicts', sent: expected.conflicts, readBack: record.conflicts },
    { what: 'rejected', sent: expected.rejected, readBack: (await rejectedSoFar(hapax)) - rejectedBefore },
    { what: 'unclaimed', sent: counts['customer.created'], readBack: record.unclaimed },
    { what: 'runs completed', sent: expected.runs, readBack: record.completed },
    { what: '  after failing twice', sent: counts['charge.refunded'], readBack: record.failedTwice },
    { what: '  deferred, no failure', sent: deferred, readBack: record.deferred },
    { what: '  resumed after a kill', sent: killed, readBack: record.resumed },
    { what: 'effects outside', sent: effects, readBack: events },
  ]
  say(`\nThe sender's own ledger, and what /v1 says (tour ${tour}):\n\n${summaryText(rows)}\n`)
  return addsUp(rows)
}

/** GitHub and Stripe at once, with resends, a conflict, a replay and a bad signature. */
async function traffic(stage: Stage, sender: Sender, payments: readonly StripeEvent[]): Promise<void> {
  const { say, tour } = stage
  const github = githubDeliveries(tour)
  const refunds = await stripeEvents('charge.refunded', tour, counts['charge.refunded'])
  const customers = await stripeEvents('customer.created', tour, counts['customer.created'])
  await behave(stage, {})

  const stripe = [...payments, ...refunds, ...customers]
  say(`${github.length} GitHub deliveries and ${stripe.length} Stripe events, each signed as its provider signs`)
  await sender.send(
    mixed(
      github,
      stripe.map((event) => stripeDelivery(event)),
    ),
  )

  const again = [...every(github, resendEvery), ...every(stripe, resendEvery).map((event) => stripeResend(event))]
  const [first] = github
  const [payment] = payments
  if (!first || !payment) throw new Error('no traffic to repeat')
  const replayed = underAnotherId(first, `${tour}-ffff-4000-8000-000000000000`)
  const changed = stripeDelivery({ ...payment, data: { object: { ...payment.data.object, amount: 1 } } })
  const forged = stripeDelivery({ ...payment, id: `evt_${tour}forged` }, 'whsec_of_somebody_else')
  say(`${again.length} sent again, one replayed under another id, one with another amount, one with a forged signature`)
  await sender.send([...again, replayed, changed, forged])
}

/** The outside service is down: runs are deferred, and go on when it is back. Returns how many. */
async function outage(stage: Stage, sender: Sender): Promise<number> {
  const { hapax, say, tour } = stage
  const invoices = await stripeEvents('invoice.paid', tour, counts['invoice.paid'])
  await behave(stage, { down: ['/accounts'] })
  await sender.send(invoices.map((event) => stripeDelivery(event)))
  await until('the invoices to be deferred', async () => (await deferredNow(hapax)) >= invoices.length)
  say(`${invoices.length} invoices while the accounts are down: deferred, no attempt spent; now they are back`)
  await behave(stage, {})
  return invoices.length
}

async function deferredNow(hapax: HapaxClient): Promise<number> {
  const { runs } = await hapax.runs.list({ source: 'stripe', statuses: ['scheduled'] })
  return runs.filter(({ handler, state }) => handler === 'account-invoice' && state.reason === 'deferred').length
}

/** A worker dies in the second of three steps; another one goes on from there. Returns how many runs were hit. */
async function workerKilled(stage: Stage, sender: Sender, payment: StripeEvent): Promise<number> {
  const { processes, say } = stage
  const path = '/invoices'
  await behave(stage, { hang: { path, event: payment.id } })
  await sender.send([stripeDelivery(payment)])
  let caught: Call | undefined
  await until('a worker to be inside the second step', async () => {
    caught = (await callsOf(stage)).find((call) => call.event === payment.id && call.path === path)
    return caught !== undefined
  })
  if (!caught) return 0
  say(`worker ${caught.pid} is in the second step of a payment: kill -9 ${caught.pid}`)
  await processes.kill(caught.pid)
  await until('the payment to be settled by another worker', async () =>
    (await callsOf(stage)).some((call) => call.event === payment.id && call.path === '/messages'),
  )
  const calls = (await callsOf(stage)).filter((call) => call.event === payment.id)
  const story = calls.map((call) => `${call.path} by ${call.pid}${call.status === 0 ? ' (no answer)' : ''}`)
  say(`  ${story.join(', ')}`)
  const fresh: Started = await processes.worker()
  say(`  worker ${fresh.pid} started in its place`)
  return 1
}

/** What the sender's ledger says must be on record. */
function expectationOf(sender: Sender) {
  const of = (outcome: string) => sender.ledger.filter((sent) => sent.outcome === outcome)
  return {
    accepted: of('accepted').length,
    duplicates: of('duplicate').length,
    conflicts: of('conflict').length,
    rejected: sender.ledger.filter((sent) => sent.status === 401).length,
    runs: of('accepted').reduce((sum, { delivery }) => sum + runsExpected(delivery), 0),
  }
}

/** Refunds fail twice, all along. */
async function behave(stage: Stage, change: Partial<Behaviour>): Promise<void> {
  const body = JSON.stringify({ down: [], failFirst: { '/refunds': 2 }, ...change })
  await fetch(`${stage.outsideUrl}/behaviour`, { method: 'POST', body })
}

async function callsOf(stage: Stage): Promise<Call[]> {
  return JSON.parse(await (await fetch(`${stage.outsideUrl}/calls`)).text())
}

/** Asks until it is so. */
async function until(what: string, so: () => Promise<boolean>): Promise<void> {
  const late = Date.now() + sceneMs
  while (!(await so())) {
    if (Date.now() > late) throw new Error(`waited ${sceneMs / 1_000} s for ${what}`)
    await pause(50)
  }
}

/** One of these, one of those, until both are through. */
function mixed(one: readonly Delivery[], other: readonly Delivery[]): Delivery[] {
  const length = Math.max(one.length, other.length)
  return Array.from({ length }, (_, index) => [one[index], other[index]])
    .flat()
    .filter((delivery) => delivery !== undefined)
}

function every<Item>(items: readonly Item[], step: number): Item[] {
  return items.filter((_, index) => index % step === 0)
}
