import { HapaxError } from '../errors/hapax-error.ts'
import { decimalText } from './decimal-text.ts'
import { jsonPath } from './json-path.ts'
import { limits } from './limits.ts'

/** A number by its source text, for canonical forms of what no double or bigint holds. */
export class SourceNumber {
  /** Its canonical decimal, see {@link decimalText}. */
  readonly decimal: string
  constructor(decimal: string) {
    this.decimal = decimal
  }
}

/** What the careful parser found. */
export interface CarefulJson {
  readonly value: unknown
  /** Whether some number is not exactly the one that the text says. */
  readonly inexact: boolean
}

type Container = unknown[] | Record<string, unknown>

interface Frame {
  readonly container: Container
  /** The key that waits for its value; for arrays the index of the next item. */
  key: string | number
  count: number
}

/**
 * Parses JSON by hand, token by token and without recursion, and refuses what native parsing lets pass. Slower than
 * native (some 15 µs per kB): {@link parseStrictJson} comes here only for bodies that its scan could not clear.
 *
 * @param sourceNumbers numbers that a double does not hold exactly become {@link SourceNumber}s
 * @param own the text is one that JSON.stringify made: its numbers are doubles, and a lone surrogate in it is the caller's
 */
export function parseCarefully(
  text: string,
  options: { sourceNumbers?: boolean; own?: boolean; depth: number; keys: number },
): CarefulJson {
  const open: Frame[] = []
  let at = 0
  let inexact = false

  const place = (): string => jsonPath(open.map((frame) => frame.key))
  const malformed = (reason: string): HapaxError =>
    new HapaxError('malformed_json', { reason: `${reason} at character ${at}` })
  const skipSpace = (): void => {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
      at += 1
    }
  }
  const expectWord = (word: string): void => {
    if (!text.startsWith(word, at)) throw malformed('an unexpected character')
    at += word.length
  }

  const readString = (): string => {
    const start = at
    let escaped = false
    for (at += 1; ; at += 1) {
      const code = text.charCodeAt(at)
      if (code === 34) break
      // NaN is the end of the text; below a space are control characters.
      if (!(code >= 32)) throw malformed(at >= text.length ? 'a string without an end' : 'a bare control character')
      if (code === 92) {
        escaped = true
        at += 1
      }
    }
    at += 1
    if (!escaped) return text.slice(start + 1, at - 1)
    const value = decodeString(text.slice(start, at))
    if (value === undefined) throw malformed('a wrong escape in the string that ends')
    if (!options.own && !value.isWellFormed()) throw new HapaxError('lone_surrogate', { path: place() })
    return value
  }

  const skipDigits = (): void => {
    const start = at
    for (;;) {
      const code = text.charCodeAt(at)
      if (!(code >= 48 && code <= 57)) break
      at += 1
    }
    if (at === start) throw malformed('a digit is missing')
  }

  const readNumber = (): unknown => {
    const start = at
    if (text.charCodeAt(at) === 45) at += 1
    if (text.charCodeAt(at) === 48) at += 1
    else skipDigits()
    const wholeEnd = at
    if (text.charCodeAt(at) === 46) {
      at += 1
      skipDigits()
    }
    const code = text.charCodeAt(at)
    if (code === 101 || code === 69) {
      at += 1
      const sign = text.charCodeAt(at)
      if (sign === 43 || sign === 45) at += 1
      skipDigits()
    }
    const source = text.slice(start, at)
    const double = Number(source)
    if (options.own) return double
    const isWhole = at === wholeEnd
    if (source.length > limits.numberLength || (!isWhole && !Number.isFinite(double))) {
      throw new HapaxError('inexact_number', { path: place() })
    }
    if (isWhole && Number.isSafeInteger(double)) return double
    // What comes back from the double as it went in is kept by it: 2^53 is, 2^53 + 1 is not.
    const decimal = decimalText(source)
    if (Number.isFinite(double) && decimal === decimalText(String(double))) return double
    if (isWhole) return BigInt(source)
    inexact = true
    return options.sourceNumbers ? new SourceNumber(decimal) : double
  }

  const begin = (container: Container, key: string | number): undefined => {
    at += 1
    if (open.length >= options.depth) throw new HapaxError('too_deep', { limit: options.depth })
    open.push({ container, key, count: 0 })
  }

  const readKey = (frame: Frame): void => {
    if (text.charCodeAt(at) !== 34) throw malformed('a key is missing')
    frame.key = '…'
    const key = readString()
    frame.key = key
    if (Object.hasOwn(frame.container, key)) throw new HapaxError('duplicate_key', { path: place() })
    frame.count += 1
    if (frame.count > options.keys) throw new HapaxError('too_many_keys', { limit: options.keys })
    skipSpace()
    if (text.charCodeAt(at) !== 58) throw malformed('a colon is missing')
    at += 1
  }

  /** One value, or undefined where a container was opened. */
  const readScalarOrBegin = (): unknown => {
    const code = text.charCodeAt(at)
    if (code === 34) return readString()
    if (code === 123) return begin({}, '')
    if (code === 91) return begin([], 0)
    if (code === 116) return word('true', true)
    if (code === 102) return word('false', false)
    if (code === 110) return word('null', null)
    if (code === 45 || (code >= 48 && code <= 57)) return readNumber()
    throw malformed(at >= text.length ? 'the text ends' : 'an unexpected character')
  }
  const word = (spelling: string, value: boolean | null): boolean | null => {
    expectWord(spelling)
    return value
  }

  let value: unknown
  skipSpace()
  value = readScalarOrBegin()
  for (let frame = open.at(-1); frame; frame = open.at(-1)) {
    const isArray = Array.isArray(frame.container)
    skipSpace()
    if (text.charCodeAt(at) === (isArray ? 93 : 125)) {
      // A comma before the end has been refused where it stood.
      at += 1
      open.pop()
      value = frame.container
      const outer = open.at(-1)
      if (outer) put(outer, value)
      continue
    }
    const isFirst = isArray ? frame.container.length === 0 : frame.count === 0
    if (!isFirst) {
      expectWord(',')
      skipSpace()
    }
    if (!isArray) {
      readKey(frame)
      skipSpace()
    }
    const depth = open.length
    const item = readScalarOrBegin()
    if (open.length === depth) put(frame, item)
  }
  skipSpace()
  if (at < text.length) throw malformed('something follows the value')
  return { value, inexact }
}

/** As an own data property whatever its name: `__proto__` by assignment would change the prototype. */
function put(frame: Frame, value: unknown): void {
  if (Array.isArray(frame.container)) {
    frame.container.push(value)
    frame.key = frame.container.length
    return
  }
  Object.defineProperty(frame.container, frame.key, { value, writable: true, enumerable: true, configurable: true })
}

/** Native parsing of one string token: exact, and short. */
function decodeString(token: string): string | undefined {
  try {
    const value: unknown = JSON.parse(token)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
