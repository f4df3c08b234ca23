import { describe, expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import { retryAtOf } from './retry-after.ts'

const now = Date.UTC(2026, 0, 1, 12)
const asked = (retryAfter: string, more: Record<string, string> = {}) =>
  retryAtOf({ headers: { 'retry-after': retryAfter, ...more } }, now)

describe('Retry-After', () => {
  it('is a number of seconds', () => {
    expect(asked('30')).toBe(now + 30_000)
    expect(asked(' 0 ')).toBe(now)
  })

  it('is a date, measured by the clock of the other side where it tells it', () => {
    expect(asked('Thu, 01 Jan 2026 12:00:30 GMT')).toBe(now + 30_000)
    // Its clock is an hour ahead.
    expect(asked('Thu, 01 Jan 2026 13:00:30 GMT', { date: 'Thu, 01 Jan 2026 13:00:00 GMT' })).toBe(now + 30_000)
  })

  it('that has passed means now', () => {
    expect(asked('Thu, 01 Jan 2026 11:00:00 GMT')).toBe(now)
  })

  it('is bounded', () => {
    expect(asked('99999999999999999999')).toBe(now + limits.retryAfterMs)
    expect(asked('Thu, 01 Jan 2099 12:00:00 GMT')).toBe(now + limits.retryAfterMs)
  })

  it('that cannot be read says nothing', () => {
    for (const text of ['', 'soon', '-1', '1.5', '2026-01-01']) expect(asked(text), text).toBeUndefined()
    expect(retryAtOf(undefined, now)).toBeUndefined()
  })
})
