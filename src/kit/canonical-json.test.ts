import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { numberVectors } from '../../test/support/content-vectors.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { canonicalFields, canonicalJson, canonicalJsonText } from './canonical-json.ts'
import { parseStrictJson } from './strict-json.ts'

function faultIn(act: () => unknown): { code: string; path: unknown } {
  try {
    act()
  } catch (error) {
    if (error instanceof HapaxError) return { code: error.code, path: error.details.path }
    throw error
  }
  return { code: 'none', path: undefined }
}

describe('canonical JSON', () => {
  it('orders keys by UTF-16 units, as RFC 8785 section 3.2.3 does', () => {
    const value = {
      '\ufb33': 1,
      '\u{1f600}': 2,
      '\u20ac': 3,
      '\r': 4,
      '1': 5,
      '\u0080': 6,
      '\u00f6': 7,
      '10': 8,
      '9': 9,
    }
    const keys = ['\r', '1', '10', '9', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33']
    expect(
      [...canonicalJson(value).matchAll(/"((?:[^"\\]|\\.)*)":/g)].map(([, key]) => JSON.parse(`"${key}"`)),
    ).toEqual(keys)
    expect(canonicalJsonText(JSON.stringify(value))).toBe(canonicalJson(value))
  })

  it.each([
    [Number('333333333.33333329'), '333333333.3333333'],
    [1e30, '1e+30'],
    [4.5, '4.5'],
    [2e-3, '0.002'],
    [0.000000000000000000000000001, '1e-27'],
    [1e21, '1e+21'],
    [1e20, '100000000000000000000'],
    [-0, '0'],
    [10n ** 21n, '1e+21'],
    [2n ** 53n + 1n, '9007199254740993'],
  ])('writes %s as %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })

  it.each(numberVectors)('writes the text %s as %s', (source, text) => {
    expect(canonicalJsonText(source)).toBe(text)
  })

  it('writes strings as ECMAScript does', () => {
    const value = { text: '\u20ac$\u000f\nA\'\u0042\u0022\u005c\\"/\u0000\u2028' }
    expect(canonicalJson(value)).toBe(JSON.stringify(value))
  })

  it('gives a value and its text one form', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.boolean(), (value, spaced) => {
        const text = JSON.stringify(value, null, spaced ? 2 : 0)
        expect(canonicalJsonText(text)).toBe(canonicalJson(value))
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value))
      }),
    )
  })

  it('tells numbers apart exactly when they differ', () => {
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: -30, max: 30 }))
    const exact = ([mantissa, exponent]: [bigint, number]) => mantissa * 10n ** BigInt(exponent + 30)
    fc.assert(
      fc.property(decimal, decimal, (one, other) => {
        const [first, second] = [one, other].map(([mantissa, exponent]) => canonicalJsonText(`${mantissa}e${exponent}`))
        expect(first === second).toBe(exact(one) === exact(other))
        const shifted = canonicalJsonText(`${one[0] * 1000n}e${one[1] - 3}`)
        expect(shifted).toBe(first)
      }),
    )
  })

  it('prints every double as ECMAScript does', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
        expect(canonicalJsonText(double.toExponential())).toBe(JSON.stringify(double + 0))
      }),
    )
  })

  it('leaves fields out by path, through lists too', () => {
    const value = {
      a: 1,
      b: { c: 2, d: 3 },
      list: [
        { at: 1, id: 2 },
        { at: 3, id: 4 },
      ],
      'x.y': 5,
      pending: 6,
    }
    const without = ['pending', 'b.c', 'list.*.at', 'x\\.y', 'absent.deep']
    expect(canonicalJson(value, { without })).toBe('{"a":1,"b":{"d":3},"list":[{"id":2},{"id":4}]}')
    expect(canonicalJson(value, { without: ['list.0', 'list.1.at'] })).toContain('"list":[{"id":4}]')
    expect(canonicalJson(value, { without: ['constructor', '__proto__'] })).toBe(canonicalJson(value))
  })

  it('takes some fields alone, and says which are missing', () => {
    const value = { bet: { id: 7n, stake: 1.5 }, noise: 1 }
    expect(canonicalFields(value, ['bet.stake', 'bet.id'])).toEqual({
      text: '{"bet.id":7,"bet.stake":1.5}',
      missing: [],
    })
    expect(canonicalFields(value, ['bet.player', 'constructor.name']).missing).toEqual([
      'bet.player',
      'constructor.name',
    ])
    const { value: rounded, exactText } = parseStrictJson('{"a":0.1000000000000000055}')
    expect(canonicalFields(rounded, ['a'], { exactText }).text).toBe('{"a":0.1000000000000000055}')
  })

  it('drops undefined members, as JSON does', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}')
  })

  const cycle: { self?: unknown } = {}
  cycle.self = { deeper: [cycle] }
  it.each([
    ['undefined', undefined, '$'],
    ['undefined in a list', { a: [1, undefined] }, '$.a[1]'],
    ['a hole', { a: new Array(1) }, '$.a[0]'],
    ['a function', { a: { b: () => 1 } }, '$.a.b'],
    ['a symbol', [Symbol('s')], '$[0]'],
    ['a date', { at: new Date(0) }, '$.at'],
    ['a map', { m: new Map() }, '$.m'],
    ['NaN', { n: Number.NaN }, '$.n'],
    ['Infinity', [Number.POSITIVE_INFINITY], '$[0]'],
    ['a cycle', cycle, '$.self.deeper[0]'],
  ])('refuses %s, naming its place', (_name, value, path) => {
    expect(faultIn(() => canonicalJson(value))).toEqual({ code: 'value_not_json', path })
  })

  it('refuses lone surrogates in values and keys', () => {
    expect(faultIn(() => canonicalJson({ a: ['\ud83d'] }))).toEqual({ code: 'lone_surrogate', path: '$.a[0]' })
    expect(faultIn(() => canonicalJson({ '\udc00': 1 })).code).toBe('lone_surrogate')
  })

  it('refuses depth without overflow', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(faultIn(() => canonicalJson(deep)).code).toBe('too_deep')
  })

  it('keeps hostile names as plain data', () => {
    const text = '{"__proto__":{"x":1},"constructor":2,"toJSON":3,"then":4}'
    expect(canonicalJsonText(text)).toBe('{"__proto__":{"x":1},"constructor":2,"then":4,"toJSON":3}')
  })
})
