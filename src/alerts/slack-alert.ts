import { configInvalid } from '../errors/config-invalid.ts'
import type { Alert, AlertChannel, AlertKind, AlertMeans } from '../event/alert.ts'
import { cutText, type Fetch, postJson, urlProblems } from './post-json.ts'

/** Options of {@link slackAlert}. */
export interface SlackAlertOptions {
  /** The address of the incoming webhook. A secret: never logged. */
  readonly url: string
  /** As the log calls it. Default `slack`. */
  readonly name?: string
  /** What is sent here. Default: all. */
  readonly kinds?: readonly AlertKind[]
  /** Carries the request: for a proxy, or a test. Default: the global `fetch`. */
  readonly fetch?: Fetch
}

/**
 * Posts each alert as a message to an incoming webhook of Slack (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
 * of Mattermost, or of Discord under its address that ends in `/slack`: `{ "text": "…" }`, which all of them take.
 *
 * @throws `config_invalid` for an address that is none; never with its value
 * @example slackAlert({ url: process.env.SLACK_URL, kinds: ['run_unknown', 'maintenance_failed'] })
 */
export function slackAlert(options: SlackAlertOptions): AlertChannel {
  const { url, name = 'slack', kinds, fetch } = options
  const problems = urlProblems(url)
  if (problems.length > 0) throw configInvalid(problems.map((problem) => `slackAlert(): ${problem}`))
  return Object.freeze({
    name,
    ...(kinds && { kinds }),
    send: (alert: Alert, { signal }: AlertMeans) => {
      const body = new TextEncoder().encode(JSON.stringify({ text: slackText(alert) }))
      return postJson({ fetch, url, headers: { 'content-type': 'application/json' }, body, signal })
    },
  })
}

/** A message of three lines: what, the sentence, the details. */
function slackText({ kind, message, count, group, node, details }: Alert): string {
  const times = count === 1 ? '' : ` (${count} times)`
  const facts = Object.entries({ ...details, group, node }).map(([name, value]) => `${name}: ${value}`)
  return escaped(cutText(`*${kind}*${times}\n${message}\n${facts.join(', ')}`))
}

/** Slack's control characters, these three and no other (https://docs.slack.dev/messaging/formatting-message-text#escaping). */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
