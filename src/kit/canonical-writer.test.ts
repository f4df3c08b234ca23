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
