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
