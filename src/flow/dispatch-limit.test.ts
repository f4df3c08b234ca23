import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { DispatchLimit } from './dispatch-limit.ts'

function limited(limits: ConstructorParameters<typeof DispatchLimit>[1]) {
  const clock = new FakeClock()
  const told = { hurried: 0, changed: 0 }
  const limit = new DispatchLimit('handler pay/settle', limits, {
    clock,
    hurry: () => void told.hurried++,
    changed: () => void told.changed++,
  })
  const lend = (share: number, slots = 0) =>
    limit.lent(
      new Map([
        ['rate:handler pay/settle', share],
        ['slots:handler pay/settle', slots],
      ]),
    )
  return { clock, limit, told, lend }
}

it('lets nothing begin before a beat has lent something', () => {
  const { limit, lend } = limited({ concurrency: 2 })
  expect(limit.hasRoom).toBe(false)
  lend(0, 2)
  expect(limit.hasRoom).toBe(true)
})

it('lets as many be under way as it was lent slots', () => {
  const { limit, lend } = limited({ concurrency: 5 })
  lend(0, 2)
  limit.begin()
  limit.begin()
  expect(limit.hasRoom).toBe(false)
  expect(limit.claims()).toEqual([{ name: 'slots:handler pay/settle', amount: 5, whole: true, held: 2, eager: true }])
  limit.end()
  expect(limit.hasRoom).toBe(true)
})

it('lets runs begin at its rate, and tells when the next may where one waits', async () => {
  const { clock, limit, lend, told } = limited({ rate: 10 })
  lend(10)
  await clock.advance('1s')
  limit.lined(1)
  let begun = 0
  for (let look = 0; look < 100; look++) {
    if (limit.hasRoom) {
      limit.begin()
      limit.end()
      begun++
    }
    await clock.advance(50)
  }
  expect(begun).toBeGreaterThanOrEqual(45)
  expect(begun).toBeLessThanOrEqual(51)
  limit.begin()
  expect(limit.hasRoom).toBe(false)
  const before = told.changed
  await clock.advance('1s')
  expect(told.changed).toBeGreaterThan(before)
})

it('asks for a beat where one comes to a node at rest, and has nothing once the lease has run out', () => {
  const { limit, lend, told } = limited({ concurrency: 2 })
  lend(0, 1)
  limit.lined(1)
  expect(told.hurried).toBe(1)
  limit.lapsed()
  expect(limit.hasRoom).toBe(false)
})
