import { createHapax, type Handler, type Hapax, handler } from '../../src/index.ts'
import { atRate, latencyFigures, latencyRate, type Measured, produce, slots } from '../measure.ts'
import { counted, event, halfDuplicates, idsOf } from '../works/events.ts'
import { type Flow, keyed, ordered, plain, stepAlone, stepLimited } from '../works/flows.ts'
import type { Bench, Works } from './contestant.ts'

/** Hapax by its public door, as the SQLite rows run it: 1,000 slots, at latency its defaults. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': (bench) => lived(bench, plain()),
  drain: (bench) => drained(bench, () => ({ ok: true })),
  'three steps': (bench) =>
    drained(bench, async (_event, run) => {
      for (const step of ['authorise', 'capture', 'book']) await run.step(step, () => ({ ok: true }))
      return { ok: true }
    }),
  latency,
  'one step': (bench) => lived(bench, stepAlone()),
  'one step with limits': (bench) => lived(bench, stepLimited()),
  keyed: (bench) => lived(bench, keyed()),
  ordered: (bench) => lived(bench, ordered()),
}

function opened(bench: Bench, handlers: readonly Handler[], concurrency = slots): Promise<Hapax> {
  return createHapax({ store: bench.url, migrate: 'auto', handlers, concurrency })
}

async function acceptAll(hapax: Hapax, ids: readonly string[]): Promise<void> {
  await produce(ids.length, (index) => hapax.accept(event(ids[index] ?? '')))
}

/** By a process that only accepts; the handler is another's, as with the peers: what nobody takes is also listed apart. */
async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const other = await opened(bench, [counted().handler])
  await other.start()
  await other.stop()
  const hapax = await opened(bench, [])
  await acceptAll(hapax, idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  const measured = await bench.measure(() => acceptAll(hapax, ids))
  await hapax.stop()
  return measured
}

async function lived(bench: Bench, flow: Flow): Promise<Measured> {
  const hapax = await opened(bench, [flow.handler])
  await hapax.start()
  const acceptEach = (all: readonly string[]) =>
    produce(all.length, (index) => hapax.accept(flow.event(all[index] ?? '', index)))
  const warmed = bench.warmUp - flow.blocked(bench.warmUp)
  const warm = flow.reached(warmed)
  await acceptEach(idsOf(bench.warmUp, 'warm'))
  await warm
  await bench.settle()
  const all = flow.reached(warmed + bench.count - flow.blocked(bench.count))
  const names = idsOf(bench.count)
  return bench.measure(async () => {
    await acceptEach(names)
    await all
    // Every completion is durable when this resolves.
    await hapax.stop()
  })
}

/** From a backlog: accepted while the handler is known and not running. */
async function drained(bench: Bench, work: Handler['body']): Promise<Measured> {
  const { handler, reached } = counted(work)
  const before = await opened(bench, [handler])
  await before.start()
  const warm = reached(bench.warmUp)
  await acceptAll(before, idsOf(bench.warmUp, 'warm'))
  await warm
  await before.stop()
  const door = await opened(bench, [])
  await acceptAll(door, idsOf(bench.count))
  await door.stop()
  await bench.settle()
  const hapax = await opened(bench, [handler])
  const all = reached(bench.warmUp + bench.count)
  return bench.measure(async () => {
    await hapax.start()
    await all
    await hapax.stop()
  })
}

async function latency(bench: Bench): Promise<Measured> {
  const called = new Map<string, number>()
  const begun: number[] = []
  const done: number[] = []
  const settle = handler('settle-payment', { source: 'stripe', on: '*' }, ({ id }) => {
    begun.push(performance.now() - (called.get(id) ?? Number.NaN))
    return { ok: true }
  })
  const hapax = await createHapax({ store: bench.url, migrate: 'auto', handlers: [settle] })
  await hapax.start()
  const live = (ids: readonly string[]) =>
    atRate(ids.length, latencyRate, async (index) => {
      const id = ids[index] ?? ''
      const subject = event(id)
      const at = performance.now()
      called.set(id, at)
      const receipt = await hapax.accept(subject)
      await hapax.runs.result(receipt.runs[0]?.id ?? '')
      done.push(performance.now() - at)
    })
  await live(idsOf(bench.warmUp, 'warm'))
  await bench.settle()
  begun.length = 0
  done.length = 0
  const measured = await bench.around(async () => {
    await live(idsOf(bench.count))
    return latencyFigures(begun, done)
  })
  await hapax.stop()
  return measured
}
