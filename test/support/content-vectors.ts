import { readFileSync } from 'node:fs'

/** A number's text, and the text that its canonical form has. */
export const numberVectors: readonly (readonly [source: string, canonical: string])[] = [
  ['9007199254740993', '9007199254740993'],
  ['1.0', '1'],
  ['-0', '0'],
  ['-0.0e7', '0'],
  ['1e2', '100'],
  ['0.1000000000000000055', '0.1000000000000000055'],
  ['333333333.33333329', '333333333.33333329'],
  ['1e21', '1e+21'],
  ['1000000000000000000000', '1e+21'],
  ['0.1e-6', '1e-7'],
  ['120.500', '120.5'],
  ['1e-400', '1e-400'],
]

/** Two contents of one identity, and how the second is judged. */
export interface ContentVector {
  readonly name: string
  readonly one: string | Uint8Array
  readonly other: string | Uint8Array
  readonly contentType?: string
  readonly otherType?: string
  readonly outcome: 'duplicate' | 'conflict'
  /** Left out of the fingerprint by its source. */
  readonly without?: readonly string[]
}

const same = (name: string, one: string, other: string): ContentVector => ({ name, one, other, outcome: 'duplicate' })
const differs = (name: string, one: string, other: string): ContentVector => ({ name, one, other, outcome: 'conflict' })

/** What is one content, and what is not (DESIGN section 2, fingerprint). */
export const contentVectors: readonly ContentVector[] = [
  ...numberVectors.map(([source, canonical]) =>
    same(`${source} and ${canonical}`, `{"n":${source}}`, `{"n":${canonical}}`),
  ),
  same('space', '{"a":1,"b":[1,2]}', ' { "a" : 1,\n\t"b": [ 1 , 2 ] }\r\n'),
  same('members in another order', '{"b":1,"a":{"d":1,"c":2}}', '{"a":{"c":2,"d":1},"b":1}'),
  same('members by UTF-16 units', '{"\u{1f600}":1,"\ufb33":2}', '{"\ufb33":2,"\u{1f600}":1}'),
  same('escapes', '{"a":"\\u00fc\\/\\u0041"}', '{"a":"ü/A"}'),
  same('an escaped pair', '"\\ud83d\\ude00"', '"\u{1f600}"'),
  same('an escaped NUL', '"\\u0000"', '"\\u0000" '),
  same('an escaped name', '{"\\u0061":1}', '{"a":1}'),
  same('names of prototypes', '{"__proto__":1,"then":2}', '{"then":2,"__proto__":1}'),
  differs('2^53 + 1 and 2^53', '{"n":9007199254740993}', '{"n":9007199254740992}'),
  differs('a decimal beyond a double', '{"n":0.1000000000000000055}', '{"n":0.1}'),
  differs('a text and a number', '{"n":"1"}', '{"n":1}'),
  differs('null and nothing', '{"a":null}', '{}'),
  differs('items in another order', '[1,2]', '[2,1]'),
  differs('another form of Unicode', '"\u00fc"', '"u\u0308"'),
  differs('another value', '{"total":5}', '{"total":6}'),
  {
    name: 'JSON by suffix',
    one: '{"a":1.0}',
    other: '{"a":1}',
    contentType: 'application/x+json',
    outcome: 'duplicate',
  },
  {
    name: 'the same form',
    one: 'a=1&b=2',
    other: 'a=1&b=2',
    contentType: 'application/x-www-form-urlencoded',
    outcome: 'duplicate',
  },
  {
    name: 'a form in another order',
    one: 'a=1&b=2',
    other: 'b=2&a=1',
    contentType: 'application/x-www-form-urlencoded',
    outcome: 'conflict',
  },
  {
    name: 'the same bytes',
    one: Uint8Array.of(0, 39, 92, 255),
    other: Uint8Array.of(0, 39, 92, 255),
    contentType: 'application/octet-stream',
    outcome: 'duplicate',
  },
  { name: 'no bytes', one: '', other: '', contentType: 'text/plain', outcome: 'duplicate' },
  {
    name: 'other bytes',
    one: Uint8Array.of(0, 1),
    other: Uint8Array.of(0, 2),
    contentType: 'application/octet-stream',
    outcome: 'conflict',
  },
  {
    name: 'canonical JSON and the same bytes as a text',
    one: '{"a":1}',
    other: '{"a":1}',
    otherType: 'text/plain',
    outcome: 'duplicate',
  },
  {
    name: 'JSON and the same bytes as a text',
    one: '{"a": 1}',
    other: '{"a": 1}',
    otherType: 'text/plain',
    outcome: 'conflict',
  },
  {
    name: 'a field that resends change',
    one: '{"a":1,"pending":2}',
    other: '{"pending":1,"a":1}',
    without: ['pending'],
    outcome: 'duplicate',
  },
  {
    name: 'another field beside it',
    one: '{"a":1,"pending":2}',
    other: '{"pending":2,"a":2}',
    without: ['pending'],
    outcome: 'conflict',
  },
]

/** What providers send, sent again: JSON with other space around it. */
export const signedBodies: readonly ContentVector[] = providerBodies().map(({ id, body }) => {
  const name = `the body of ${id}`
  return isJson(body)
    ? { name, one: body, other: ` ${body}\n`, outcome: 'duplicate' }
    : { name, one: body, other: body, contentType: 'text/plain', outcome: 'duplicate' }
})

function providerBodies(): readonly { readonly id: string; readonly body: string }[] {
  const file = new URL('../../src/sources/fixtures/vectors.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).vectors
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
