import { expect, it } from 'vitest'
import { ratePerSecond } from './rate.ts'

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
  (written) => expect(ratePerSecond(written)).toBeUndefined(),
)
