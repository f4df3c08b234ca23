/** `hapax/alerts`: where people are told. */
export {
  type Alert,
  type AlertChannel,
  type AlertDetails,
  type AlertKind,
  type AlertMeans,
  alertKinds,
} from '../event/alert.ts'
export { type LogAlertOptions, logAlert } from './log-alert.ts'
export type { Fetch } from './post-json.ts'
export { type SlackAlertOptions, slackAlert } from './slack-alert.ts'
export { type WebhookAlertOptions, webhookAlert } from './webhook-alert.ts'
