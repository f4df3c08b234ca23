import type { NewEvent } from '../../src/engine/api.ts'

/** Subscribes to what {@link order} makes. */
export const on = { source: 'shop', on: 'order.*' } as const

/** Subscribes to nothing of it. */
export const elsewhere = { source: 'elsewhere', on: '*' } as const

/** An event of a shop. */
export function order(id: string, more: Partial<NewEvent> = {}): NewEvent {
  return { source: 'shop', id, type: 'order.paid', data: { total: 5 }, ...more }
}

/** Who asks, and why. */
export const why = { reason: 'a test', actor: 'me' }

/** What never answers. */
export const never = () => new Promise<never>(() => {})
