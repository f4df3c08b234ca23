import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { Slots } from './slots.ts'

it('gives as many at once as there are, first come, first served', async () => {
  const slots = new Slots(new FakeClock())
  slots.set(2)
  const had: number[] = []
  const all = [0, 1, 2, 3].map((one) => slots.take(1_000).then(() => had.push(one)))
  await Promise.all(all.slice(0, 2))
  expect([had, slots.taken, slots.waiting]).toEqual([[0, 1], 2, 2])
  slots.release()
  await all[2]
  slots.release()
  await all[3]
  expect(had).toEqual([0, 1, 2, 3])
})

it('gives none in time where none is free', async () => {
  const clock = new FakeClock()
  const slots = new Slots(clock)
  slots.set(0)
  const late = slots.take(100)
  await clock.advance('1s')
  expect([await late, slots.taken, slots.waiting]).toEqual([false, 0, 0])
})

it('with fewer than are in, waits until they have left; with more, lets in who waits', async () => {
  const slots = new Slots(new FakeClock())
  slots.set(undefined)
  await Promise.all([slots.take(0), slots.take(0), slots.take(0)])
  slots.set(2)
  const next = slots.take(1_000)
  slots.release()
  expect(slots.waiting).toBe(1)
  slots.set(3)
  expect([await next, slots.taken]).toEqual([true, 3])
})
