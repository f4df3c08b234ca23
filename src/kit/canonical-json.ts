import { HapaxError } from '../errors/hapax-error.ts'
import { isPlain, writeCanonical } from './canonical-writer.ts'
import { parseCarefully, SourceNumber } from './careful-json.ts'
import { fieldAt, fieldTree } from './field-paths.ts'
import { jsonPath } from './json-path.ts'
import { limits } from './limits.ts'
import { parseStrictJson } from './strict-json.ts'

/** What goes into a canonical form. */
export interface CanonicalOptions {
  /** Dotted paths that are left out: `pending_webhooks`, `items.*.seen_at`. */
  readonly without?: readonly string[] | undefined
  /** What `parseStrictJson` gave beside the value, where a double could not keep a decimal of the text. */
  readonly exactText?: string | undefined
}

/**
 * The one text of a JSON value, for fingerprints: RFC 8785 (no space, keys by UTF-16 units), but numbers exact, as
 * `decimalText` writes them, so that 2^53 + 1 is not 2^53. A value and the text it came from give the same.
 * Undefined members are dropped, as `JSON.stringify` does.
 *
 * @param value plain objects, arrays, strings, finite numbers, bigints, booleans, null
 * @throws `value_not_json` with the path of what is none of these, cycles too; `too_deep`; `lone_surrogate`
 * @example canonicalJson({ b: 1.0, a: [-0] }) // {"a":[0],"b":1}
 */
export function canonicalJson(value: unknown, options: CanonicalOptions = {}): string {
  return canonicalBytes(value, options).toString('utf8')
}

/**
 * The same as UTF-8, for who hashes it.
 *
 * @throws as {@link canonicalJson}
 */
export function canonicalBytes(value: unknown, options: CanonicalOptions = {}): Buffer {
  const root = exactValue(value, options.exactText)
  const without = options.without && options.without.length > 0 ? fieldTree(options.without) : undefined
  const bytes = writeCanonical(root, limits.jsonDepth, without)
  if (bytes === undefined) throw faultOf(root)
  return bytes
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
