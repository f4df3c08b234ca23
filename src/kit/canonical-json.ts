import { HapaxError } from '../errors/hapax-error.ts'
import { parseCarefully, SourceNumber } from './careful-json.ts'
import { decimalText } from './decimal-text.ts'
import { type FieldTree, fieldAt, fieldTree } from './field-paths.ts'
import { jsonPath } from './json-path.ts'
import { limits } from './limits.ts'
import { parseStrictJson } from './strict-json.ts'

/** What goes into a canonical form. */
export interface CanonicalOptions {
  /** Dotted paths that are left out: `pending_webhooks`, `items.*.seen_at`. */
  readonly without?: readonly string[] | undefined
  /** What `parseStrictJson` gave beside the value, where a double could not keep a decimal of the text. */
  readonly exactText?: string | undefined
  /**
   * The caller has the value as JSON text, and that text holds no backslash: then no string of it needs an escape, and
   * none is looked at. Half of the time of a value of many short strings. Default false.
   */
  readonly escapeFree?: boolean
}

/**
 * The one text of a JSON value, for fingerprints: RFC 8785 (no space, keys by UTF-16 units), but numbers exact, as
 * {@link decimalText} writes them, so that 2^53 + 1 is not 2^53. A value and the text it came from give the same.
 * Undefined members are dropped, as `JSON.stringify` does.
 *
 * @param value plain objects, arrays, strings, finite numbers, bigints, booleans, null
 * @throws `value_not_json` with the path of what is none of these, cycles too; `too_deep`; `lone_surrogate`
 * @example canonicalJson({ b: 1.0, a: [-0] }) // {"a":[0],"b":1}
 */
export function canonicalJson(value: unknown, options: CanonicalOptions = {}): string {
  const root = exactValue(value, options.exactText)
  const without = options.without && options.without.length > 0 ? fieldTree(options.without) : undefined
  const text = write(root, limits.jsonDepth, without, options.escapeFree ?? false)
  if (text === undefined) throw faultOf(root)
  return text
}

/**
 * The canonical form of a JSON text: strict, see `parseStrictJson`, whose errors it throws.
 *
 * @example canonicalJsonText('{"b":1e2,"a":0.10}') // {"a":0.1,"b":100}
 */
export function canonicalJsonText(
  source: Uint8Array | string,
  options: Omit<CanonicalOptions, 'exactText'> = {},
): string {
  const { value, exactText } = parseStrictJson(source)
  return canonicalJson(value, { ...options, exactText })
}

/** What {@link canonicalFields} found. */
export interface CanonicalFields {
  /** An object of the paths with their values, canonical: `{"amount":5,"player.id":"x"}`. */
  readonly text: string
  /** Paths that lead to nothing. Do not take an identity from what lacks some: two such events would be one. */
  readonly missing: readonly string[]
}

/**
 * The canonical form of some fields alone, for an identity taken from content.
 *
 * @param paths dotted, like `player.id`
 * @throws as {@link canonicalJson}
 */
export function canonicalFields(
  value: unknown,
  paths: readonly string[],
  options: Pick<CanonicalOptions, 'exactText'> = {},
): CanonicalFields {
  const exact = exactValue(value, options.exactText)
  const fields = paths.map((path) => [path, fieldAt(exact, path)] as const)
  return {
    text: canonicalJson(Object.fromEntries(fields)),
    missing: fields.flatMap(([path, field]) => (field === undefined ? [path] : [])),
  }
}

/** The value with those numbers as {@link SourceNumber}s that it could not hold itself. */
function exactValue(value: unknown, exactText: string | undefined): unknown {
  if (exactText === undefined) return value
  return parseCarefully(exactText, { sourceNumbers: true, depth: limits.jsonDepth, keys: limits.jsonKeys }).value
}

/** Undefined: not JSON. Where and why is found out afterwards by {@link faultOf}, so that the good way keeps no path. */
function write(
  value: unknown,
  depthLeft: number,
  without: FieldTree | undefined,
  escapeFree: boolean,
): string | undefined {
  switch (typeof value) {
    case 'string':
      return escapeFree ? `"${value}"` : quote(value)
    case 'number':
      // Adding 0 makes -0 what it equals.
      return Number.isFinite(value) ? String(value + 0) : undefined
    case 'boolean':
      return value ? 'true' : 'false'
    case 'bigint':
      return decimalText(String(value))
    case 'object':
      break
    default:
      return undefined
  }
  if (value === null) return 'null'
  if (depthLeft === 0) return value instanceof SourceNumber ? value.decimal : undefined
  if (Array.isArray(value)) return writeArray(value, depthLeft - 1, without, escapeFree)
  if (isPlain(value)) return writeObject(value, depthLeft - 1, without, escapeFree)
  return value instanceof SourceNumber ? value.decimal : undefined
}

function writeArray(
  items: readonly unknown[],
  depthLeft: number,
  without: FieldTree | undefined,
  escapeFree: boolean,
): string | undefined {
  let text = '['
  for (let index = 0; index < items.length; index += 1) {
    const below = without && (without.get('*') ?? without.get(String(index)))
    if (below === true) continue
    const item = write(items[index], depthLeft, below, escapeFree)
    if (item === undefined) return undefined
    text += text.length > 1 ? `,${item}` : item
  }
  return `${text}]`
}

function writeObject(
  value: object,
  depthLeft: number,
  without: FieldTree | undefined,
  escapeFree: boolean,
): string | undefined {
  const members = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(members)
  sort(keys)
  let text = '{'
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] ?? ''
    const member = members[key]
    if (member === undefined) continue
    const below = without && (without.get(key) ?? without.get('*'))
    if (below === true) continue
    const name = escapeFree ? `"${key}"` : quote(key)
    const item = write(member, depthLeft, below, escapeFree)
    if (name === undefined || item === undefined) return undefined
    text += text.length > 1 ? `,${name}:${item}` : `${name}:${item}`
  }
  return `${text}}`
}

/** Both compare by UTF-16 units. Most objects have few keys, which insertion sorts in half the time. */
function sort(keys: string[]): void {
  if (keys.length > 32) {
    keys.sort()
    return
  }
  for (let index = 1; index < keys.length; index += 1) {
    const key = keys[index] ?? ''
    let at = index
    for (; at > 0; at -= 1) {
      const before = keys[at - 1] ?? ''
      if (before <= key) break
      keys[at] = before
    }
    keys[at] = key
  }
}

// Quotes, backslashes, controls, and surrogates, of which a lone one is no character at all.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes.
const special = /["\\\u0000-\u001f\ud800-\udfff]/

function quote(text: string): string | undefined {
  if (!special.test(text)) return `"${text}"`
  return text.isWellFormed() ? JSON.stringify(text) : undefined
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Objects of another realm (a vm context, a worker's test) have another Object.prototype, which has none itself.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

interface Place {
  readonly value: unknown
  readonly keys: readonly (string | number)[]
  readonly above: readonly unknown[]
}

/** The first thing in a value that is no JSON, as an error with its path. */
function faultOf(root: unknown): HapaxError {
  const open: Place[] = [{ value: root, keys: [], above: [] }]
  for (let place = open.pop(); place; place = open.pop()) {
    const { value, keys, above } = place
    const path = jsonPath(keys)
    if (typeof value === 'string' && !value.isWellFormed()) return new HapaxError('lone_surrogate', { path })
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return new HapaxError('value_not_json', { path, found: String(value) })
    }
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
      return new HapaxError('value_not_json', { path, found: typeof value })
    }
    if (typeof value !== 'object' || value === null || value instanceof SourceNumber) continue
    if (above.includes(value)) return new HapaxError('value_not_json', { path, found: 'a cycle' })
    const isArray = Array.isArray(value)
    if (!isArray && !isPlain(value)) {
      return new HapaxError('value_not_json', {
        path,
        found: `an instance of ${value.constructor?.name ?? 'no class'}`,
      })
    }
    // A cycle shows itself one round later than the limit at the latest: its length is at most the limit.
    if (above.length > 2 * limits.jsonDepth) return new HapaxError('too_deep', { limit: limits.jsonDepth })
    const below = [...above, value]
    if (isArray) {
      for (let index = value.length - 1; index >= 0; index -= 1) {
        open.push({ value: value[index], keys: [...keys, index], above: below })
      }
      continue
    }
    for (const [key, member] of Object.entries(value).reverse()) {
      if (!key.isWellFormed()) return new HapaxError('lone_surrogate', { path: jsonPath([...keys, key]) })
      if (member !== undefined) open.push({ value: member, keys: [...keys, key], above: below })
    }
  }
  return new HapaxError('too_deep', { limit: limits.jsonDepth })
}
