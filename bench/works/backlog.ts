import type { Handler } from '../../src/index.ts'
import { ByHand } from '../limit/by-hand.ts'
import { group, type Measured, perSecond, produce, type Side, type SideOptions, slots } from '../measure.ts'
import { body } from '../payload.ts'
import { counted, event, idsOf, opened } from './events.ts'

const steps = ['authorise', 'capture', 'book']

/** Three checkpointed steps, each durable before the next, from a backlog. */
export const threeStepsHapax: Side = (options) =>
  drained(options, async (_event, run) => {
    for (const step of steps) await run.step(step, () => ({ ok: true }))
    return { ok: true }
  })
export const threeStepsLimit: Side = (options) => drainedByHand(options, steps.length)

/** A backlog, with a handler that does nothing. */
export const drainHapax: Side = (options) => drained(options, () => ({ ok: true }))
export const drainLimit: Side = (options) => drainedByHand(options, 0)

async function drained({ file, count }: SideOptions, work: Handler['body']): Promise<Measured> {
  const { handler, reached } = counted(work)
  await preload(file, handler, count)
  const hapax = await opened(file, [handler])
  const all = reached(count)
  return perSecond(count, async () => {
    await hapax.start()
    await all
    await hapax.stop()
  })
}

/** A backlog for a handler that is known but not running. */
async function preload(file: string, handler: Handler, count: number): Promise<void> {
  const known = await opened(file, [handler])
  await known.start()
  await known.stop()
  const door = await opened(file, [])
  const ids = idsOf(count)
  await produce(count, (index) => door.accept(event(ids[index] ?? '')))
  await door.stop()
}

/** 1,000 runs at once; each commit takes the next record of 64 of them, so that a step is durable before the next. */
async function drainedByHand({ file, count }: SideOptions, records: number): Promise<Measured> {
  const hand = new ByHand(file)
  const ids = idsOf(count)
  const backlog: number[] = []
  for (let from = 0; from < count; from += slots) {
    hand.commit(() => {
      for (const id of ids.slice(from, from + slots)) backlog.push(hand.accept(id, body(id)))
    })
  }
  const measured = await perSecond(count, async () => {
    const admit = (most: number) => backlog.splice(-most, most).map((position) => ({ position, written: 0 }))
    const running = admit(slots)
    while (running.length > 0) {
      const turn = running.splice(0, group)
      hand.commit(() => {
        for (const run of turn) {
          if (run.written === records) hand.settle(run.position)
          else hand.checkpoint(run.position, run.written)
        }
      })
      const ended = turn.filter(({ written }) => written === records).length
      running.push(...turn.filter((run) => run.written++ < records), ...admit(ended))
    }
  })
  hand.close()
  return measured
}
