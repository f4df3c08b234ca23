import type { NewEvent } from '../engine/api.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'
import { parseStrictJson } from '../kit/strict-json.ts'
import { itemSlices, memberText, type Slice } from './json-slices.ts'

/** What an HTTP request carried, by the CloudEvents 1.0 HTTP protocol binding. */
export interface CloudEvents {
  readonly mode: 'structured' | 'binary' | 'batched'
  readonly events: readonly NewEvent[]
}

type Headers = Readonly<Record<string, string | undefined>>

/** One attribute, with the place that an error names. */
interface Attributes {
  readonly place: string
  readonly values: ReadonlyMap<string, unknown>
}

const structuredType = 'application/cloudevents+json'
const batchType = 'application/cloudevents-batch+json'

/**
 * Reads the CloudEvents of a request: structured (`application/cloudevents+json`), batched
 * (`application/cloudevents-batch+json`) or binary (`ce-` headers). `partitionkey` becomes the order key; other extensions
 * and `dataschema` are kept as `ce-…` headers. No tenant is read: nothing here is signed.
 *
 * @throws `unsupported_media_type`, `invalid_event` with the attribute and its place in a batch, and the errors of strict JSON
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
export function parseCloudEvents(headers: Headers, body: Uint8Array): CloudEvents {
  const contentType = headers['content-type'] ?? ''
  const media = mediaType(contentType)
  if (media === structuredType) {
    refuseCharset(contentType)
    return { mode: 'structured', events: [structuredEvent(parseStrictJson(body).value, textOf(body))] }
  }
  if (media === batchType) {
    refuseCharset(contentType)
    return { mode: 'batched', events: batchEvents(parseStrictJson(body).value, textOf(body)) }
  }
  if (media.startsWith('application/cloudevents')) {
    throw new HapaxError('unsupported_media_type', {
      found: 'another CloudEvents format',
      wanted: `${structuredType}, ${batchType}, or ce- headers`,
    })
  }
  return { mode: 'binary', events: [binaryEvent(headers, media, body)] }
}

/** The media type alone, in lower case: `application/json; charset=utf-8` is `application/json`. */
export function mediaType(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

/** Only after strict parsing: what is not UTF-8 was refused there. */
function textOf(body: Uint8Array): string {
  return new TextDecoder().decode(body)
}

function batchEvents(value: unknown, source: string): NewEvent[] {
  if (!Array.isArray(value)) throw invalid('a batch is a JSON array')
  if (value.length > limits.batchEvents) throw invalid(`a batch holds at most ${limits.batchEvents} events`)
  const slices = itemSlices(source)
  return value.map((item: unknown, index) =>
    structuredEvent(item, source, slices[index], `event ${index} of the batch: `),
  )
}

function structuredEvent(value: unknown, source: string, slice?: Slice, place = ''): NewEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${place}a CloudEvent is a JSON object`)
  }
  const values = new Map<string, unknown>(Object.entries(value))
  const data = values.get('data')
  const encoded = values.get('data_base64')
  values.delete('data')
  values.delete('data_base64')
  const attributes = { place, values }
  const contentType = mediaType(text(attributes, 'datacontenttype') ?? 'application/json')
  const event = eventOf(attributes)
  return { ...event, contentType, body: bodyOf(data, encoded, contentType, place, () => dataText(source, slice)) }
}

/** The data as its sender wrote it: parsed and written again, a number may become another. */
function dataText(source: string, slice: Slice | undefined): string {
  return memberText(source, 'data', slice) ?? 'null'
}

/** CloudEvents JSON format 1.0, section 3.1: base64 is bytes; a string of a type that is not JSON is that text. */
function bodyOf(
  data: unknown,
  encoded: unknown,
  contentType: string,
  place: string,
  sourceText: () => string,
): Uint8Array {
  if (encoded !== undefined) {
    if (data !== undefined) throw invalid(`${place}data and data_base64 exclude each other`)
    if (typeof encoded !== 'string' || !isBase64(encoded)) throw invalid(`${place}data_base64 is not base64`)
    return Buffer.from(encoded, 'base64')
  }
  if (isJson(contentType)) return Buffer.from(sourceText(), 'utf8')
  if (data === undefined) return new Uint8Array(0)
  if (typeof data !== 'string') throw invalid(`${place}data of a type other than JSON is a string, or data_base64`)
  return Buffer.from(data, 'utf8')
}

/** Section 3.1 of the HTTP binding: attributes are `ce-` headers, the body is the data as it is. */
function binaryEvent(headers: Headers, media: string, body: Uint8Array): NewEvent {
  const values = new Map<string, unknown>()
  for (const name in headers) {
    const value = headers[name]
    if (name.startsWith('ce-') && value !== undefined) values.set(name.slice(3), percentDecoded(name, value))
  }
  const contentType = media === '' ? 'application/octet-stream' : media
  if (values.has('datacontenttype')) throw invalid('ce-datacontenttype is not allowed: content-type says it')
  return { ...eventOf({ place: '', values }), body, contentType }
}

const core = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'partitionkey'])

function eventOf(attributes: Attributes): NewEvent {
  const { place, values } = attributes
  if (values.get('specversion') !== '1.0') throw invalid(`${place}specversion must be "1.0"`)
  const id = required(attributes, 'id')
  const source = required(attributes, 'source')
  const type = required(attributes, 'type')
  const subject = text(attributes, 'subject')
  const time = text(attributes, 'time')
  if (time !== undefined && !timestamp.test(time)) throw invalid(`${place}time is not a timestamp of RFC 3339`)
  const orderKey = text(attributes, 'partitionkey')
  return {
    id,
    source,
    type,
    headers: extensionHeaders(attributes),
    ...(subject !== undefined && { subject }),
    ...(time !== undefined && { time }),
    ...(orderKey !== undefined && { orderKey }),
  }
}

function extensionHeaders(attributes: Attributes): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of attributes.values) {
    if (core.has(name) || value === null) continue
    // Section 3.1 of the specification: lower-case letters and digits. The name itself is input, and not repeated.
    if (!/^[a-z0-9]{1,64}$/.test(name)) throw invalid(`${attributes.place}an attribute's name is not a-z and 0-9 alone`)
    if (typeof value !== 'string' && typeof value !== 'boolean' && !isInteger32(value)) {
      throw invalid(`${attributes.place}extension ${name} is not a string, boolean or integer`)
    }
    const written = String(value)
    if (!isCleanText(written)) throw invalid(`${attributes.place}extension ${name} holds a control character`)
    if (written.length > limits.headerLength) throw invalid(`${attributes.place}extension ${name} is too long`)
    headers[`ce-${name}`] = written
  }
  if (Object.keys(headers).length > limits.headersKept) {
    throw invalid(`${attributes.place}more than ${limits.headersKept} extensions`)
  }
  return headers
}

function required(attributes: Attributes, name: string): string {
  const value = text(attributes, name)
  if (value === undefined) throw invalid(`${attributes.place}${name} is missing`)
  return value
}

/** A string attribute; null counts as absent (JSON format 1.0, section 2.2). */
function text({ place, values }: Attributes, name: string): string | undefined {
  const value = values.get(name)
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || value === '') throw invalid(`${place}${name} is not a string with characters in it`)
  if (!isCleanText(value)) throw invalid(`${place}${name} holds a control character`)
  return value
}

/** Type String of CloudEvents 1.0, section 2.2: no control characters, no lone surrogates. */
function isCleanText(value: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return !/[\u0000-\u001f\u007f-\u009f]/.test(value) && value.isWellFormed()
}

function isInteger32(value: unknown): value is number {
  return Number.isInteger(value) && typeof value === 'number' && value >= -2_147_483_648 && value <= 2_147_483_647
}

/** RFC 3339, by its form: a date that no calendar has is the sender's to explain. */
const timestamp =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** As RFC 4648 has it written: what decoders read in different ways (bits behind the end, no padding) is none. */
function isBase64(value: string): boolean {
  return Buffer.from(value, 'base64').toString('base64') === value
}

function isJson(contentType: string): boolean {
  return contentType === 'application/json' || contentType === 'text/json' || contentType.endsWith('+json')
}

/** Section 3.1.3.2 of the HTTP binding. */
function percentDecoded(name: string, value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    throw invalid(`${name} is not percent-encoded UTF-8`)
  }
}

function refuseCharset(contentType: string): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase()
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii') return
  throw new HapaxError('unsupported_media_type', { found: 'another charset', wanted: 'UTF-8' })
}

function invalid(reason: string): HapaxError {
  return new HapaxError('invalid_event', { reason })
}
