import { expect, test } from 'vitest'
import { completed } from '../../../test/support/run-state.ts'
import { accepted, acceptOne, newPath, open, ownAll, pairOf } from '../../../test/support/sqlite-file.ts'

test('a settlement asked again after a takeover is answered as before, and any other is stale', async () => {
  const store = await open(newPath())
  const owned = pairOf(await ownAll(store), 3)
  const event = accepted('evt_1')
  const run = { event: event.key, position: await acceptOne(store, event), tag: 'abcdefgh' }
  const settle = { owned, run, state: completed(), handler: 'h' }
  expect((await store.commit({ settle: [settle] })).settle).toEqual(['settled'])
  const beat = { group: 'g', owns: true, handlers: ['h'], leaseMs: 60_000, lowMarks: [] }
  await store.own({ ...beat, node: 'n1', owns: false, release: [owned] })
  const taken = pairOf((await store.own({ ...beat, node: 'n2', release: [] })).owned, 3)
  expect(taken.epoch).toBe(owned.epoch + 1)
  const later = { ...settle, state: completed({ generation: 2 }) }
  expect((await store.commit({ settle: [settle, later] })).settle).toEqual(['settled', 'stale'])
})
