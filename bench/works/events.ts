import { createHapax, type Handler, type HandlerOptions, type Hapax, handler, type NewEvent } from '../../src/index.ts'
import { slots } from '../measure.ts'
import { payload } from '../payload.ts'

/** The event of this id, with 1 KB of data as a value. */
export function event(id: string): NewEvent {
  return { source: 'stripe', id, type: 'payment_intent.succeeded', data: payload(id) }
}

/** Ids that no other run on the same file has, nor one of this run under another name. */
export function idsOf(count: number, name = 'evt'): string[] {
  const idOf = ids(name)
  return Array.from({ length: count }, (_, index) => idOf(index))
}

/** The same one by one, where a million of them would be what grows. */
export function ids(name = 'evt'): (index: number) => string {
  const run = process.pid.toString(36) + Date.now().toString(36)
  return (index) => `${name}_${run}_${index}`
}

/** Every id, and after each one a repeat of any that came before, spread over time; the same list in each run. */
export function halfDuplicates(ids: readonly string[]): string[] {
  let seed = 1
  const fraction = () => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff
    return seed / 0x7fffffff
  }
  return ids.flatMap((id, index) => [id, ids[Math.floor(fraction() * index)] ?? id])
}

/** A Hapax with as many slots as the limit has. */
export function opened(file: string, handlers: readonly Handler[]): Promise<Hapax> {
  return createHapax({ store: `sqlite:${file}`, handlers, concurrency: slots })
}

/** A handler whose calls are counted when they come to their last line. */
export function counted(body: Handler['body'] = () => ({ ok: true }), options: Partial<HandlerOptions> = {}) {
  let wanted = Number.POSITIVE_INFINITY
  let reach = () => {}
  let count = 0
  const counting = handler('settle-payment', { source: 'stripe', on: '*', ...options }, async (subject, run) => {
    const result = await body(subject, run)
    if (++count >= wanted) reach()
    return result
  })
  /** Resolves when so many have. */
  const reached = (total: number) =>
    new Promise<void>((resolve) => {
      wanted = total
      reach = resolve
      if (count >= wanted) resolve()
    })
  return { handler: counting, reached, ran: () => count }
}

/** The type of events whose runs sleep: they are what waits in a stored set. */
export const sleepingType = 'payment_intent.waiting'
