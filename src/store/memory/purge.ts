import { handlersOf } from '../../event/handler-record.ts'
import type { PurgeRequest, PurgeResult } from '../store.ts'
import { stateOf } from './read.ts'
import { registryOf } from './registry.ts'
import type { EventEntry, MemoryState } from './state.ts'

/** Drops what was accepted before each policy's time and has ended. */
export function purge(state: MemoryState, request: PurgeRequest): PurgeResult {
  return { payloads: payloads(state, request), events: events(state, request), identities: identities(state, request) }
}

function payloads(state: MemoryState, { payloadsBefore, rows }: PurgeRequest): number {
  const old = [...state.events.values()].filter(
    (entry) => entry.body !== undefined && entry.event.acceptedAt < payloadsBefore && hasEnded(state, entry),
  )
  for (const entry of old.slice(0, rows)) entry.body = undefined
  return Math.min(old.length, rows)
}

function events(state: MemoryState, { journalBefore, rows }: PurgeRequest): number {
  const old = [...state.events.values()].filter(
    (entry) => entry.event.acceptedAt < journalBefore && hasEnded(state, entry),
  )
  for (const entry of old.slice(0, rows)) {
    state.events.delete(entry.event.key)
    const shard = state.shard(entry.event.shard)
    shard.splice(shard.indexOf(entry), 1)
    for (const { item } of entry.interventions) state.interventions.delete(item.key)
  }
  return Math.min(old.length, rows)
}

function identities(state: MemoryState, { identitiesBefore, rows }: PurgeRequest): number {
  let dropped = 0
  for (const ledger of [state.ledger, state.contents]) {
    for (const [name, known] of ledger) {
      if (dropped === rows) return dropped
      if (known.acceptedAt >= identitiesBefore || state.events.has(known.key)) continue
      ledger.delete(name)
      if (ledger === state.ledger) dropped++
    }
  }
  return dropped
}

/** Every handler that it is due to has settled it, and nothing of it stands; a dead run stands, since it can be redriven. */
function hasEnded(state: MemoryState, entry: EventEntry): boolean {
  if (entry.position === undefined) return false
  const statuses = [...entry.runs.values()].map((run) => stateOf(run)?.status)
  const stands = statuses.some((status) => status !== undefined && status !== 'completed' && status !== 'cancelled')
  const due = handlersOf(registryOf(state), entry.event)
  return !stands && due.every(({ tag }) => stateOf(entry.runs.get(tag)) !== undefined)
}
