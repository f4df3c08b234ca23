import { createClient, type HapaxClient } from '../../src/client/http-client.ts'
import { isTerminal, runStatuses } from '../../src/event/run-status.ts'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import type { CrashStore } from './crash-stores.ts'
import type { OnRecord } from './history.ts'

const page = 200
const lookMs = 500

/** How long runs may take to end once nobody is killed any more. */
const healMs = 90_000

/** Waits until every event has a run that ended, or for so long, and reads all that is on record, through the API. */
export async function readRecord(url: string, store: CrashStore): Promise<OnRecord> {
  const client = createClient({ url })
  const until = systemClock.monotonicMs() + healMs
  for (;;) {
    const { standing } = await client.controls.counts()
    const late = systemClock.monotonicMs() > until
    if (late || !runStatuses.some((status) => !isTerminal(status) && (standing[status] ?? 0) > 0)) {
      const record = await read(client, store)
      // A run that never settled is in no count: it is missing among the runs.
      if (late || record.runs.length >= record.events.length) return record
    }
    await sleep(systemClock, lookMs)
  }
}

async function read(client: HapaxClient, store: CrashStore): Promise<OnRecord> {
  const events = await all(async (cursor) => {
    const { events, next } = await client.events.list({ limit: page, ...cursor })
    return { items: events.map(({ key, id }) => ({ id, eventKey: key })), next }
  })
  const runs = await all(async (cursor) => {
    const { runs, next } = await client.runs.list({ limit: page, ...cursor })
    const items = runs.map(({ run, state }) => ({ eventKey: run.event, status: state.status, reason: state.reason }))
    return { items, next }
  })
  return { events, runs, bookings: await store.bookings() }
}

async function all<Item>(
  read: (cursor: { cursor?: string }) => Promise<{ items: readonly Item[]; next: string | undefined }>,
): Promise<Item[]> {
  const items: Item[] = []
  let next: string | undefined
  do {
    const found = await read(next === undefined ? {} : { cursor: next })
    items.push(...found.items)
    next = found.next
  } while (next !== undefined)
  return items
}
