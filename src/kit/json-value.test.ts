import { describe, expect, it } from 'vitest'
import { decodeJson, encodeJson } from './json-value.ts'

describe('encodeJson', () => {
  it('keeps what is JSON', () => {
    for (const value of [
      null,
      true,
      0,
      -1.5,
      'x',
      [1, [2]],
      { a: { b: [null] } },
      JSON.parse('{"then":1,"toJSON":2}'),
    ]) {
      expect(decodeJson(encodeJson(value, 'x'))).toEqual(value)
    }
    expect(encodeJson(undefined, 'x')).toBeUndefined()
  })

  it('keeps names with escapes, whatever names were read before', () => {
    const before = { '': null, '\\': null }
    expect(decodeJson(encodeJson(before, 'x'))).toEqual(before)
    for (const name of ['\n', 'a"b', '\\\\', 'a:\u0001', '\n:x', '\ud800', 'é\t']) {
      const value = { '': null, [name]: { [name]: [-0.5, 2 ** 60, 'a\\": 1', name] }, __proto: 1 }
      expect(decodeJson(encodeJson(value, 'x'))).toEqual(value)
    }
  })

  it('names the path of what is not', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    for (const [value, path] of [
      [{ a: [1, () => 1] }, '$.a[1]'],
      [{ when: new Date(0) }, '$.when'],
      [Number.NaN, '$'],
      [[1n], '$[0]'],
      [new Map(), '$'],
      [[undefined], '$[0]'],
    ] as const) {
      expect(() => encodeJson(value, 'x')).toThrow(
        expect.objectContaining({ code: 'result_not_json', details: expect.objectContaining({ path }) }),
      )
    }
    expect(() => encodeJson(cycle, 'x')).toThrow(expect.objectContaining({ code: 'result_not_json' }))
  })

  it('refuses what is too large', () => {
    expect(() => encodeJson('x'.repeat(1_048_577), 'big')).toThrow(
      expect.objectContaining({ code: 'result_too_large' }),
    )
  })
})
