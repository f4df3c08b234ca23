import { handlersOf } from '../../event/handler-record.ts'
import { isTerminal } from '../../event/run-status.ts'
import type { Instant } from '../../kit/clock.ts'
import type { DuePage, DuePlace, Owned, OwnedCursor, StandingRun, TailEvent, TailPage, TailRequest } from '../store.ts'
import { isArrived } from './hand-over.ts'
import { interventionOf } from './intervene.ts'
import { briefRunOf, eventOf, runOf, stateOf } from './read.ts'
import { registryOf } from './registry.ts'
import type { EventEntry, MemoryState } from './state.ts'

type Arrived = EventEntry & { position: number }

/** What came to each pair; the limit is shared by all pages. */
export function tail(state: MemoryState, request: TailRequest): TailPage[] {
  let left = request.limit
  return request.cursors.map((owned) => {
    const page = pageOf(state, owned, left)
    left -= page.events.length
    return page
  })
}

function pageOf(state: MemoryState, owned: OwnedCursor, limit: number): TailPage {
  const { group, shard, epoch } = owned
  const pair = { group, shard, epoch }
  if (!state.holds(owned)) {
    const none = { more: false, events: [], interventions: [], standing: [] }
    return { ...pair, ...none, stale: true, cursor: owned.cursor ?? 0, asked: owned.asked ?? 0 }
  }
  const takeover = owned.cursor === undefined
  const from = owned.cursor ?? Math.max(0, state.pair(group, shard).lowMark - 1)
  const entries = state.shard(shard).filter(isArrived)
  const found = entries.filter(
    (entry) =>
      entry.position > from && (takeover || owned.all ? isUnfinished(state, entry, group) : !isHandedTo(entry, pair)),
  )
  const more = found.length > limit
  const page = more ? found.slice(0, limit) : found
  const cursor = more ? (page.at(-1)?.position ?? from) : Math.max(from, state.sequence)
  return {
    ...pair,
    stale: false,
    cursor,
    more,
    events: page.map((entry) => tailEvent(state, entry, group)),
    interventions: interventions(state, entries, group, owned.asked ?? (takeover ? 0 : from)),
    asked: state.sequence,
    standing: takeover ? standing(entries, group) : [],
  }
}

/** Whether a handler of the group that the event is due to has no settlement yet. */
function isUnfinished(state: MemoryState, entry: Arrived, group: string): boolean {
  return handlersOf(registryOf(state), entry.event).some(
    (handler) => handler.group === group && stateOf(entry.runs.get(handler.tag)) === undefined,
  )
}

function isHandedTo(entry: Arrived, { group, shard, epoch }: Owned): boolean {
  const { handedTo } = entry
  return handedTo?.group === group && handedTo.shard === shard && handedTo.epoch === epoch
}

function tailEvent(state: MemoryState, entry: Arrived, group: string): TailEvent {
  const asked = entry.interventions.map(({ item }) => item.tag)
  const tags = new Set([...entry.runs.keys(), ...asked])
  const mine = [...tags].filter((tag) => groupOf(state, tag) === group)
  return { event: eventOf(entry), runs: mine.map((tag) => briefRunOf(entry, tag)) }
}

function groupOf(state: MemoryState, tag: string): string | undefined {
  return state.handlers.find((handler) => handler.tag === tag)?.group
}

/** Unanswered ones after this position whose run is the group's. */
function interventions(
  state: MemoryState,
  entries: readonly Arrived[],
  group: string,
  after: number,
): TailPage['interventions'] {
  return entries
    .flatMap((entry) => entry.interventions)
    .filter(({ answer, position }) => answer === undefined && position > after)
    .filter(({ item }) => groupOf(state, item.tag) === group)
    .sort((one, other) => one.position - other.position)
    .map(interventionOf)
}

/** Runs of events with an order key that stand: not the completed and cancelled. */
function standing(entries: readonly Arrived[], group: string): StandingRun[] {
  return entries.flatMap(({ event, position, runs }) =>
    [...runs.values()].flatMap(({ tag, settlements, begins }) => {
      const latest = settlements.at(-1)?.item
      const { tenant, orderKey } = event
      if (!latest || orderKey === undefined || latest.owned.group !== group) return []
      if (latest.state.status === 'completed' || latest.state.status === 'cancelled') return []
      const { state } = latest
      const begun = state.attempt > 0 || begins.some(({ generation }) => generation === state.generation)
      return [{ event: event.key, position, tag, tenant, orderKey, state, begun }]
    }),
  )
}

/** Standing runs whose time has come, oldest first. */
export function due(
  state: MemoryState,
  owned: readonly Owned[],
  until: Instant,
  limit: number,
  after?: DuePlace,
): DuePage {
  const waiting = owned
    .filter((pair) => state.holds(pair))
    .flatMap((pair) =>
      state
        .shard(pair.shard)
        .filter(isArrived)
        .flatMap((entry) =>
          [...entry.runs.values()].flatMap(({ tag, settlements }) => {
            const latest = settlements.at(-1)?.item
            if (latest?.owned.group !== pair.group || isTerminal(latest.state.status)) return []
            const { dueAt } = latest.state
            return dueAt === undefined ? [] : [{ entry, position: entry.position, tag, dueAt, pair }]
          }),
        ),
    )
    .filter((one) => after === undefined || comparePlaces(one, after) > 0)
    .sort(comparePlaces)
  const page = waiting.filter(({ dueAt }) => dueAt <= until).slice(0, limit)
  return {
    runs: page.map(({ entry, tag, pair: { group, shard, epoch } }) => ({
      event: eventOf(entry),
      run: runOf(entry, tag),
      owned: { group, shard, epoch },
    })),
    nextDueAt: waiting[page.length]?.dueAt,
  }
}

function comparePlaces(one: DuePlace, other: DuePlace): number {
  return (
    one.dueAt - other.dueAt || one.position - other.position || (one.tag < other.tag ? -1 : Number(one.tag > other.tag))
  )
}
