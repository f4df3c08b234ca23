import { PostgresByHand, type Prepared, prepared } from '../limit/postgres-by-hand.ts'
import { atRate, latencyFigures, latencyRate, type Measured, produce, slots } from '../measure.ts'
import { halfDuplicates, idsOf } from '../works/events.ts'
import type { Bench, Works } from './contestant.ts'

/** The same rows by hand. */
export const works: Works = {
  accept: (bench) => accepted(bench, idsOf(bench.count)),
  'half duplicates': (bench) => accepted(bench, halfDuplicates(idsOf(bench.count / 2))),
  'whole life': wholeLife,
  drain: (bench) => drained(bench, []),
  'three steps': (bench) => drained(bench, ['authorise', 'capture', 'book']),
  latency,
}

async function acceptAll(hand: PostgresByHand, events: readonly Prepared[]): Promise<void> {
  await produce(events.length, async (index) => {
    const event = events[index]
    if (event) await hand.accept(event)
  })
}

async function accepted(bench: Bench, ids: readonly string[]): Promise<Measured> {
  const hand = new PostgresByHand(bench.url, false)
  await hand.prepare()
  await acceptAll(hand, idsOf(bench.warmUp, 'warm').map(prepared))
  const events = ids.map(prepared)
  await bench.settle()
  const measured = await bench.measure(() => acceptAll(hand, events))
  await hand.close()
  return measured
}

/** A producer awaits its accept; the settlement is written beside the next. */
async function wholeLife(bench: Bench): Promise<Measured> {
  const hand = new PostgresByHand(bench.url, true)
  await hand.prepare()
  const live = async (events: readonly Prepared[]) => {
    const settled: Promise<void>[] = []
    await produce(events.length, async (index) => {
      const event = events[index]
      if (event) settled.push(hand.settle(await hand.accept(event)))
    })
    await Promise.all(settled)
  }
  await live(idsOf(bench.warmUp, 'warm').map(prepared))
  const events = idsOf(bench.count).map(prepared)
  await bench.settle()
  const measured = await bench.measure(() => live(events))
  await hand.close()
  return measured
}

/** Pages of the backlog are read while the one before is written; 1,000 runs at once, each step durable before the next. */
async function drained(bench: Bench, steps: readonly string[]): Promise<Measured> {
  const hand = new PostgresByHand(bench.url, false)
  await hand.prepare()
  const run = async (key: string) => {
    for (const step of steps) await hand.checkpoint(key, step)
    await hand.settle(key)
  }
  const drain = async (after: string) => {
    let reached = after
    let next = hand.page(after, slots)
    for (;;) {
      const page = await next
      const last = page.at(-1)
      if (last === undefined) return reached
      reached = last
      next = hand.page(last, slots)
      await Promise.all(page.map(run))
    }
  }
  await acceptAll(hand, idsOf(bench.warmUp, 'warm').map(prepared))
  const from = await drain('00000000-0000-0000-0000-000000000000')
  await acceptAll(hand, idsOf(bench.count).map(prepared))
  await bench.settle()
  const measured = await bench.measure(() => drain(from))
  await hand.close()
  return measured
}

/** One commit of one event, and a second one for its settlement. */
async function latency(bench: Bench): Promise<Measured> {
  const hand = new PostgresByHand(bench.url, true)
  await hand.prepare()
  const one: number[] = []
  const two: number[] = []
  const live = (events: readonly Prepared[]) =>
    atRate(events.length, latencyRate, async (index) => {
      const event = events[index]
      if (!event) return
      const at = performance.now()
      const key = await hand.accept(event)
      one.push(performance.now() - at)
      await hand.settle(key)
      two.push(performance.now() - at)
    })
  await live(idsOf(bench.warmUp, 'warm').map(prepared))
  const events = idsOf(bench.count).map(prepared)
  await bench.settle()
  one.length = 0
  two.length = 0
  const measured = await bench.around(async () => {
    await live(events)
    return latencyFigures(one, two)
  })
  await hand.close()
  return measured
}
