import type { HandlerRecord } from '../../event/handler-record.ts'
import { type RunStatus, runStatuses } from '../../event/run-status.ts'
import type { Pause, RunSummary } from '../store.ts'
import { numberIn, optionalNumberIn, optionalTextIn, textIn } from './columns.ts'
import { type Row, stateOf } from './rows.ts'

/** Statuses of runs that have a row in `standing`. */
export const standingStatuses: readonly RunStatus[] = runStatuses.filter(
  (status) => status !== 'completed' && status !== 'cancelled',
)

/** A run in a list, from its settlement joined with its event. */
export function runSummaryOf(row: Row): RunSummary {
  return {
    run: { event: textIn(row, 'key'), position: numberIn(row, 'position'), tag: textIn(row, 'tag') },
    handler: textIn(row, 'handler'),
    group: textIn(row, 'group_name'),
    identity: { tenant: textIn(row, 'tenant'), source: textIn(row, 'source'), id: textIn(row, 'id') },
    type: textIn(row, 'type'),
    state: stateOf(row),
  }
}

/** A handler of the registry from its row. */
export function handlerRecordOf(row: Row): HandlerRecord {
  return {
    group: textIn(row, 'group_name'),
    name: textIn(row, 'name'),
    tag: textIn(row, 'tag'),
    sources: JSON.parse(textIn(row, 'sources')),
    types: JSON.parse(textIn(row, 'types')),
    sinceVersion: numberIn(row, 'since_version'),
    untilVersion: optionalNumberIn(row, 'until_version'),
    firstSeenAt: numberIn(row, 'first_seen_at'),
  }
}

/** A pause from its row. */
export function pauseOf(row: Row): Pause {
  return {
    what: textIn(row, 'what') === 'handler' ? 'handler' : 'source',
    name: textIn(row, 'name'),
    since: numberIn(row, 'since'),
    actor: textIn(row, 'actor'),
    reason: optionalTextIn(row, 'reason'),
  }
}
