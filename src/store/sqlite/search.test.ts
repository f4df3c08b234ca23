import { expect, test } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { newPath, open } from '../../../test/support/sqlite-file.ts'
import { type Clock, systemClock } from '../../kit/clock.ts'

test('what nobody claimed is found without a walk through all that was', async () => {
  let turns = 0
  const counted: Clock = {
    ...systemClock,
    turn(fire) {
      turns++
      systemClock.turn(fire)
    },
  }
  const store = await open(newPath(), { clock: counted })
  const unclaimed = [acceptItem({ unclaimed: true }), acceptItem({ unclaimed: true })]
  await store.commit({ accept: unclaimed })
  for (let commits = 0; commits < 10; commits++) {
    await store.commit({ accept: Array.from({ length: 1_000 }, () => acceptItem()) })
  }
  const found = async (query: { readonly unclaimed?: boolean; readonly cursor?: string }) => {
    turns = 0
    const { events, next } = await store.searchEvents({ ...query, limit: 1 })
    return { keys: events.map(({ key }) => key), next, turns }
  }
  const first = await found({ unclaimed: true })
  expect(first).toMatchObject({ keys: [unclaimed[1]?.key], turns: 0 })
  const second = await found({ unclaimed: true, cursor: first.next ?? '' })
  expect(second).toMatchObject({ keys: [unclaimed[0]?.key], next: undefined, turns: 1 })
})
