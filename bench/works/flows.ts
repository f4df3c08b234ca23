import { type Dependency, dependency, type Handler, type HandlerOptions, type NewEvent } from '../../src/index.ts'
import { perSecond, produce, type Side } from '../measure.ts'
import { counted, event, ids, opened } from './events.ts'

/** Order keys of the ordered row. */
const keys = 10_000

/** A work of one handler, whose events live their whole life while more come, and what these events are like. */
export interface Flow {
  readonly handler: Handler
  /** Resolves when so many of its runs have come to their end. */
  readonly reached: (total: number) => Promise<void>
  /** The event of this place. */
  readonly event: (id: string, index: number) => NewEvent
  /** Of so many events from the first place on, the runs that never end. */
  readonly blocked: (count: number) => number
}

function flow(
  options: Partial<HandlerOptions>,
  pay: (effect: () => Promise<{ readonly ok: true }>) => Promise<unknown>,
  more: Partial<Flow> = {},
  isBlocked: (id: string) => boolean = () => false,
): Flow {
  const paid = counted(async ({ id }, run) => {
    if (isBlocked(id)) await run.waitFor('somebody')
    await run.step('pay', () => pay(async () => ({ ok: true })))
  }, options)
  return { ...paid, event, blocked: () => 0, ...more }
}

const withKey = (id: string, index: number) => ({ ...event(id), orderKey: `customer ${index % keys}` })

/** A handler that does nothing. */
export const plain = (): Flow => ({ ...counted(), event, blocked: () => 0 })

/** One step whose call is answered at once. */
export const stepAlone = (): Flow => flow({}, (effect) => effect())

/** The same through a dependency with a circuit, a rate and slots, of a handler with a rate and slots, none of which bind. */
export function stepLimited(): Flow {
  const bank: Dependency = dependency('bank', { rate: '1000000/s', concurrency: 100_000 })
  const options = { uses: [bank], rate: '1000000/s', concurrency: 100_000, priority: () => 1 } as const
  return flow(options, (effect) => bank.call(effect))
}

/** One step, of events with order keys that the handler does not look at. */
export const keyed = (): Flow => flow({}, (effect) => effect(), { event: withKey })

/** The same, one at a time per key; the first key waits, and all its runs with it. */
export function ordered(): Flow {
  const isBlocked = (id: string) => Number(id.slice(id.lastIndexOf('_') + 1)) % keys === 0
  const more = { event: withKey, blocked: (count: number) => Math.ceil(count / keys) }
  return flow({ order: true }, (effect) => effect(), more, isBlocked)
}

/** Accepts so many while their runs come to their end; the last completion is durable when it resolves. */
export async function lived({ file, count }: Parameters<Side>[0], work: Flow): ReturnType<Side> {
  const hapax = await opened(file, [work.handler])
  await hapax.start()
  const idOf = ids()
  const all = work.reached(count - work.blocked(count))
  return perSecond(count, async () => {
    await produce(count, (index) => hapax.accept(work.event(idOf(index), index)))
    await all
    await hapax.stop()
  })
}
