import type { NewEvent } from '../../src/engine/api.ts'
import { type CoalesceOptions, type HandlerOptions, handler } from '../../src/engine/handler.ts'
import type { Receipt } from '../../src/event/receipt.ts'
import type { TestWorld } from '../../src/testing/test-world.ts'
import { on, order } from './shop.ts'

/** It ends between two beats. */
export const windowMs = 9_300
/** Keeps the latest by subject. */
export const coalesce: CoalesceOptions = { key: ({ subject }) => subject ?? '', window: windowMs }

/** A handler that keeps the latest by subject, and the ids that it was called with. */
export function keeping(more: Partial<HandlerOptions> = {}) {
  const seen: string[] = []
  const keeps = handler('keeps', { ...on, coalesce, ...more }, ({ id }) => {
    seen.push(id)
    return { kept: id }
  })
  return { seen, keeps }
}

const runOf = (receipt: Receipt | undefined) => receipt?.runs[0]?.id ?? ''

/** Accepts so many of one key, one after the other. */
export async function acceptAll(
  world: TestWorld,
  ids: readonly string[],
  more: Partial<NewEvent> = {},
): Promise<string[]> {
  const runs: string[] = []
  for (const id of ids) {
    const event = order(id, { subject: 'k', orderKey: 'k', ...more })
    runs.push(runOf(await world.soon(world.newest().accept(event))))
  }
  return runs
}

/** A call of the store takes so long. */
export const pass = ({ clock }: TestWorld, ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve))

/** Ids of so many events. */
export const ids = (count: number, prefix = '') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
/** How a run stands that was overtaken. */
export const isCoalesced = { status: 'completed', state: { reason: 'coalesced', attempt: 0, turn: 1 } }
