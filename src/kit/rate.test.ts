import { expect, it } from 'vitest'
import { isRate, ratePerSecond, rateText } from './rate.ts'

it.each([
  ['100/s', 100],
  ['90/m', 1.5],
  ['0.5/s', 0.5],
  ['3600/h', 1],
  ['86400/d', 1],
  [7, 7],
])('%s is %d a second', (written, perSecond) => expect(ratePerSecond(written)).toBe(perSecond))

it.each(['100', '100/w', '-1/s', '0/s', 0, -1, Number.NaN, Number.POSITIVE_INFINITY, '', ' 1/s', null, undefined, {}])(
  '%s is no rate',
  (written) => {
    expect(ratePerSecond(written)).toBeUndefined()
    expect(isRate(written)).toBe(false)
  },
)

it.each(['100/s', '5/m', '7/h', '1000/h', '1/d', '2.5/s', 1, 0.5])('%s is told as what it means', (rate) => {
  expect(isRate(rate)).toBe(true)
  expect(ratePerSecond(rateText(ratePerSecond(rate) ?? 0))).toBeCloseTo(ratePerSecond(rate) ?? 0, 12)
})

it('is told in the unit in which it is whole', () => {
  expect([50, 1.5, 7 / 60, 1000 / 3600, 1 / 86_400, 2.5 / 3600].map(rateText)).toEqual([
    '50/s',
    '90/m',
    '7/m',
    '1000/h',
    '1/d',
    '60/d',
  ])
  expect(rateText(Math.PI)).toBe('3.142/s')
})
