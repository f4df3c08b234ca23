import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { parseCarefully } from './careful-json.ts'
import { limits } from './limits.ts'
import { parseKeptJson, parseStrictJson } from './strict-json.ts'

const bounds = { depth: limits.jsonDepth, keys: limits.jsonKeys }

function outcome(act: () => unknown): unknown {
  try {
    return { value: act() }
  } catch (error) {
    if (error instanceof HapaxError) return error.code
    throw error
  }
}

const codeOf = (source: Uint8Array | string): unknown => outcome(() => parseStrictJson(source))

describe('strict JSON', () => {
  it('reads what native parsing reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parseStrictJson(text).value).toEqual(JSON.parse(text))
        expect(parseStrictJson(Buffer.from(text)).value).toEqual(JSON.parse(text))
      }),
    )
  })

  it('judges alike on both ways, the fast and the careful one', () => {
    // Texts near JSON: pieces of it in any order, and mutations of whole documents.
    const piece = fc.constantFrom(
      ...'{ } [ ] , : "a" "a" "\\u0061" "\\ud83d" "\\ud83d\\ude00" "\\u0000" "\\" "\\x" 0 -0 01 1.5 1. .5 1e3 1e400 true nul null'.split(
        ' ',
      ),
      '9007199254740993',
      '0.1000000000000000055',
      ' ',
      '\n',
      '\u0001',
      '{"a":',
      '"__proto__":',
      '}',
      ']',
    )
    const mutated = fc.tuple(fc.json(), fc.nat(), fc.nat(3), fc.string()).map(([text, at, cut, put]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + put + text.slice(place + cut)
    })
    const soup = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(
        fc.oneof(soup, mutated).filter((text) => text.isWellFormed()),
        (text) => {
          const careful = outcome(() => parseCarefully(text, bounds).value)
          const strict = outcome(() => parseStrictJson(text).value)
          if (text.startsWith('\ufeff')) return
          expect(strict).toEqual(careful)
          let native: unknown
          try {
            native = { value: JSON.parse(text) }
          } catch {
            native = 'malformed_json'
          }
          if (native === 'malformed_json') expect(typeof strict).toBe('string')
          if (strict === 'malformed_json') expect(native).toBe('malformed_json')
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '[,1]',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{} {}',
    '1 2',
    "{'a':1}",
    '{a:1}',
    '[1] // note',
    '/* */ 1',
    'NaN',
    'Infinity',
    '+1',
    '01',
    '-',
    '1.',
    '.5',
    '1e',
    '0x10',
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    '"a',
    'tru',
    'undefined',
    '\ufeff{}',
    '[[[[',
    '\u00a0[]',
  ])('refuses %j as malformed', (text) => {
    expect(codeOf(text)).toBe('malformed_json')
    expect(codeOf(Buffer.from(text))).toBe('malformed_json')
  })

  it.each([
    ['a bare continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
  ])('refuses %s as no UTF-8', (_name, bytes) => {
    expect(codeOf(Uint8Array.from(bytes))).toBe('invalid_utf8')
  })

  it.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"x":1,"y":2,"x":3}}]', '{"__proto__":1,"__proto__":2}'])(
    'refuses the duplicate key in %s',
    (text) => {
      expect(codeOf(text)).toBe('duplicate_key')
    },
  )

  it('does not take equal keys of two objects for duplicates, nor colons inside strings', () => {
    expect(parseStrictJson('[{"a:":":\\":"},{"a:":{"a:":1}}]').value).toEqual([{ 'a:': ':":' }, { 'a:': { 'a:': 1 } }])
  })

  it.each(['"\\ud800"', '"\\uDC00x"', '{"\\ud83d":1}', '"\\ude00\\ud83d"'])(
    'refuses the lone surrogate in %s',
    (text) => {
      expect(codeOf(text)).toBe('lone_surrogate')
    },
  )

  it('refuses a text with a lone surrogate', () => {
    expect(codeOf('"\ud800"')).toBe('lone_surrogate')
  })

  it('keeps escaped pairs and NULs', () => {
    expect(parseStrictJson('["\\ud83d\\ude00","\\u0000","\\ud7ff"]').value).toEqual(['\u{1f600}', '\0', '\ud7ff'])
  })

  it('takes 64 levels and no more, however deep', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    expect(codeOf(nested(64))).toHaveProperty('value')
    expect(codeOf(nested(65))).toBe('too_deep')
    expect(codeOf(nested(200_000))).toBe('too_deep')
    expect(codeOf(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)).toBe('too_deep')
  })

  it('takes 10,000 keys in one object and no more', () => {
    const object = (keys: number) => `{${Array.from({ length: keys }, (_, key) => `"k${key}":0`).join(',')}}`
    expect(codeOf(object(10_000))).toHaveProperty('value')
    expect(codeOf(object(10_001))).toBe('too_many_keys')
    expect(codeOf(`[${object(6_000)},${object(6_000)}]`)).toHaveProperty('value')
  })

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['9223372036854775808', 9223372036854775808n],
    ['100000000000000000000', 1e20],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['820982911946154508', 820982911946154508n],
    ['1'.repeat(400), BigInt('1'.repeat(400))],
    ['1e21', 1e21],
    ['-0', -0],
    ['1.0', 1],
  ])('reads %s as %s', (text, value) => {
    expect(parseStrictJson(text).value).toBe(value)
  })

  it.each(['1e400', '-1e400', '1'.repeat(1_001), '1e99999999999'])(
    'refuses %s, which no double holds nearly',
    (text) => {
      expect(codeOf(text)).toBe('inexact_number')
    },
  )

  it('hands back the text where a double could not keep a decimal, and only there', () => {
    const text = '{"rate":0.1000000000000000055}'
    expect(parseStrictJson(text).exactText).toBe(text)
    expect(parseStrictJson('{"rate":0.30000000000000004,"id":9007199254740993}').exactText).toBeUndefined()
  })

  it('makes hostile names plain own properties', () => {
    for (const number of ['1', '9007199254740993']) {
      const text = `{"__proto__":{"polluted":true},"constructor":{"prototype":{}},"then":${number},"toJSON":1,"hasOwnProperty":2}`
      const { value } = parseStrictJson(text)
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor', 'then', 'toJSON', 'hasOwnProperty'])
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('shows nothing of the body in its errors', () => {
    const canary = '4111111111111111'
    const bodies = [`{"card":"${canary}`, `{"${canary}":1,"${canary}":2}`, `[${canary}x]`, `{"${canary}":"\\ud800"}`]
    for (const body of bodies) {
      try {
        parseStrictJson(body)
        expect.unreachable()
      } catch (error) {
        expect(`${error}${JSON.stringify(error)}`).not.toContain(canary)
      }
    }
  })
})

describe('a name with an escape', () => {
  it('is read as what it says, whatever objects were read before it', () => {
    // V8 takes the escape's backslash for the name `\\` where an object before had that name in that place.
    for (const before of ['', '"":null,', '"__proto__":null,"":null,', '"a":1,"b":2,']) {
      for (let warm = 0; warm < 5; warm++) parseStrictJson(`{${before}"\\\\":null}`)
      for (const [written, name] of [
        ['\\u0063', 'c'],
        ['\\n', '\n'],
        ['\\"', '"'],
      ]) {
        const { value } = parseStrictJson(`{${before}"${written}":null}`)
        expect(Object.keys(Object(value)).at(-1)).toBe(name)
      }
    }
  })
})

describe('a text that was passed before', () => {
  it('gives the same value as when it was passed', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc.constantFrom('0.1000000000000000055', '1e2', '12345678901234567890.5', '-0', '1E5'),
    )
    const texts = fc.tuple(
      fc.json({ maxDepth: 5 }),
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      number,
    )
    fc.assert(
      fc.property(texts, ([json, name, digits]) => {
        const text = `{${JSON.stringify(name)}:[${digits},{"deep":${digits}}],"\\u0061":${json}}`
        fc.pre(name !== 'a')
        expect(parseKeptJson(Buffer.from(text))).toEqual(parseStrictJson(text).value)
      }),
    )
    expect(parseKeptJson(Buffer.from('{"id":-9007199254740993}'))).toEqual({ id: -9007199254740993n })
  })

  it('names what is wrong with one that was spoilt since', () => {
    expect(outcome(() => parseKeptJson(Buffer.from('{"a":1')))).toBe('malformed_json')
  })
})
