import { ByHand } from '../limit/by-hand.ts'
import { group, perSecond, type Side } from '../measure.ts'
import { body } from '../payload.ts'
import { event, idsOf } from './events.ts'
import { lived, plain } from './flows.ts'

/** Accept, a handler that does nothing, completed, history kept. */
export const wholeLifeHapax: Side = (bench) => lived(bench, plain())

/** The same, many, for a file that is full of finished events; says how the memory went. */
export const fillHapax: Side = async ({ file, count }) => {
  const early: number[] = []
  const measured = await lived(
    { file, count },
    {
      ...plain(),
      event(id, index) {
        if (index === Math.floor(count / 5)) early.push(process.memoryUsage().rss / 1e6)
        return event(id)
      },
    },
  )
  return { ...measured, rssAfterFifthMb: early[0] ?? Number.NaN }
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
