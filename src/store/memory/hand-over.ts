import type { EventKey } from '../../event/event-key.ts'
import type { EventEntry, MemoryState } from './state.ts'

/**
 * The event's way to its shard. Where accepts span, it is there at once; else it waits in a durable queue from which a
 * later turn moves it, as a clustered store would.
 */
export function handOver(state: MemoryState, entry: EventEntry): void {
  if (state.acceptSpans) {
    arrive(state, entry)
    return
  }
  state.handOvers.push(entry)
  if (state.handOvers.length === 1) pump(state)
}

/** One event in each turn, so that others come between. */
function pump(state: MemoryState): void {
  state.clock.turn(() => {
    const entry = state.handOvers[0]
    if (!entry) return
    arrive(state, entry)
    state.handOvers.shift()
    state.hint()
    if (state.handOvers.length > 0) pump(state)
  })
}

/** The shard learns of the event. Told twice, it learns once: a hand-over is redone until it is acknowledged. */
function arrive(state: MemoryState, entry: EventEntry): void {
  if (entry.position !== undefined) return
  entry.position = state.next()
  state.shard(entry.event.shard).push(entry)
}

/** The event of this key, at its shard: who names an event that is under way has it moved first. */
export function arrived(state: MemoryState, key: EventKey): (EventEntry & { position: number }) | undefined {
  const entry = state.events.get(key)
  if (!entry) return undefined
  arrive(state, entry)
  return isArrived(entry) ? entry : undefined
}

/** Whether its shard knows of it. */
export function isArrived(entry: EventEntry): entry is EventEntry & { position: number } {
  return entry.position !== undefined
}
