import { expect, it } from 'vitest'
import { elementsOf } from './elements.ts'

it('gives a hole as undefined, so that whoever looks at each element sees it', () => {
  // biome-ignore lint/suspicious/noSparseArray: it is what is tested
  expect(elementsOf([1, , 2])?.map((one) => typeof one)).toEqual(['number', 'undefined', 'number'])
  expect(elementsOf([])).toEqual([])
})

it('gives nothing for what is no array', () => {
  for (const value of [undefined, null, 'ab', { length: 1 }, new Map()]) expect(elementsOf(value)).toBeUndefined()
})
