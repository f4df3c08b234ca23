import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../kit/byte-order.ts'
import { limits } from '../kit/limits.ts'
import { versionOf, versionText } from './version-order.ts'

const seed = 20_260_711

/** Negative, 0 or positive, as the versions themselves are in order. */
function expected(one: number | bigint | string, other: number | bigint | string): number {
  if (typeof one === 'string' || typeof other === 'string') {
    if (typeof one === 'string' && typeof other === 'string') return Math.sign(compareBytes(one, other))
    return typeof one === 'string' ? 1 : -1
  }
  // Between a double and a bigint JavaScript compares without rounding.
  return one < other ? -1 : one > other ? 1 : 0
}

const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(
    0,
    -0,
    5e-324,
    -5e-324,
    2 ** -1022,
    2 ** 53,
    2 ** 53 + 2,
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    0.1,
    0.5,
  ),
)
const bigints = fc.oneof(fc.bigInt({ min: -(1n << 1023n), max: 1n << 1023n }), fc.bigInt({ min: -20n, max: 20n }))
const texts = fc.oneof(
  fc.string({ maxLength: 8, unit: 'binary' }),
  fc.string({ maxLength: 4, unit: fc.constantFrom('\u0000', '\u0001', '\u0002', 'a', '~', '\u{1f600}', '\uffee') }),
)
const versions = fc.oneof(numbers, bigints, texts)

describe('the text of a version', () => {
  it('is in the order of versions: numbers by value, before texts by bytes', () => {
    fc.assert(
      fc.property(versions, versions, (one, other) => {
        const [first, second] = [versionText(one), versionText(other)]
        if (first === undefined || second === undefined) throw new Error('each of these is a version')
        expect(Math.sign(compareBytes(first, second))).toBe(expected(one, other))
      }),
      { seed, numRuns: 5_000 },
    )
  })

  it('says the version again; of a whole number that no double holds, its digits', () => {
    fc.assert(
      fc.property(versions, (version) => {
        const said = versionOf(versionText(version) ?? '')
        if (typeof version !== 'bigint') expect(said).toBe(version === 0 ? 0 : version)
        else expect(said).toBe(BigInt(Number(version)) === version ? Number(version) : String(version))
      }),
      { seed, numRuns: 5_000 },
    )
  })

  it('holds nothing that a database does not keep in a text', () => {
    fc.assert(
      fc.property(versions, (version) => {
        const text = versionText(version) ?? '\u0000'
        expect(text.isWellFormed() && !text.includes('\u0000')).toBe(true)
      }),
      { seed },
    )
  })

  it('takes a date as its milliseconds', () => {
    const at = 1_764_000_000_000
    expect(versionText(new Date(at))).toBe(versionText(at))
  })

  it.each<[string, unknown]>([
    ['no number', Number.NaN],
    ['an endless one', Number.POSITIVE_INFINITY],
    ['no date', new Date(Number.NaN)],
    ['a bigint beyond all doubles', 1n << 1024n],
    ['a text that is too long', 'é'.repeat(limits.idBytes / 2 + 1)],
    ['half a character', '\ud83d'],
    ['nothing', undefined],
    ['null', null],
    ['an object', { valueOf: () => 1 }],
    ['true', true],
  ])('there is none of %s', (_what, version) => expect(versionText(version)).toBeUndefined())
})
