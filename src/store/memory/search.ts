import type { RunStatus } from '../../event/run-status.ts'
import type { EventQuery, EventSummary, RunQuery, RunSummary, StoreCounts } from '../store.ts'
import { allEvents, cursorNumber, eventOf } from './read.ts'
import type { EventEntry, MemoryState } from './state.ts'

/** Newest first; the cursor is the position of the last one. */
export function searchEvents(
  state: MemoryState,
  query: EventQuery,
): { events: EventSummary[]; next: string | undefined } {
  const below = cursorNumber(query.cursor)
  const found = allEvents(state)
    .filter((entry) => entry.position < below && isAsked(entry, query))
    .sort((one, other) => other.position - one.position)
  const page = found.slice(0, query.limit)
  return {
    events: page.map(summaryOf),
    next: found.length > page.length ? String(page.at(-1)?.position ?? '') : undefined,
  }
}

function isAsked({ event, unclaimed }: EventEntry, query: EventQuery): boolean {
  return (
    (query.tenant === undefined || event.tenant === query.tenant) &&
    (query.source === undefined || event.source === query.source) &&
    (query.type === undefined || event.type === query.type) &&
    (query.id === undefined || event.id === query.id) &&
    (query.idPrefix === undefined || event.id.startsWith(query.idPrefix)) &&
    (query.after === undefined || event.acceptedAt >= query.after) &&
    (query.before === undefined || event.acceptedAt < query.before) &&
    (query.unclaimed === undefined || unclaimed === query.unclaimed)
  )
}

function summaryOf(entry: EventEntry & { position: number }): EventSummary {
  const { body: _body, ...event } = eventOf(entry)
  const repeats = [...entry.repeats.values()]
  return {
    ...event,
    duplicates: repeats.filter((repeat) => repeat === 'duplicate').length,
    conflicts: repeats.filter((repeat) => repeat === 'conflict').length,
  }
}

/** Newest settlement first; the cursor is the order of the last one. */
export function searchRuns(state: MemoryState, query: RunQuery): { runs: RunSummary[]; next: string | undefined } {
  const below = cursorNumber(query.cursor)
  const found = allEvents(state)
    .flatMap((entry) => [...entry.runs.values()].flatMap((run) => latestOf(entry, run.tag)))
    .filter(({ settlement }) => settlement.order < below)
    .filter(
      ({ entry, settlement: { item, at } }) =>
        (query.tenant === undefined || entry.event.tenant === query.tenant) &&
        (query.source === undefined || entry.event.source === query.source) &&
        (query.group === undefined || item.owned.group === query.group) &&
        (query.handler === undefined || item.handler === query.handler) &&
        (query.statuses === undefined || query.statuses.includes(item.state.status)) &&
        (query.after === undefined || at >= query.after) &&
        (query.before === undefined || at < query.before) &&
        (query.acceptedAfter === undefined || entry.event.acceptedAt >= query.acceptedAfter) &&
        (query.acceptedBefore === undefined || entry.event.acceptedAt < query.acceptedBefore),
    )
    .sort((one, other) => other.settlement.order - one.settlement.order)
  const page = found.slice(0, query.limit)
  return {
    runs: page.map(({ entry, tag, settlement: { item } }) => {
      const { tenant, source, id, type, key } = entry.event
      return {
        run: { event: key, position: entry.position, tag },
        handler: item.handler,
        group: item.owned.group,
        identity: { tenant, source, id },
        type,
        state: item.state,
      }
    }),
    next: found.length > page.length ? String(page.at(-1)?.settlement.order ?? '') : undefined,
  }
}

function latestOf(entry: EventEntry & { position: number }, tag: string) {
  const settlement = entry.runs.get(tag)?.settlements.at(-1)
  return settlement ? [{ entry, tag, settlement }] : []
}

/** Standing runs are counted, completed and cancelled ones are not. */
export function counts(state: MemoryState): StoreCounts {
  const standing: Partial<Record<RunStatus, number>> = {}
  let unclaimed = 0
  for (const entry of state.events.values()) {
    if (entry.unclaimed) unclaimed++
    for (const { settlements } of entry.runs.values()) {
      const status = settlements.at(-1)?.item.state.status
      if (status !== undefined && status !== 'completed' && status !== 'cancelled') {
        standing[status] = (standing[status] ?? 0) + 1
      }
    }
  }
  return { events: state.events.size, unclaimed, standing, rejected: [...state.rejected.values()] }
}
