import { expect, it } from 'vitest'
import { compareBytes } from './byte-order.ts'

it('orders texts as their bytes are, also where units of UTF-16 are in another order', () => {
  expect(compareBytes('a', 'a')).toBe(0)
  expect(compareBytes('a', 'ab')).toBeLessThan(0)
  expect(compareBytes('\u{1f600}', '\uffee')).toBeGreaterThan(0)
  expect('\u{1f600}' < '\uffee').toBe(true)
})
