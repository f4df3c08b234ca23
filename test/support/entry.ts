import { type Entry, entryOf, freshRecord } from '../../src/engine/entry.ts'
import type { EventRecord } from '../../src/event/event.ts'
import { mintEventKey } from '../../src/event/event-key.ts'
import { runId } from '../../src/event/run.ts'
import type { Random } from '../../src/kit/random.ts'
import { acceptItem } from './accept-item.ts'

/** An event as its owner has it; the same id is the same event. */
export function eventWith(id: string, more: Partial<EventRecord> = {}): EventRecord {
  const letters: Random = { fraction: () => 0, bytes: (length) => Buffer.alloc(length, id) }
  const { fingerprints, unclaimed: _unclaimed, ...item } = acceptItem({ key: mintEventKey(1, 0, letters), id })
  return { ...item, position: 1, acceptedAt: 0, fingerprint: fingerprints[0], ...more }
}

/** A run of it in its owner's memory, which has no place yet. */
export function entryWith(id: string, more: Partial<EventRecord> = {}, orderName?: string): Entry {
  const event = eventWith(id, more)
  const record = freshRecord(event, 'tagtagta')
  const rank = { priority: 0, owner: event.tenant, key: '' }
  return entryOf({ group: 'g', shard: 0, epoch: 1 }, runId(record), event, record, orderName, undefined, rank)
}
