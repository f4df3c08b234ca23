import { expect, it } from 'vitest'
import { isRfc3339, toRfc3339 } from './rfc3339.ts'

it('writes instants in UTC', () => {
  expect(toRfc3339(1_700_000_000_000)).toBe('2023-11-14T22:13:20.000Z')
  expect(toRfc3339(1e18)).toBeUndefined()
  expect(toRfc3339(-1e14)).toBeUndefined()
})

it.each([
  ['2022-11-03T20:26:10.344522Z', true],
  ['2022-11-03T20:26:10+02:00', true],
  ['2022-13-03T20:26:10Z', false],
  ['2022-11-03 20:26:10Z', false],
  ['2022-11-03', false],
  ['yesterday', false],
])('judges %s: %s', (text, is) => {
  expect(isRfc3339(text)).toBe(is)
})
