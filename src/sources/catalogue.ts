import { github } from './github.ts'
import { hmac } from './hmac.ts'
import { standardWebhooks } from './standard-webhooks.ts'
import { stripe } from './stripe.ts'

/** Every scheme by its name (what `source.scheme` says), with its factory and a sentence for help texts. */
export const schemes = {
  stripe: { create: stripe, summary: "Stripe's webhooks, snapshot and thin events" },
  github: { create: github, summary: "GitHub's webhooks" },
  'standard-webhooks': { create: standardWebhooks, summary: 'Standard Webhooks, also under Svix headers' },
  hmac: { create: hmac, summary: 'any sender that signs its bodies with an HMAC' },
} as const

/** A scheme's name. */
export type SchemeName = keyof typeof schemes

/** Whether a text names a scheme. */
export function isSchemeName(name: string): name is SchemeName {
  return Object.hasOwn(schemes, name)
}
