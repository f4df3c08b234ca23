/** `hapax/sources`: where events come from. */
export type { HmacEncoding as SignatureEncoding } from '../kit/hmac.ts'
export { isSchemeName, type SchemeName, schemes } from './catalogue.ts'
export { type GithubEvent, type GithubOptions, github } from './github.ts'
export { type Finder, type HmacOptions, hmac } from './hmac.ts'
export type { Secret } from './signature.ts'
export type {
  ContentIdentity,
  JsonRecord,
  OrderKeyEvent,
  OutgoingMessage,
  RawRequest,
  Refusal,
  Source,
  SourceEvent,
  SourceOptions,
  Verdict,
} from './source.ts'
export { type StandardWebhooksOptions, standardWebhooks } from './standard-webhooks.ts'
export { type StripeEvent, type StripeOptions, stripe } from './stripe.ts'
