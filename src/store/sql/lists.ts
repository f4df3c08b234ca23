import { HapaxError } from '../../errors/hapax-error.ts'
import type { HandlerRecord } from '../../event/handler-record.ts'
import { type RunStatus, runStatuses } from '../../event/run-status.ts'
import type { CircuitRecord, CircuitState } from '../circuits.ts'
import type { LimitSetting, Pause, RunSummary } from '../store.ts'
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

const pausable: readonly Pause['what'][] = ['handler', 'source', 'dependency']

/** A pause from its row. */
export function pauseOf(row: Row): Pause {
  return {
    what: oneOf(pausable, textIn(row, 'what')),
    name: textIn(row, 'name'),
    since: numberIn(row, 'since'),
    actor: textIn(row, 'actor'),
    reason: optionalTextIn(row, 'reason'),
  }
}

const circuitStates: readonly CircuitState[] = ['closed', 'open', 'probing']

/** A dependency's circuit from its row. */
export function circuitOf(row: Row): CircuitRecord {
  return {
    dependency: textIn(row, 'dependency'),
    version: numberIn(row, 'version'),
    state: oneOf(circuitStates, textIn(row, 'state')),
    since: numberIn(row, 'since'),
    openedAt: numberIn(row, 'opened_at'),
    probeAt: optionalNumberIn(row, 'probe_at'),
    reason: textIn(row, 'reason'),
    actor: textIn(row, 'actor'),
  }
}

/** Limits that an operator set, from their row. */
export function limitSettingOf(row: Row): LimitSetting {
  return {
    dependency: textIn(row, 'dependency'),
    rate: optionalNumberIn(row, 'rate'),
    concurrency: optionalNumberIn(row, 'concurrency'),
    since: numberIn(row, 'since'),
    actor: textIn(row, 'actor'),
    reason: optionalTextIn(row, 'reason'),
  }
}

function oneOf<Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((known) => known === text)
  if (!word) throw new HapaxError('store_unavailable', { reason: `${text} is not known here: the store is damaged` })
  return word
}
