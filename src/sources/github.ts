import { parseStrictJson } from '../kit/strict-json.ts'
import { defineSource } from './define-source.ts'
import { bodyOf, isRecord, nameOf, readBody } from './read-body.ts'
import { hmacKeys, type Secret, someHmacMatches, textKey } from './signature.ts'
import type { JsonRecord, OutgoingMessage, RawRequest, Source, SourceOptions, Verdict } from './source.ts'

/** What Hapax relies on in a GitHub payload; the rest is GitHub's to define. */
export interface GithubEvent {
  readonly [field: string]: unknown
  readonly action?: string
  /** Absent from events of an organisation or an app. */
  readonly repository?: { readonly [field: string]: unknown; readonly full_name: string }
}

/** Options of {@link github}. */
export interface GithubOptions extends SourceOptions<GithubEvent> {
  /** The webhook's secret; a list while it is changed. */
  readonly secret: Secret
}

/** GitHub redelivers what is at most three days old, by hand or by its API; nothing is sent again later. */
const redeliveryMs = 3 * 86_400_000

/**
 * GitHub's webhooks: `X-Hub-Signature-256` is HMAC-SHA256 over the body alone
 * (https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries). A request without the header is
 * refused, and the older SHA-1 header is not looked at.
 *
 * The event: id from `X-GitHub-Delivery`, which the signature does not cover, so that the body is compared too for three
 * days. The type is the event's name with the payload's action, like `issues.opened` or `push`, so that handlers can
 * subscribe to `issues.*`; the name is an unsigned header as well. Subject: `repository.full_name`. A ping is an event
 * like any. A hook that sends forms is taken too, its `data` being `{ payload: '…' }`: choose `application/json`.
 *
 * @throws `config_invalid` for an empty secret or a wrong option
 * @example github({ secret: [current, previous], orderKey: (event) => event.data.repository?.full_name })
 */
export function github(options: GithubOptions): Source {
  const problems: string[] = []
  const keys = hmacKeys(options.secret, textKey, problems)

  const verify = (request: RawRequest): Verdict => {
    const header = request.headers['x-hub-signature-256']
    if (!header) return { ok: false, code: 'signature_missing' }
    const candidates = header.startsWith('sha256=') ? [header.slice('sha256='.length)] : []
    if (!someHmacMatches('sha256', keys, [request.body], 'hex', candidates)) {
      return { ok: false, code: 'signature_invalid' }
    }
    return eventOf(request)
  }

  const sign = ({ body, id, type }: OutgoingMessage): Record<string, string> => {
    const [key] = keys
    return {
      'content-type': 'application/json',
      'x-hub-signature-256': `sha256=${key ? key.digest('sha256', [body], 'hex') : ''}`,
      ...(id !== undefined && { 'x-github-delivery': id }),
      ...(type !== undefined && { 'x-github-event': type.split('.', 1)[0] ?? type }),
    }
  }

  return defineSource(options, {
    scheme: 'github',
    conflictStatus: 200,
    replayWindowMs: redeliveryMs,
    resendsMs: redeliveryMs,
    problems,
    shape: githubEvent,
    verify,
    sign,
  })
}

function eventOf(request: RawRequest): Verdict {
  const read = readBody(request)
  if (!read.ok) return read
  const payload = payloadOf(read.data)
  const name = nameOf(request.headers['x-github-event']) ?? 'github'
  const action = nameOf(payload.action)
  const id = nameOf(request.headers['x-github-delivery'])
  const subject = isRecord(payload.repository) ? nameOf(payload.repository.full_name) : undefined
  return {
    ok: true,
    event: {
      idSigned: false,
      type: action === undefined ? name : `${name}.${action}`,
      ...bodyOf(read),
      ...(id !== undefined && { id }),
      ...(subject !== undefined && { subject }),
    },
  }
}

/** The payload, which a form carries as JSON in one field. */
function payloadOf(data: unknown): JsonRecord {
  if (!isRecord(data)) return {}
  if (typeof data.payload !== 'string' || Object.keys(data).length > 1) return data
  try {
    const { value } = parseStrictJson(data.payload)
    return isRecord(value) ? value : {}
  } catch {
    // The form is what was signed and is kept; its payload only lends a name.
    return {}
  }
}

function githubEvent(body: unknown): GithubEvent | undefined {
  if (!isRecord(body)) return undefined
  const { action, repository, ...rest } = payloadOf(body)
  const name = isRecord(repository) ? repository.full_name : undefined
  return {
    ...rest,
    ...(typeof action === 'string' && { action }),
    ...(typeof name === 'string' && { repository: { ...(isRecord(repository) && repository), full_name: name } }),
  }
}
