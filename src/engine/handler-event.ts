import type { EventRecord } from '../event/event.ts'
import type { HandlerEvent } from './handler.ts'

/**
 * The event as a handler sees it. Parsed when it is first read: to parse a body took a sixth of the time of a run that does not
 * look at it.
 */
export function toHandlerEvent(event: EventRecord, raw: Uint8Array, read: () => unknown): HandlerEvent {
  let data: { readonly value: unknown } | undefined
  return {
    key: event.key,
    tenant: event.tenant,
    source: event.source,
    id: event.id,
    type: event.type,
    subject: event.subject,
    time: event.time,
    contentType: event.contentType,
    orderKey: event.orderKey,
    acceptedAt: event.acceptedAt,
    headers: event.headers,
    get data() {
      data ??= { value: read() }
      return data.value
    },
    raw,
  }
}
