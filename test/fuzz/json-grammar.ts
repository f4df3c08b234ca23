import fc from 'fast-check'

/** A JSON text by its grammar: what it says, and how it is written. */
export type Node =
  | { readonly kind: 'word'; readonly text: 'null' | 'true' | 'false' }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly Node[]; readonly space: string }
  | {
      readonly kind: 'object'
      readonly members: readonly (readonly [key: string, value: Node])[]
      readonly space: string
    }

const digits = (least: number, most: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: least, maxLength: most })
const sign = fc.constantFrom('', '', '-')
const whole = fc.oneof(
  { weight: 4, arbitrary: fc.nat(1_000).map(String) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...'123456789'), digits(12, 22)).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.constantFrom('0', '9007199254740991', '9007199254740992', '9007199254740993') },
)
const fraction = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: digits(1, 25).map((text) => `.${text}`) },
)
const exponent = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(1, 3))
      .map((parts) => parts.join('')),
  },
)
export const numberText: fc.Arbitrary<string> = fc.tuple(sign, whole, fraction, exponent).map((parts) => parts.join(''))

const hex = (code: number) => code.toString(16).padStart(4, '0')
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...'abcxyz 09_-') },
  { weight: 2, arbitrary: fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t') },
  { weight: 1, arbitrary: fc.nat(0xd7ff).map((code) => `\\u${hex(code)}`) },
  { weight: 1, arbitrary: fc.constantFrom('é', '日', '\u2028', '\ufeff', '😀', '\\ud83d\\ude00', '\\uD83D\\uDE00') },
  { weight: 1, arbitrary: fc.constantFrom('{', '}', '[', ']', ':', ',', '//', '\u007f') },
)
const rare = fc.oneof(
  { weight: 30, arbitrary: piece },
  { weight: 1, arbitrary: fc.constantFrom('\\ud800', '\\udfff', '\\ude00\\ud83d') },
)
/** With its quotes; some hold a lone surrogate. */
export const stringText: fc.Arbitrary<string> = fc
  .array(rare, { maxLength: 12 })
  .map((pieces) => `"${pieces.join('')}"`)

/** Few names, in several spellings: so that some come twice, and some mean more to JavaScript than data. */
const keyText = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom('"a"', '"\\u0061"', '"b"', '"__proto__"', '"constructor"', '"then"', '"toJSON"', '""'),
  },
  { weight: 3, arbitrary: stringText },
)
const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t', '  ')

/** A JSON text. */
export const node: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false').map((text): Node => ({ kind: 'word', text })),
    numberText.map((text): Node => ({ kind: 'number', text })),
    stringText.map((text): Node => ({ kind: 'string', text })),
    fc.record({ items: fc.array(tie('node'), { maxLength: 6 }), space }).map((of): Node => ({ kind: 'array', ...of })),
    fc
      .record({ members: fc.array(fc.tuple(keyText, tie('node')), { maxLength: 6 }), space })
      .map((of): Node => ({ kind: 'object', ...of })),
  ),
})).node

/** The text of a node. */
export function written(of: Node): string {
  if (of.kind === 'array') return `[${of.space}${of.items.map(written).join(`${of.space},${of.space}`)}${of.space}]`
  if (of.kind !== 'object') return of.text
  const members = of.members.map(([key, value]) => `${key}${of.space}:${of.space}${written(value)}`)
  return `{${of.space}${members.join(`${of.space},${of.space}`)}${of.space}}`
}

/** Why a strict parser must refuse it; empty where it must take it. */
export function faultsOf(of: Node): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (one: Node): void => {
    if (one.kind === 'string') visitText(one.text)
    if (one.kind === 'number' && !isKept(one.text)) found.add('inexact_number')
    if (one.kind === 'array') for (const item of one.items) visit(item)
    if (one.kind !== 'object') return
    const names = one.members.map(([key]) => String(JSON.parse(key)))
    if (new Set(names).size < names.length) found.add('duplicate_key')
    for (const [key, value] of one.members) {
      visitText(key)
      visit(value)
    }
  }
  const visitText = (text: string) => {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string' && !value.isWellFormed()) found.add('lone_surrogate')
  }
  visit(of)
  return found
}

/** The integer that a double prints as: `1e+22` is 10 ** 22. */
function printed(double: number): bigint | undefined {
  const [, digits = '', fraction = '', exponent = '0'] = /^(-?\d+)(?:\.(\d+))?(?:e\+(\d+))?$/.exec(String(double)) ?? []
  if (digits === '') return undefined
  return BigInt(digits + fraction.padEnd(Number(exponent), '0'))
}

const isWhole = (text: string) => /^-?\d+$/.test(text)
const isKept = (text: string) => isWhole(text) || Number.isFinite(Number(text))

/** Whether a value is what the node says: read by `JSON.parse` and by the digits themselves. */
export function says(of: Node, value: unknown): boolean {
  if (of.kind === 'number') {
    if (typeof value === 'bigint') return isWhole(of.text) && value === BigInt(of.text)
    // An integer comes as a number only where that number prints as it was written.
    if (isWhole(of.text) && printed(Number(of.text)) !== BigInt(of.text)) return false
    return Object.is(value, Number(of.text))
  }
  if (of.kind === 'array') {
    return (
      Array.isArray(value) && value.length === of.items.length && of.items.every((item, at) => says(item, value[at]))
    )
  }
  if (of.kind === 'object') {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false
    const members = new Map<string, unknown>(Object.entries(value))
    return (
      members.size === of.members.length &&
      of.members.every(([key, member]) => says(member, members.get(String(JSON.parse(key)))))
    )
  }
  return value === JSON.parse(of.text)
}

/** A change that may make a text invalid, or another valid one. */
export const mutation = fc.record({
  how: fc.constantFrom('delete', 'double', 'insert', 'replace', 'cut', 'swap'),
  /** Where, as a part of the length. */
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  with: fc.constantFrom(
    ...['"', "'", '\\', '{', '}', '[', ']', ',', ':', '0', '-', '+', '.', 'e', 'u', ' ', '/', '#', 'N', 't', '\u0000'],
    ...['\u001f', '\ufeff', '\u00a0', '\u2028', '\\u', '\\x41', 'NaN', '01', '/**/', '\ud800'],
  ),
})

/** The text with one change. */
export function mutated(text: string, { how, at, with: inserted }: { how: string; at: number; with: string }): string {
  const index = Math.floor(at * text.length)
  const [before, one, after] = [text.slice(0, index), text.charAt(index), text.slice(index + 1)]
  if (how === 'delete') return before + after
  if (how === 'double') return before + one + one + after
  if (how === 'insert') return before + inserted + one + after
  if (how === 'replace') return before + inserted + after
  if (how === 'swap') return before + after.slice(0, 1) + one + after.slice(1)
  return before
}
