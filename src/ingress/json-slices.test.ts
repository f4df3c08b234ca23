import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { itemSlices, memberText } from './json-slices.ts'

describe('json slices', () => {
  it('find every item and every member, as they were written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
        fc.constantFrom(undefined, 2),
        (items, space) => {
          const text = JSON.stringify(items, undefined, space)
          const slices = itemSlices(text)
          expect(slices.map(({ start, end }) => JSON.parse(text.slice(start, end)))).toEqual(
            JSON.parse(JSON.stringify(items)),
          )
          for (const [index, item] of items.entries()) {
            for (const [name, value] of Object.entries(item)) {
              expect(JSON.parse(memberText(text, name, slices[index]) ?? 'missing')).toEqual(
                JSON.parse(JSON.stringify(value)),
              )
            }
          }
        },
      ),
    )
  })

  it('keep the text of a number that no double holds', () => {
    expect(memberText('{"id":"1","d\\u0061ta" : {"amount":0.1000000000000000055} }', 'data')).toBe(
      '{"amount":0.1000000000000000055}',
    )
  })

  it('know nothing of a member that is not there', () => {
    expect(memberText('{"a":{"data":1}}', 'data')).toBeUndefined()
    expect(memberText('{}', 'data')).toBeUndefined()
    expect(itemSlices('[]')).toEqual([])
  })
})
