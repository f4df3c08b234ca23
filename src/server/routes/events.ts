import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord } from '../../event/event.ts'
import { isEventKey } from '../../event/event-key.ts'
import { type Answer, jsonAnswer } from '../../ingress/answer.ts'
import { mediaType } from '../../ingress/cloudevents.ts'
import { createEventsIngress } from '../../ingress/events-ingress.ts'
import { jsonText } from '../../kit/json-text.ts'
import { limits } from '../../kit/limits.ts'
import type { Log } from '../../kit/log.ts'
import { choice, flag, instant, integer, optional, present, text } from '../fields.ts'
import { none, type Route, type RouteRequest, route } from '../route.ts'
import { listOf, pageOf, ref } from '../schemas.ts'
import type { Served } from '../subject.ts'

const params = { key: text("The event's key.", 64) }

/** Sending and reading events. */
export function eventRoutes(hapax: Served, log: Log): Route[] {
  const receive = createEventsIngress({
    sources: hapax.sources,
    accept: hapax.accept,
    reject: hapax.reject,
    log,
  })
  return [
    route({
      method: 'POST',
      path: '/v1/events',
      name: 'sendEvents',
      tag: 'ingress',
      summary: 'Accepts CloudEvents 1.0: structured, binary or batched.',
      params: none,
      query: none,
      body: none,
      rawBody: ['application/cloudevents+json', 'application/cloudevents-batch+json', '*/*'],
      answers: {
        200: { description: 'A duplicate. For a batch: each was accepted before.', schema: receipts },
        202: { description: 'Accepted and durable.', schema: receipts },
        409: { description: 'A conflict: the first event of this identity stands.', schema: receipts },
      },
      problems: [
        'invalid_event',
        'malformed_json',
        'unsupported_media_type',
        'too_large',
        'source_is_verified',
        'too_many_requests',
        'store_unavailable',
        'identity_in_flight',
      ],
      async handle(_, request) {
        refuseRepeatedAttributes(request)
        return receive({ headers: request.headers, body: request.bytes })
      },
    }),
    route({
      method: 'GET',
      path: '/v1/events',
      name: 'listEvents',
      tag: 'events',
      summary: 'Searches events, newest first.',
      params: none,
      query: {
        tenant: optional(text('Whose.', limits.idBytes)),
        source: optional(text('From this source.', limits.idBytes)),
        type: optional(text('Of this type.', limits.idBytes)),
        id: optional(text("The sender's id.", limits.idBytes)),
        idPrefix: optional(text('Ids that begin so.', limits.idBytes)),
        after: optional(instant('Accepted after this.')),
        before: optional(instant('Accepted before this.')),
        unclaimed: optional(flag('Only those that no handler took.')),
        limit: optional(integer('Most on a page.', 1, limits.pageItems)),
        cursor: optional(text('Where the page before ended.', limits.headerLength)),
      },
      body: none,
      answers: { 200: { description: 'A page of events.', schema: pageOf('events', 'EventSummary') } },
      problems: ['invalid_cursor'],
      handle: async ({ query }) => jsonAnswer(200, await hapax.events.list(present(query))),
    }),
    route({
      method: 'GET',
      path: '/v1/events/{key}',
      name: 'getEvent',
      tag: 'events',
      summary: 'One event with its body and its runs.',
      params,
      query: { body: optional(choice('`base64`: the body as bytes, also where it is JSON.', ['json', 'base64'])) },
      body: none,
      answers: { 200: { description: 'The event.', schema: ref('Event') } },
      problems: ['not_found'],
      async handle({ params: { key }, query }) {
        const { event, runs } = await hapax.events.get(checkedKey(key))
        return eventAnswer(event, runs, query.body === 'base64')
      },
    }),
    route({
      method: 'GET',
      path: '/v1/events/{key}/body',
      name: 'getEventBody',
      tag: 'events',
      summary: 'The bytes of an event as they came.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The bytes.', schema: {}, mediaType: 'application/octet-stream' } },
      problems: ['not_found'],
      async handle({ params: { key } }) {
        const { event } = await hapax.events.get(checkedKey(key))
        if (!event.body) throw new HapaxError('not_found', { what: 'body (retention dropped it)' })
        return {
          status: 200,
          // Never the sender's own type: a page that somebody sent in must not run in a browser under this address.
          headers: {
            'content-type': 'application/octet-stream',
            'content-disposition': `attachment; filename="${event.key}"`,
            'x-content-type-options': 'nosniff',
          },
          bytes: event.body,
        }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/events/{key}/history',
      name: 'getEventHistory',
      tag: 'events',
      summary: 'Everything that happened to an event, in commit order.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The journal.', schema: listOf('entries', 'HistoryEntry') } },
      problems: ['not_found'],
      handle: async ({ params: { key } }) => jsonAnswer(200, { entries: await hapax.events.history(checkedKey(key)) }),
    }),
  ]
}

const receipts = { oneOf: [ref('Receipt'), { type: 'array', items: ref('BatchItem') }] }

function checkedKey(key: string): string {
  if (!isEventKey(key)) throw new HapaxError('not_found', { what: 'event' })
  return key
}

/** Node joins repeated headers by a comma: two ids would become a third one. */
function refuseRepeatedAttributes({ rawHeaders }: RouteRequest): void {
  const seen = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? ''
    if (!name.startsWith('ce-')) continue
    if (seen.has(name)) throw new HapaxError('invalid_event', { reason: 'a ce- header comes twice' })
    seen.add(name)
  }
}

function eventAnswer({ body, ...event }: EventRecord, runs: unknown, asBytes: boolean): Answer {
  const text = body && !asBytes && isJsonType(event.contentType) ? jsonTextOf(body) : undefined
  if (!body || text === undefined) {
    return jsonAnswer(200, { event: { ...event, ...(body && { bodyBase64: base64(body) }) }, runs })
  }
  const rest = jsonAnswer(200, event)
  // Spliced in as it came: parsed and written again, 9007199254740993 would become another amount.
  const withData = `${rest.body.slice(0, -1)},"data":${text}}`
  return { ...rest, body: `{"event":${withData},"runs":${jsonText(runs)}}` }
}

function isJsonType(contentType: string): boolean {
  const media = mediaType(contentType)
  return media === 'application/json' || media.endsWith('+json')
}

/** The text of a body that is JSON, or undefined. */
function jsonTextOf(body: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    JSON.parse(text)
    return text
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
