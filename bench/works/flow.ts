import { type Dependency, dependency, type Handler, type HandlerOptions, handler } from '../../src/index.ts'
import { perSecond, produce, type Side } from '../measure.ts'
import { event, ids, opened } from './events.ts'

/** Order keys of the ordered row. */
const keys = 10_000

/** A handler of one step, and when so many of its runs have come to their end. */
function paying(
  options: Partial<HandlerOptions>,
  pay: (effect: () => Promise<{ readonly ok: true }>) => Promise<unknown>,
  isBlocked: (id: string) => boolean = () => false,
): { readonly handler: Handler; readonly reached: (total: number) => Promise<void> } {
  let count = 0
  let wanted = Number.POSITIVE_INFINITY
  let reach = () => {}
  const paid = handler('settle-payment', { source: 'stripe', on: '*', ...options }, async ({ id }, run) => {
    if (isBlocked(id)) await run.waitFor('somebody')
    await run.step('pay', () => pay(async () => ({ ok: true })))
    if (++count >= wanted) reach()
  })
  const reached = (total: number) =>
    new Promise<void>((resolve) => {
      wanted = total
      reach = resolve
    })
  return { handler: paid, reached }
}

/** One step whose call is answered at once. */
export const stepAloneHapax: Side = ({ file, count }) =>
  lived(
    file,
    count,
    paying({}, (effect) => effect()),
  )

/** The same through a dependency with a circuit, a rate and slots, of a handler with a rate and slots, none of which bind. */
export const stepLimitedHapax: Side = ({ file, count }) => {
  const bank: Dependency = dependency('bank', { rate: '1000000/s', concurrency: 100_000 })
  const options = { uses: [bank], rate: '1000000/s', concurrency: 100_000, priority: () => 1 } as const
  return lived(
    file,
    count,
    paying(options, (effect) => bank.call(effect)),
  )
}

/** One step, of events with order keys that the handler does not look at. */
export const keyedHapax: Side = ({ file, count }) =>
  lived(
    file,
    count,
    paying({}, (effect) => effect()),
    0,
  )

/** The same, one at a time per key; the first key waits, and all its runs with it. */
export const orderedHapax: Side = ({ file, count }) =>
  lived(
    file,
    count,
    paying(
      { order: true },
      (effect) => effect(),
      (id) => Number(id.slice(id.lastIndexOf('_') + 1)) % keys === 0,
    ),
    Math.ceil(count / keys),
  )

/** @param blocked how many runs never end; given, events have order keys */
async function lived(
  file: string,
  count: number,
  { handler: paid, reached }: ReturnType<typeof paying>,
  blocked?: number,
) {
  const hapax = await opened(file, [paid])
  await hapax.start()
  const idOf = ids()
  const all = reached(count - (blocked ?? 0))
  return perSecond(count, async () => {
    await produce(count, (index) => {
      const subject = event(idOf(index))
      return hapax.accept(blocked === undefined ? subject : { ...subject, orderKey: `customer ${index % keys}` })
    })
    await all
    await hapax.stop()
  })
}
