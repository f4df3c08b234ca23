import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeCanonical } from './canonical-writer.ts'

const written = (value: unknown) => writeCanonical(value, 64, undefined)?.toString('utf8')

describe('canonical writer', () => {
  it('writes strings of every length and kind as JSON.stringify does', () => {
    // Around the length from which native code writes them.
    const pieces = fc.array(
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('"', '\\', '\u0000', 'é', '\u{1f600}')),
    )
    fc.assert(
      fc.property(pieces, fc.integer({ min: 0, max: 70 }), (list, spaces) => {
        const text = list.join('') + ' '.repeat(spaces)
        fc.pre(text.isWellFormed())
        expect(written([text, { [text]: text }])).toBe(JSON.stringify([text, { [text]: text }]))
      }),
    )
  })

  it('grows with what is written', () => {
    const list = Array.from({ length: 3_000 }, (_, index) => ({ text: 'é'.repeat(index % 130), index }))
    expect(written({ list })).toBe(JSON.stringify({ list: list.map(({ text, index }) => ({ index, text })) }))
  })

  it('sorts and writes names alike the first time and later, whatever their order and number', () => {
    // Few names, so that shapes with the same first name, and the same names in another order, come again and again.
    const name = fc.oneof(fc.constantFrom('id', 'a', 'b', 'type', 'é', '"', '', '10', '9', '__proto__'), fc.string())
    const object = fc.uniqueArray(fc.tuple(name, fc.oneof(fc.integer(), fc.constant(undefined))), {
      selector: ([key]) => key,
      maxLength: 12,
    })
    fc.assert(
      fc.property(fc.array(object, { minLength: 12, maxLength: 24 }), (objects) => {
        for (const members of [...objects, ...objects]) {
          const sorted = members
            .filter(([, value]) => value !== undefined)
            .sort(([one], [other]) => (one < other ? -1 : 1))
          const text = sorted.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')
          expect(written(Object.fromEntries(members))).toBe(`{${text}}`)
        }
      }),
    )
  })

  it('forgets names when it has met too many', () => {
    for (let index = 0; index < 2_000; index += 1) {
      expect(written({ [`b${index % 300}`]: 1, [`a${index}`]: 2 })).toBe(`{"a${index}":2,"b${index % 300}":1}`)
    }
  })

  it('keeps two forms apart where a getter asks for one while another is written', () => {
    let inner: string | undefined
    const outer = {
      a: 'before',
      get b() {
        inner = written({ z: 'within' })
        return 'after'
      },
    }
    expect(written(outer)).toBe('{"a":"before","b":"after"}')
    expect(inner).toBe('{"z":"within"}')
  })

  it('hands out bytes of their own', () => {
    const first = writeCanonical('one', 64, undefined)
    writeCanonical('two', 64, undefined)
    expect(first?.toString()).toBe('"one"')
  })

  it('gives nothing for what is no JSON, and writes on afterwards', () => {
    for (const value of [undefined, Number.NaN, [() => 1], { a: '\ud800' }, { '\udc00': 1 }, new Date(0)]) {
      expect(written(value)).toBeUndefined()
    }
    expect(written({ b: 1, a: undefined })).toBe('{"b":1}')
  })
})
