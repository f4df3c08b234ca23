import { describe, expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { RateLimit } from './rate-limit.ts'

function limited(perSecond: number | undefined) {
  const clock = new FakeClock()
  const rate = new RateLimit(clock)
  rate.set(perSecond)
  const atMs: number[] = []
  const startMs = clock.monotonicMs()
  const take = async (withinMs = 60_000, signal?: AbortSignal) => {
    const given = await rate.take(withinMs, signal)
    if (given) atMs.push(clock.monotonicMs() - startMs)
    return given
  }
  return { clock, rate, atMs, take }
}

it('lets all pass where there is no limit', async () => {
  const { rate, take, atMs } = limited(undefined)
  for (let one = 0; one < 100; one++) await take()
  expect(atMs).toHaveLength(100)
  expect(rate.inMs).toBe(0)
})

it('lets pass nearly as many as the rate says in any second, and no more', async () => {
  const { clock, take, atMs } = limited(100)
  const all = Array.from({ length: 500 }, () => take())
  await clock.advance('10s')
  await Promise.all(all)
  for (const from of atMs) expect(atMs.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(100)
  expect(atMs.at(-1)).toBeGreaterThanOrEqual(5_000)
  expect(atMs.at(-1)).toBeLessThanOrEqual(5_125)
})

it('is first come, first served', async () => {
  const { clock, take } = limited(10)
  const order: number[] = []
  const all = Array.from({ length: 20 }, (_, one) => take().then(() => order.push(one)))
  await clock.advance('3s')
  await Promise.all(all)
  expect(order).toEqual(Array.from({ length: 20 }, (_, one) => one))
})

it('gives up in time, and holds up nobody who waits on', async () => {
  const { clock, rate, take } = limited(1)
  await take()
  const short = take(100)
  const aborted = new AbortController()
  const gone = take(60_000, aborted.signal)
  const patient = take()
  await clock.advance('200ms')
  aborted.abort()
  expect([await short, await gone]).toEqual([false, false])
  expect(rate.waiting).toBe(1)
  await clock.advance('1s')
  expect(await patient).toBe(true)
})

it('lets none pass at zero; who had none waits for an interval, since others may have had them', async () => {
  const { clock, rate, take, atMs } = limited(0)
  const first = take()
  await clock.advance('5s')
  expect(atMs).toEqual([])
  rate.set(2)
  await clock.advance('1s')
  expect(await first).toBe(true)
  expect(atMs).toEqual([5_000 + 500 * (1 + limits.rateMargin) - limits.rateCatchUpMs])
})

it('goes on at a new rate at once', async () => {
  const { clock, rate, take, atMs } = limited(0.1)
  await take()
  const next = take()
  await clock.advance('1s')
  rate.set(10)
  await clock.advance('1s')
  expect(await next).toBe(true)
  expect(atMs[1]).toBeLessThanOrEqual(1_100)
})

it('G8: lets no more pass in any second than the rate says, however late its timer fires now and then', async () => {
  const { clock, rate, atMs } = limited(500)
  // It takes all that it may, and now and then comes 20 ms late.
  for (let ms = 0; ms < 10_000; ms++) {
    await clock.advance(1)
    if (ms % 1_700 < 20) continue
    while (rate.tryTake()) atMs.push(ms)
  }
  for (const from of atMs) expect(atMs.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(500)
  expect(atMs.length).toBeGreaterThanOrEqual(0.96 * 5_000)
})

it('makes up for what it missed in a process that stands still now and then, and keeps to its rate in every second (G8)', async () => {
  const clock = new FakeClock()
  const rate = new RateLimit(clock, () => true)
  rate.set(500)
  const atMs: number[] = []
  for (let ms = 0; ms < 20_000; ms++) {
    await clock.advance(1)
    // A fifth of the time, in pieces of 60 and of 200 ms.
    if (ms % 300 < 60 || ms % 5_000 < 200) continue
    while (rate.tryTake()) atMs.push(ms)
  }
  for (const from of atMs) expect(atMs.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(500)
  expect(atMs.length).toBeGreaterThanOrEqual(0.94 * 500 * 20)
})

it('makes up for nothing that nobody missed', async () => {
  const { clock, rate } = limited(100)
  for (let times = 0; times < 3; times++) {
    await clock.advance('10s')
    let passed = 0
    for (let ms = 0; ms < 500; ms++) {
      if (rate.tryTake()) passed++
      await clock.advance(1)
    }
    expect(passed).toBeLessThanOrEqual(51)
  }
})

it('makes up for it at twice its pace', async () => {
  const clock = new FakeClock()
  const rate = new RateLimit(clock, () => true)
  rate.set(100)
  await clock.advance('5s')
  const atMs: number[] = []
  for (let ms = 0; ms < 100; ms++) {
    if (rate.tryTake()) atMs.push(ms)
    await clock.advance(1)
  }
  expect(atMs.length).toBeGreaterThan(15)
  expect(atMs.length).toBeLessThanOrEqual(20 + 4)
})

describe('a pause', () => {
  it('lets none pass until it is over, with a rate and without one; and then as before', async () => {
    for (const perSecond of [undefined, 10]) {
      const clock = new FakeClock()
      const rate = new RateLimit(clock)
      rate.set(perSecond)
      await clock.advance('1s')
      rate.pause(3_000)
      expect([rate.tryTake(), rate.inMs, rate.pausedMs]).toEqual([false, 3_000, 3_000])
      const went: number[] = []
      const from = clock.monotonicMs()
      for (let each = 0; each < 3; each++) {
        void rate.take(5_000).then((given) => given && went.push(clock.monotonicMs() - from))
      }
      await clock.advance('5s')
      expect(went).toEqual(perSecond ? [3_000, 3_092.5, 3_195] : [3_000, 3_000, 3_000])
    }
  })

  it('is not shortened by a shorter one', () => {
    const rate = new RateLimit(new FakeClock())
    rate.pause(3_000)
    rate.pause(1_000)
    expect(rate.pausedMs).toBe(3_000)
  })

  it('is not waited for by who cannot wait so long', async () => {
    const clock = new FakeClock()
    const rate = new RateLimit(clock)
    rate.pause(3_000)
    expect(await rate.take(3_000)).toBe(false)
  })
})
