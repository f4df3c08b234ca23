import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { WebhookDefinition } from '@octokit/webhooks-examples'
import Stripe from 'stripe'
import { secrets } from './secrets.ts'

/** Required, not imported: the package is one JSON file, and its types describe it as a module. */
const examplesOfGithub: readonly WebhookDefinition[] = createRequire(import.meta.url)('@octokit/webhooks-examples')

/** One HTTP request as the provider sends it. */
export interface Delivery {
  readonly source: 'github' | 'stripe'
  readonly id: string
  readonly type: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

const fixtures = {
  'payment_intent.succeeded': '../../src/cli/fixtures/stripe-payment-intent-succeeded.json',
  'charge.refunded': '../../src/cli/fixtures/stripe-charge-refunded.json',
  'invoice.paid': './fixtures/stripe-invoice-paid.json',
  'customer.created': './fixtures/stripe-customer-created.json',
} as const

export type StripeType = keyof typeof fixtures

/**
 * Every example of GitHub's, as GitHub sends it. GitHub signs no id, so that a body that was seen before is a duplicate
 * under any delivery id: the tour's id goes into each body, and the same tour can be played again on the same file.
 */
export function githubDeliveries(tour: string): Delivery[] {
  const deliveries: Delivery[] = []
  for (const { name, examples } of examplesOfGithub) {
    for (const example of examples) {
      const index = deliveries.length
      const id = `${tour}-0000-4000-8000-${String(index).padStart(12, '0')}`
      deliveries.push(githubDelivery(name, id, { ...example, tour: `${tour}-${index}` }))
    }
  }
  return deliveries
}

function githubDelivery(
  name: string,
  id: string,
  payload: { readonly action?: unknown; readonly tour: string },
): Delivery {
  const body = JSON.stringify(payload)
  return {
    source: 'github',
    id,
    type: typeof payload.action === 'string' ? `${name}.${payload.action}` : name,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'GitHub-Hookshot/0000000',
      'x-github-event': name,
      'x-github-delivery': id,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secrets.github).update(body).digest('hex')}`,
    },
  }
}

/** The same delivery under another id, which the signature does not cover: what a replay attack looks like. */
export function underAnotherId(delivery: Delivery, id: string): Delivery {
  return { ...delivery, id, headers: { ...delivery.headers, 'x-github-delivery': id } }
}

/** Stripe events of one type. */
export async function stripeEvents(type: StripeType, tour: string, count: number): Promise<StripeEvent[]> {
  const text = await readFile(new URL(fixtures[type], import.meta.url), 'utf8')
  return Array.from({ length: count }, (_, index) => ({
    ...JSON.parse(text),
    id: `evt_${tour}${type.replace(/\W/g, '')}${index}`,
  }))
}

export interface StripeEvent {
  readonly id: string
  readonly type: string
  readonly pending_webhooks: number
  readonly data: { readonly object: Readonly<Record<string, unknown>> }
}

/** A Stripe event, signed now by Stripe's own SDK. */
export function stripeDelivery(event: StripeEvent, secret = secrets.stripe): Delivery {
  const body = JSON.stringify(event)
  return {
    source: 'stripe',
    id: event.id,
    type: event.type,
    body,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret }),
    },
  }
}

/** What Stripe changes when it sends an event again: the signature's time, and how many endpoints are still to be told. */
export function stripeResend(event: StripeEvent): Delivery {
  return stripeDelivery({ ...event, pending_webhooks: event.pending_webhooks + 1 })
}

/** How many runs an event of this type gets: what the sender expects, apart from what the server says. */
export function runsExpected({ source, type }: Pick<Delivery, 'source' | 'type'>): number {
  if (source === 'github') return type.startsWith('issues.') ? 2 : 1
  return type === 'customer.created' ? 0 : 1
}
