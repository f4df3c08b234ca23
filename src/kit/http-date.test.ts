import { describe, expect, it } from 'vitest'
import { parseHttpDate } from './http-date.ts'

const at = Date.UTC(1994, 10, 6, 8, 49, 37)
const now = Date.UTC(2026, 0, 1)

describe('an HTTP-date', () => {
  it('is read in its three forms', () => {
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      expect(parseHttpDate(text, now), text).toBe(at)
    }
  })

  it('with two digits of a year is at most 50 years ahead', () => {
    expect(parseHttpDate('Friday, 06-Nov-76 00:00:00 GMT', now)).toBe(Date.UTC(2076, 10, 6))
    expect(parseHttpDate('Sunday, 06-Nov-77 00:00:00 GMT', now)).toBe(Date.UTC(1977, 10, 6))
  })

  it('is nothing else', () => {
    for (const text of [
      '',
      '120',
      '2026-01-01T00:00:00Z',
      'Sun, 06 Nov 1994 08:49:37 CET',
      'Sun, 06 Nix 1994 08:49:37 GMT',
      'Sun, 31 Feb 2026 08:49:37 GMT',
      'Sun, 00 Nov 1994 08:49:37 GMT',
      'Sun, 06 Nov 1994 24:49:37 GMT',
    ]) {
      expect(parseHttpDate(text, now), text).toBeUndefined()
    }
  })
})
