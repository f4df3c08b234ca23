import type { Duration } from '../kit/duration.ts'
import { fieldAt } from '../kit/field-paths.ts'
import type { HmacEncoding } from '../kit/hmac.ts'
import { defineSource, optionMs } from './define-source.ts'
import { bodyOf, isRecord, nameOf, readBody } from './read-body.ts'
import { timeOf } from './sent-time.ts'
import { base64Key, hexKey, hmacKeys, type Secret, someHmacMatches, textKey } from './signature.ts'
import { readSignatureFields } from './signature-fields.ts'
import { type SignedTemplate, signedParts, signedTemplate } from './signed-template.ts'
import type {
  ContentIdentity,
  JsonRecord,
  OutgoingMessage,
  RawRequest,
  Source,
  SourceOptions,
  Verdict,
} from './source.ts'
import { isStale, timestampMs, toleranceDefault } from './tolerance.ts'

/** Where a value is found: a header, or a dotted path in the parsed body. */
export type Finder = { readonly header: string } | { readonly body: string }

/** Options of {@link hmac}. */
export interface HmacOptions extends SourceOptions {
  /** The shared secret; a list while one replaces another. */
  readonly secret: Secret
  /** How the secret's text becomes the key: taken literally (default), or decoded. */
  readonly key?: 'text' | 'hex' | 'base64'
  /** The header that carries the signature. */
  readonly header: string
  readonly algorithm?: 'sha256' | 'sha512' | 'sha384' | 'sha1'
  /** How the signature is written; hexadecimal (default) in lower case. */
  readonly encoding?: HmacEncoding
  /** What stands before the signature in the header, like `sha256=`. */
  readonly prefix?: string
  /** What stands between several signatures behind the prefix, like `,` in `v0=ab…,cd…`. Default: there is one. */
  readonly separator?: string
  /** For headers of named fields, like `t=1700000000,v1=ab…`: their separator (default `,`) and names. */
  readonly fields?: { readonly separator?: string; readonly signature: string; readonly timestamp?: string }
  /**
   * What is signed. Default `{body}`. Beside it: `{timestamp}`, `{id}`, `{url}`, and `{header:name}` for any header. For
   * instance `v0:{timestamp}:{body}`.
   */
  readonly content?: string
  /** The header of the signed timestamp, where it is not among `fields`; its unit, seconds by default. */
  readonly timestamp?: { readonly header?: string; readonly unit?: 's' | 'ms' }
  /** How far the signed time may lie from the arrival, either way. Default 5 minutes. */
  readonly tolerance?: Duration
  /** What `{url}` stands for: the URL as registered with the sender, since proxies change the one that arrives. */
  readonly url?: string
  /** Where the sender's id is. Without it, give `identity`. An id in the body is signed, one in a header if `content` has it. */
  readonly id?: Finder
  /** Where the type is, or the one type of all events. Default: the scheme's name, `hmac`. */
  readonly type?: Finder | string
  /** Where the sender's time of the event is (RFC 3339). */
  readonly time?: Finder
  /** Identity from content, for senders that give no id. */
  readonly identity?: ContentIdentity
  /** Unsigned ids: a new id with a body already seen within this span is `duplicate`. Default 3 days. */
  readonly replayWindow?: Duration
  /** How a conflict is answered. Default 409; 200 for senders that punish failures. */
  readonly conflictStatus?: 200 | 409
}

const keyDecoders = { text: textKey, hex: hexKey, base64: base64Key } as const

/**
 * Any sender that signs its bodies with an HMAC under a shared secret: your own services, and providers without a preset.
 *
 * @throws `config_invalid` with all that is wrong: an empty secret, a template without `{body}`, a timestamp that is
 *   checked but not signed
 * @example
 * hmac({
 *   name: 'square', secret, header: 'x-square-hmacsha256-signature', encoding: 'base64',
 *   content: '{url}{body}', url: 'https://example.com/in/square', id: { body: 'event_id' }, type: { body: 'type' },
 * })
 */
export function hmac(options: HmacOptions): Source {
  const problems: string[] = []
  const { algorithm = 'sha256', encoding = 'hex', prefix = '', fields } = options
  const decode = keyDecoders[options.key ?? 'text']
  const keys = hmacKeys(options.secret, decode ?? textKey, problems)
  const template = signedTemplate(options.content ?? '{body}', problems)
  const toleranceMs = optionMs('tolerance', options.tolerance ?? toleranceDefault, problems)
  const replayWindowMs = optionMs('replayWindow', options.replayWindow ?? '3d', problems)
  const unit = options.timestamp?.unit ?? 's'
  const header = String(options.header ?? '').toLowerCase()
  const timestampHeader = options.timestamp?.header?.toLowerCase()
  const hasTimestamp = timestampHeader !== undefined || fields?.timestamp !== undefined
  const idSigned = isSigned(options.id, template)
  problems.push(...problemsOf(options, template, hasTimestamp))

  const claimOf = (
    request: RawRequest,
  ): { timestamp: string | undefined; signatures: readonly string[] } | undefined => {
    const value = request.headers[header]
    if (!value) return undefined
    const sent = timestampHeader === undefined ? undefined : request.headers[timestampHeader]
    if (fields) {
      const names = { separator: fields.separator ?? ',', signature: fields.signature, timestamp: fields.timestamp }
      const read = readSignatureFields(value, names)
      return { timestamp: read.timestamp ?? sent, signatures: read.signatures }
    }
    const bare = value.startsWith(prefix) ? value.slice(prefix.length) : ''
    const signatures = options.separator === undefined ? [bare] : bare.split(options.separator).map((one) => one.trim())
    return { timestamp: sent, signatures }
  }

  const verify = (request: RawRequest): Verdict => {
    const claim = claimOf(request)
    if (!claim) return { ok: false, code: 'signature_missing' }
    const { timestamp, signatures } = claim
    const sentMs = timestamp === undefined ? undefined : timestampMs(timestamp, unit)
    if (hasTimestamp && sentMs === undefined) {
      const isAbsent = timestamp === undefined && fields?.timestamp === undefined
      return { ok: false, code: isAbsent ? 'signature_missing' : 'signature_invalid' }
    }
    const headerId = options.id && 'header' in options.id ? request.headers[options.id.header.toLowerCase()] : undefined
    const parts = signedParts(template, {
      body: request.body,
      timestamp,
      id: headerId,
      url: options.url,
      headers: request.headers,
    })
    if (!parts || !someHmacMatches(algorithm, keys, parts, encoding, signatures.map(spelling))) {
      return { ok: false, code: 'signature_invalid' }
    }
    if (sentMs !== undefined && isStale(sentMs, request.receivedAtMs, toleranceMs, unit)) {
      return { ok: false, code: 'signature_stale', details: { toleranceMs } }
    }
    return eventOf(request)
  }
  // Senders write base64url with padding or without.
  const spelling = (signature: string): string =>
    encoding === 'base64url' ? signature.replace(/={1,2}$/, '') : signature

  const eventOf = (request: RawRequest): Verdict => {
    const read = readBody(request)
    if (!read.ok) return read
    const find = (finder: Finder | undefined): string | undefined => {
      if (!finder) return undefined
      return nameOf('header' in finder ? request.headers[finder.header.toLowerCase()] : fieldAt(read.data, finder.body))
    }
    const id = find(options.id)
    const time = find(options.time)
    return {
      ok: true,
      event: {
        idSigned,
        type: (typeof options.type === 'string' ? options.type : find(options.type)) ?? 'hmac',
        ...bodyOf(read),
        ...(id !== undefined && { id }),
        ...(time !== undefined && timeOf(time) !== undefined && { time }),
      },
    }
  }

  const sign = ({ body, nowMs, id, type }: OutgoingMessage): Record<string, string> => {
    const timestamp = hasTimestamp ? String(unit === 's' ? Math.floor(nowMs / 1_000) : nowMs) : undefined
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (timestampHeader !== undefined && timestamp !== undefined) headers[timestampHeader] = timestamp
    if (options.id && 'header' in options.id && id !== undefined) headers[options.id.header.toLowerCase()] = id
    if (typeof options.type === 'object' && 'header' in options.type && type !== undefined) {
      headers[options.type.header.toLowerCase()] = type
    }
    const [key] = keys
    const parts = signedParts(template, { body, timestamp, id, url: options.url, headers })
    const signature = key && parts ? key.digest(algorithm, parts, encoding) : ''
    headers[header] = fields ? fieldsHeader(fields, timestamp, signature) : prefix + signature
    return headers
  }

  return defineSource(options, {
    scheme: 'hmac',
    conflictStatus: options.conflictStatus ?? 409,
    identity: options.identity,
    replayWindowMs: options.id !== undefined && !idSigned ? replayWindowMs : 0,
    problems,
    shape: (data): JsonRecord | undefined => (isRecord(data) ? data : undefined),
    verify,
    sign,
  })
}

function isSigned(id: Finder | undefined, template: SignedTemplate): boolean {
  if (!id) return false
  return 'body' in id || template.includes('{id}') || template.includes(`{header:${id.header.toLowerCase()}}`)
}

function fieldsHeader(fields: NonNullable<HmacOptions['fields']>, timestamp: string | undefined, signature: string) {
  const sent = fields.timestamp !== undefined && timestamp !== undefined ? [`${fields.timestamp}=${timestamp}`] : []
  return [...sent, `${fields.signature}=${signature}`].join(fields.separator ?? ',')
}

function problemsOf(options: HmacOptions, template: SignedTemplate, hasTimestamp: boolean): string[] {
  const problems: string[] = []
  const { algorithm = 'sha256', encoding = 'hex', key = 'text', identity } = options
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(String(options.header ?? ''))) {
    problems.push('header: the name of the header that carries the signature')
  }
  if (!['sha256', 'sha512', 'sha384', 'sha1'].includes(algorithm)) {
    problems.push('algorithm: sha256, sha512, sha384 or sha1')
  }
  if (!['hex', 'base64', 'base64url'].includes(encoding)) problems.push('encoding: hex, base64 or base64url')
  if (!Object.hasOwn(keyDecoders, key)) problems.push('key: text, hex or base64')
  if (options.fields && (options.prefix !== undefined || options.separator !== undefined)) {
    problems.push('fields: takes its own separator, and no prefix')
  }
  if (hasTimestamp && !template.includes('{timestamp}')) {
    problems.push('content: {timestamp} is missing; a time that is not signed proves nothing')
  }
  if (!hasTimestamp && template.includes('{timestamp}')) {
    problems.push('timestamp: content has {timestamp}; say its header, or its name in fields')
  }
  if (template.includes('{url}') && !options.url) {
    problems.push('url: content has {url}; give the URL as it is registered with the sender')
  }
  if (template.includes('{id}') && !(options.id && 'header' in options.id)) {
    problems.push('id: content has {id}; say its header')
  }
  if (identity && options.id) problems.push('identity: the sender gives an id already; choose one')
  if (identity && identity.content.length === 0) problems.push('identity: name at least one field')
  if (identity) optionMs('identity.window', identity.window, problems)
  return problems
}
