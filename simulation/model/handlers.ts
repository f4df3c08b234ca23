import { handlerTag } from '../../src/event/handler-record.ts'
import type { EventFacts } from './ledger.ts'

/** Handlers by the head of the type that they take, or by all of it; the first is always there. */
const handlersOf: Readonly<Record<string, readonly string[]>> = {
  book: ['book', 'audit'],
  ledger: ['ledger'],
  feed: ['feed'],
  saga: ['saga'],
  brief: ['brief'],
  follow: ['follow'],
  charge: ['charge'],
  level: ['level'],
  stock: ['stock'],
  price: ['price'],
  quote: ['quote'],
  sync: ['sync'],
  meter: ['meter'],
  pack: ['pack'],
  errand: ['errand'],
  clerk: ['clerk'],
  till: ['till', 'receipt'],
  'schedule.tick': ['tick'],
  'schedule.tock': ['tock'],
}

const tags = new Map(Object.values(handlersOf).flatMap((names) => names.map((name) => [name, handlerTag('pay', name)])))

/** The names of the handlers of an event. */
export function handlersFor(event: EventFacts): readonly string[] {
  return handlersOf[event.type] ?? handlersOf[event.type.slice(0, event.type.indexOf('.'))] ?? []
}

/** A handler's tag in the id of its runs. */
export function tagOf(name: string): string {
  return tags.get(name) ?? ''
}

/** The name of the event's handler with that tag. */
export function handlerNamed(event: EventFacts, tag: string): string | undefined {
  return handlersFor(event).find((name) => tagOf(name) === tag)
}
