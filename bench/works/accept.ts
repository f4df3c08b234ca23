import { ByHand } from '../limit/by-hand.ts'
import { group, type Measured, perSecond, produce, type Side } from '../measure.ts'
import { body } from '../payload.ts'
import { event, halfDuplicates, idsOf, opened } from './events.ts'

/** Accepts with deduplication, each receipt awaited. */
export const acceptHapax: Side = ({ file, count }) => acceptAll(file, idsOf(count))
export const acceptLimit: Side = ({ file, count }) => writeAll(file, idsOf(count))

/** Each second accept repeats an earlier one. */
export const halfDuplicatesHapax: Side = ({ file, count }) => acceptAll(file, halfDuplicates(idsOf(count / 2)))
export const halfDuplicatesLimit: Side = ({ file, count }) => writeAll(file, halfDuplicates(idsOf(count / 2)))

async function acceptAll(file: string, ids: readonly string[]): Promise<Measured> {
  const hapax = await opened(file, [])
  const measured = await perSecond(ids.length, () =>
    produce(ids.length, (index) => hapax.accept(event(ids[index] ?? ''))),
  )
  await hapax.stop()
  return measured
}

async function writeAll(file: string, ids: readonly string[]): Promise<Measured> {
  const hand = new ByHand(file)
  const prepared = ids.map((id) => ({ id, bytes: body(id) }))
  const measured = await perSecond(ids.length, async () => {
    for (let from = 0; from < prepared.length; from += group) {
      hand.commit(() => {
        for (const { id, bytes } of prepared.slice(from, from + group)) hand.accept(id, bytes)
      })
    }
  })
  hand.close()
  return measured
}
