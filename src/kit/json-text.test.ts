import { expect, it } from 'vitest'
import { jsonText } from './json-text.ts'

it('writes a bigint as the number that it is', () => {
  expect(jsonText({ amount: 9_007_199_254_740_993n, list: [-12345678901234567890n] })).toBe(
    '{"amount":9007199254740993,"list":[-12345678901234567890]}',
  )
})

it('writes everything else as JSON.stringify does', () => {
  const value = { text: 'ä\u0000', none: undefined, nested: [1, null, true, { toJSON: 1 }] }
  expect(jsonText(value)).toBe(JSON.stringify(value))
})
