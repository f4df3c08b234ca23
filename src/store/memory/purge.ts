import { handlersOf } from '../../event/handler-record.ts'
import type { PurgeRequest, PurgeResult } from '../store.ts'
import { stateOf } from './read.ts'
import { registryOf } from './registry.ts'
import type { EventEntry, Known, MemoryState } from './state.ts'

/** Drops what was accepted before each policy's time and has ended. */
export function purge(state: MemoryState, request: PurgeRequest): PurgeResult {
  const more = versions(state, request)
  return {
    payloads: payloads(state, request),
    events: events(state, request),
    identities: identities(state, request),
    ...(more && { more }),
  }
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
  const isOld = ({ acceptedAt, key }: Known) => acceptedAt < identitiesBefore && !state.events.has(key)
  for (const [name, known] of state.ledger) {
    // As long as any event of the identity is kept, it is remembered, by its latest.
    const old = known.findIndex((one) => !isOld(one))
    const passed = known.splice(0, Math.min(old < 0 ? known.length : old, rows - dropped))
    dropped += passed.length
    if (known.length === 0) state.ledger.delete(name)
  }
  for (const [name, known] of state.contents) if (isOld(known)) state.contents.delete(name)
  return dropped
}

/** Answers whether there are more. */
function versions(state: MemoryState, { identitiesBefore, rows }: PurgeRequest): boolean {
  const old = [...state.versions].filter(([, { raisedAt }]) => raisedAt < identitiesBefore)
  for (const [name] of old.slice(0, rows)) state.versions.delete(name)
  return old.length > rows
}

/** Every handler that it is due to has settled it, and nothing of it stands; a dead run stands, since it can be redriven. */
function hasEnded(state: MemoryState, entry: EventEntry): boolean {
  if (entry.position === undefined) return false
  const statuses = [...entry.runs.values()].map((run) => stateOf(run)?.status)
  const stands = statuses.some((status) => status !== undefined && status !== 'completed' && status !== 'cancelled')
  const due = handlersOf(registryOf(state), entry.event)
  return !stands && due.every(({ tag }) => stateOf(entry.runs.get(tag)) !== undefined)
}
