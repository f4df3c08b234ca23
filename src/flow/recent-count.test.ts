import { expect, it } from 'vitest'
import { RecentCount } from './recent-count.ts'

it('counts at least what happened within the window, and nothing that is older by a part of it', () => {
  const count = new RecentCount(1_000)
  const atMs: number[] = []
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1 + ((nowMs * 7) % 13)) {
    // Some stretches without any, short and long.
    if (nowMs % 3_000 > 1_700) continue
    count.add(nowMs)
    atMs.push(nowMs)
    const within = (windowMs: number) => atMs.filter((at) => at > nowMs - windowMs).length
    expect(count.at(nowMs)).toBeGreaterThanOrEqual(within(1_000))
    expect(count.at(nowMs)).toBeLessThanOrEqual(within(1_006))
  }
})

it('forgets all of it after a long rest', () => {
  const count = new RecentCount(1_000)
  for (let each = 0; each < 100; each++) count.add(each * 10)
  expect(count.at(1_000_000)).toBe(0)
})
