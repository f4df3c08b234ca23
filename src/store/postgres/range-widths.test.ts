import { expect, test } from 'vitest'
import { rangeWidthMs } from './range-widths.ts'

test('a journal lies in at most some sixteen ranges, whatever its retention', () => {
  const day = 86_400_000
  expect(rangeWidthMs(14 * day)).toBe(day)
  expect(rangeWidthMs(90 * day)).toBe(7 * day)
  expect(rangeWidthMs(365 * day)).toBe(28 * day)
  expect(rangeWidthMs(7 * 365 * day)).toBe(364 * day)
  expect(rangeWidthMs(60_000)).toBe(3_600_000)
})
