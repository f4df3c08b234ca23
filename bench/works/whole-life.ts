import { ByHand } from '../limit/by-hand.ts'
import { group, type Measured, perSecond, produce, type Side } from '../measure.ts'
import { body } from '../payload.ts'
import { counted, event, ids, idsOf, opened } from './events.ts'

/** Accept, a handler that does nothing, completed, history kept. */
export const wholeLifeHapax: Side = ({ file, count }) => liveThrough(file, count)

/** The same, many, for a file that is full of finished events; says how the memory went. */
export const fillHapax: Side = async ({ file, count }) => {
  const early: number[] = []
  const measured = await liveThrough(file, count, (index) => {
    if (index === Math.floor(count / 5)) early.push(process.memoryUsage().rss / 1e6)
  })
  return { ...measured, rssAfterFifthMb: early[0] ?? Number.NaN }
}

async function liveThrough(file: string, count: number, at: (index: number) => void = () => {}): Promise<Measured> {
  const { handler, reached } = counted()
  const hapax = await opened(file, [handler])
  await hapax.start()
  const idOf = ids()
  const all = reached(count)
  return perSecond(count, async () => {
    await produce(count, (index) => {
      at(index)
      return hapax.accept(event(idOf(index)))
    })
    await all
    // Every completion is durable when this resolves.
    await hapax.stop()
  })
}

/** Inserts and finishes by hand: each commit accepts one group and finishes the one before. */
export const wholeLifeLimit: Side = async ({ file, count }) => {
  const hand = new ByHand(file)
  const prepared = idsOf(count).map((id) => ({ id, bytes: body(id) }))
  const measured = await perSecond(count, async () => {
    let accepted: number[] = []
    for (let from = 0; from < count + group; from += group) {
      const finished = accepted
      hand.commit(() => {
        for (const position of finished) hand.settle(position)
        accepted = prepared.slice(from, from + group).map(({ id, bytes }) => hand.accept(id, bytes))
      })
    }
  })
  hand.close()
  return measured
}
