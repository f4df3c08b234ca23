import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HapaxError } from '../../src/errors/hapax-error.ts'
import { canonicalJson, canonicalJsonText } from '../../src/kit/canonical-json.ts'
import { limits } from '../../src/kit/limits.ts'
import { parseStrictJson } from '../../src/kit/strict-json.ts'
import { cases, seed } from './fuzz-run.ts'
import { faultsOf, mutated, mutation, type Node, node, says, written } from './json-grammar.ts'

/** The code of what it throws; anything but a code of the catalogue is a bug. */
function codeOf(body: () => unknown): string | undefined {
  try {
    body()
    return undefined
  } catch (error) {
    if (error instanceof HapaxError) return error.code
    throw error
  }
}

const parse = (text: string) => parseStrictJson(text).value
const bytes = (text: string) => parseStrictJson(Buffer.from(text)).value
const isNative = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
/** What I-JSON refuses of what is JSON. */
const refusals = ['duplicate_key', 'lone_surrogate', 'inexact_number', 'too_deep', 'too_many_keys']

describe(`strict JSON (seed ${seed})`, () => {
  it('reads what the grammar makes as its parts say, or refuses it for what is wrong with it', () => {
    fc.assert(
      fc.property(node, (one) => {
        const text = written(one)
        const faults = faultsOf(one)
        for (const read of [parse, bytes]) {
          if (faults.size === 0) expect(says(one, read(text))).toBe(true)
          else expect(faults).toContain(codeOf(() => read(text)))
        }
      }),
      cases(3_000),
    )
  })

  it('takes nothing that JSON.parse refuses, and says of the rest the same', () => {
    fc.assert(
      fc.property(node, fc.array(mutation, { minLength: 1, maxLength: 3 }), (one, changes) => {
        const text = changes.reduce(mutated, written(one))
        const code = codeOf(() => parse(text))
        if (code === undefined) {
          const value = parse(text)
          // Numbers are compared by the property above: here a bigint may stand for what a double lost.
          expect(shapeOf(value)).toEqual(shapeOf(JSON.parse(text)))
        } else if (isNative(text)) expect(refusals).toContain(code)
        else expect([...refusals, 'malformed_json', 'invalid_utf8']).toContain(code)
      }),
      cases(5_000),
    )
  })

  it('refuses bytes that are no UTF-8, wherever they stand', () => {
    const wrong = fc.constantFrom(
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0x80],
      [0xe2, 0x82],
    )
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.nat(20), wrong, (text, at, broken) => {
        const good = Buffer.from(JSON.stringify({ text }))
        const bad = Buffer.concat([good.subarray(0, at), Buffer.from(broken), good.subarray(at)])
        expect(['invalid_utf8', 'malformed_json']).toContain(codeOf(() => parseStrictJson(bad)))
      }),
      cases(1_000),
    )
  })

  it('repeats nothing of a body in an error', () => {
    fc.assert(
      fc.property(node, fc.array(mutation, { minLength: 1, maxLength: 2 }), (one, changes) => {
        const text = `{"canary-of-a-key":${changes.reduce(mutated, `["canary-of-a-value",${written(one)}]`)}}`
        try {
          parse(text)
        } catch (error) {
          if (!(error instanceof HapaxError)) throw error
          expect(JSON.stringify([error.message, error.details])).not.toContain('canary-of-a-value')
        }
      }),
      cases(1_000),
    )
  })

  it('refuses depth and keys at the limits exactly', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    const keys = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [at, 0])))
    expect(codeOf(() => parse(nested(limits.jsonDepth)))).toBeUndefined()
    expect(codeOf(() => parse(nested(limits.jsonDepth + 1)))).toBe('too_deep')
    expect(codeOf(() => parse(keys(limits.jsonKeys)))).toBeUndefined()
    expect(codeOf(() => parse(keys(limits.jsonKeys + 1)))).toBe('too_many_keys')
  })
})

describe(`canonical JSON (seed ${seed})`, () => {
  const clean = node.filter((one) => faultsOf(one).size === 0)

  it('is one text however a value is written: spaces, the order of keys, escapes', () => {
    fc.assert(
      fc.property(clean, fc.infiniteStream(fc.nat()), (one, picks) => {
        const shuffled = rewritten(one, () => picks.next().value ?? 0)
        expect(canonicalJsonText(written(shuffled))).toBe(canonicalJsonText(written(one)))
      }),
      cases(2_000),
    )
  })

  it('is its own canonical text, and says the same value', () => {
    fc.assert(
      fc.property(clean, (one) => {
        const text = canonicalJsonText(written(one))
        expect(canonicalJsonText(text)).toBe(text)
        expect(canonicalJsonText(Buffer.from(text))).toBe(text)
        expect(shapeOf(JSON.parse(text))).toEqual(shapeOf(JSON.parse(written(one))))
      }),
      cases(2_000),
    )
  })

  it('is the text of RFC 8785 where doubles are enough', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value)
        if (!isWellFormed(value)) return
        expect(canonicalJsonText(text)).toBe(reference(value))
        expect(canonicalJson(value)).toBe(reference(value))
      }),
      cases(300),
    )
  })

  it('tells two values apart, however near: integers past 2^53, long decimals', () => {
    const near = fc.tuple(fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }), fc.bigInt({ min: 1n, max: 3n }))
    fc.assert(
      fc.property(near, fc.constantFrom('', '0.', '1.'), ([big, by], prefix) => {
        // As integers, or as the digits of a decimal; a trailing zero would be the same decimal.
        const [one, other] = [`${prefix}${big}1`, `${prefix}${big + by}1`]
        expect(canonicalJsonText(`[${one}]`)).not.toBe(canonicalJsonText(`[${other}]`))
      }),
      cases(1_000),
    )
  })

  it('refuses every value that is no JSON, with its path', () => {
    const strange = fc.constantFrom<unknown>(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      () => 1,
      Symbol('x'),
      new Date(0),
      new Map(),
      /x/,
      '\ud800',
    )
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 3 }),
        strange,
        fc.array(fc.jsonValue()),
        (before, one, after) => {
          const code = codeOf(() => canonicalJson({ list: [...before.filter(isWellFormed), one, ...after] }))
          expect(['value_not_json', 'lone_surrogate']).toContain(code)
        },
      ),
      cases(500),
    )
  })
})

/** The same value, written another way. */
function rewritten(of: Node, pick: () => number): Node {
  const space = ['', ' ', '\n\t'][pick() % 3] ?? ''
  if (of.kind === 'array') return { ...of, space, items: of.items.map((item) => rewritten(item, pick)) }
  if (of.kind === 'object') {
    const members = of.members.map(([key, value]) => [respelt(key, pick()), rewritten(value, pick)] as const)
    return {
      ...of,
      space,
      members: members
        .map((member) => ({ member, at: pick() }))
        .sort((a, b) => a.at - b.at)
        .map(({ member }) => member),
    }
  }
  if (of.kind === 'string') return { ...of, text: respelt(of.text, pick()) }
  return of
}

/** A string as JSON.stringify spells it, or every unit of it escaped. */
function respelt(text: string, how: number): string {
  const value = String(JSON.parse(text))
  if (how % 3 === 0) return text
  if (how % 3 === 1) return JSON.stringify(value)
  const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at).toString(16).padStart(4, '0'))
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}

/** A value with its numbers as doubles, as JSON.parse has them. */
function shapeOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value
  return new Map(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]))
}

function isWellFormed(value: unknown): boolean {
  return (JSON.stringify(value) ?? '').search(/\\u(?:d[89a-f])/i) < 0
}

/** RFC 8785 in five lines. */
function reference(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(reference).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(Object.is(value, -0) ? 0 : value)
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${reference(member)}`).join(',')}}`
}
