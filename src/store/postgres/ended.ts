import { handlersOf, type Registry } from '../../event/handler-record.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'

/** Whether nothing of an event stands, and each handler that it is due to has settled it. */
export function hasEnded(row: Row, registry: Registry): boolean {
  if (row.stands === true) return false
  const settled = Array.isArray(row.settled) ? row.settled : []
  const event = {
    source: textIn(row, 'source'),
    type: textIn(row, 'type'),
    registryVersion: numberIn(row, 'registry_version'),
  }
  return handlersOf(registry, event).every(({ tag }) => settled.includes(tag))
}
