import type { HapaxClient } from '../../src/client/http-client.ts'
import type { Call } from './outside-service.ts'

/** One line of the summary: what the sender knows by itself, and what the server says when asked. */
export interface Row {
  readonly what: string
  readonly sent: number
  readonly readBack: number
}

/** What of a tour is on record, by `/v1/…` alone. */
export interface OnRecord {
  readonly accepted: number
  readonly duplicates: number
  readonly conflicts: number
  readonly unclaimed: number
  readonly completed: number
  /** Completed runs that failed twice before. */
  readonly failedTwice: number
  /** Completed runs that were deferred and never counted a failure. */
  readonly deferred: number
  /** Completed runs whose checkpoints were made by more than one attempt. */
  readonly resumed: number
}

/** Reads a tour back: everything whose id bears its prefix. */
export async function readBack(hapax: HapaxClient, tour: string, since: number): Promise<OnRecord> {
  const prefixes = { github: tour, stripe: `evt_${tour}` }
  const record = {
    accepted: 0,
    duplicates: 0,
    conflicts: 0,
    unclaimed: 0,
    completed: 0,
    failedTwice: 0,
    deferred: 0,
    resumed: 0,
  }
  for (const [source, idPrefix] of Object.entries(prefixes)) {
    for await (const event of pages(async (cursor) => {
      const { events, next } = await hapax.events.list({ source, idPrefix, ...cursor })
      return { items: events, next }
    })) {
      record.accepted++
      record.duplicates += event.duplicates
      record.conflicts += event.conflicts
    }
    for await (const _ of pages(async (cursor) => {
      const { events, next } = await hapax.events.list({ source, idPrefix, unclaimed: true, ...cursor })
      return { items: events, next }
    })) {
      record.unclaimed++
    }
    for await (const { run, handler, identity, state } of pages(async (cursor) => {
      const { runs, next } = await hapax.runs.list({ source, statuses: ['completed'], after: since, ...cursor })
      return { items: runs, next }
    })) {
      if (!identity.id.startsWith(idPrefix)) continue
      record.completed++
      if (state.failuresInAll === 2) record.failedTwice++
      if (handler === 'account-invoice' && state.turn > 1 && state.failuresInAll === 0) record.deferred++
      if (handler !== 'settle-payment') continue
      const { steps } = await hapax.runs.get(`${run.event}-${run.tag}`)
      if (new Set(steps.map((step) => step.attempt)).size > 1) record.resumed++
    }
  }
  return record
}

async function* pages<Item>(
  page: (cursor: { cursor?: string }) => Promise<{ items: readonly Item[]; next: string | undefined }>,
): AsyncGenerator<Item> {
  let next: string | undefined
  do {
    const found = await page(next === undefined ? {} : { cursor: next })
    yield* found.items
    next = found.next
  } while (next !== undefined)
}

/** Refusals of all sources so far, from `/v1/counts`. */
export async function rejectedSoFar(hapax: HapaxClient): Promise<number> {
  const { rejected } = await hapax.controls.counts()
  return rejected.reduce((sum, { count }) => sum + count, 0)
}

/** What the outside service was made to do, and whether by one key twice. */
export function effectsOf(calls: readonly Call[]): { effects: number; events: number } {
  const effects = calls.filter((call) => call.effect)
  return { effects: effects.length, events: new Set(effects.map(({ path, event }) => `${path} ${event}`)).size }
}

/** The table that the tour ends with. */
export function summaryText(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ what }) => what.length))
  const lines = rows.map(
    ({ what, sent, readBack: found }) =>
      `  ${what.padEnd(width)}  ${String(sent).padStart(6)}  ${String(found).padStart(9)}  ${sent === found ? 'equal' : 'MISMATCH'}`,
  )
  return [`  ${''.padEnd(width)}  sender  read back`, ...lines].join('\n')
}

/** Whether every number of the sender's is what the server says. */
export function addsUp(rows: readonly Row[]): boolean {
  return rows.every(({ sent, readBack: found }) => sent === found)
}
