import type { NewEvent } from '../engine/api.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { jsonText } from '../kit/json-text.ts'

/**
 * An event in the JSON format of CloudEvents 1.0 (structured mode).
 *
 * @throws `identity_required` without an id: a CloudEvent always has one.
 */
export function encodeCloudEvent(event: Omit<NewEvent, 'tenant' | 'headers'>): string {
  const { source, id, type, subject, time, orderKey, body, data, contentType } = event
  if (id === undefined) throw new HapaxError('identity_required', { source })
  return jsonText({
    specversion: '1.0',
    source,
    id,
    type,
    subject,
    time: time instanceof Date ? time.toISOString() : time,
    partitionkey: orderKey,
    datacontenttype: contentType,
    data_base64: body && Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
    data: body ? undefined : data,
  })
}
