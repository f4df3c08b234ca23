import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'
import { isRate, type Rate } from '../kit/rate.ts'

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * One value of a request: what the document says of it and what reads it, in one place, so that they cannot part.
 * `read` gets a string from a query or path, or any JSON from a body.
 */
export interface Field<T> {
  readonly schema: JsonSchema
  readonly required: boolean
  read(value: unknown, name: string): T
}

// biome-ignore lint/suspicious/noExplicitAny: what a field reads to is kept by inference in Values.
export type Fields = Readonly<Record<string, Field<any>>>

/** What a set of fields reads to. */
export type Values<F extends Fields> = { readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never }

/** A field that may be left out. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    schema: field.schema,
    required: false,
    read: (value, name) => (value === undefined ? undefined : field.read(value, name)),
  }
}

/** Text of 1 to `most` characters. */
export function text(description: string, most: number): Field<string> {
  return {
    schema: { type: 'string', minLength: 1, maxLength: most, description },
    required: true,
    read(value, name) {
      if (typeof value !== 'string' || value === '' || value.length > most) {
        throw invalid(`${name} is text of 1 to ${most} characters`)
      }
      return value
    },
  }
}

/** A whole number; from a query, its digits. */
export function integer(description: string, least: number, most: number): Field<number> {
  return {
    schema: { type: 'integer', minimum: least, maximum: most, description },
    required: true,
    read(value, name) {
      const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most) {
        throw invalid(`${name} is a whole number from ${least} to ${most}`)
      }
      return number
    },
  }
}

const rateLength = 32

/** How often something may happen, as text. */
export function rate(description: string): Field<Rate> {
  return {
    schema: {
      type: 'string',
      pattern: '^(?=.*[1-9])\\d+(\\.\\d+)?/[smhd]$',
      maxLength: rateLength,
      description,
      examples: ['100/s', '5/m', '2.5/h'],
    },
    required: true,
    read(value, name) {
      if (typeof value === 'string' && value.length <= rateLength && isRate(value)) return value
      throw invalid(`${name} is how often, like '100/s' or '5/m'`)
    },
  }
}

/** `true` or `false`. */
export function flag(description: string): Field<boolean> {
  return {
    schema: { type: 'boolean', description },
    required: true,
    read(value, name) {
      if (value === true || value === 'true') return true
      if (value === false || value === 'false') return false
      throw invalid(`${name} is true or false`)
    },
  }
}

/** Exactly `true`: said or left out. */
export function only(description: string): Field<true> {
  return {
    schema: { const: true, description },
    required: true,
    read(value, name) {
      if (value === true) return true
      throw invalid(`${name} is true, or left out`)
    },
  }
}

/** One of these words. */
export function choice<const Word extends string>(description: string, words: readonly Word[]): Field<Word> {
  return {
    schema: { type: 'string', enum: words, description },
    required: true,
    read(value, name) {
      const word = words.find((candidate) => candidate === value)
      if (word === undefined) throw invalid(`${name} is one of: ${words.join(', ')}`)
      return word
    },
  }
}

/** Several of these words, separated by commas. */
export function choices<const Word extends string>(description: string, words: readonly Word[]): Field<Word[]> {
  const one = choice(description, words)
  return {
    schema: { type: 'string', pattern: `^(${words.join('|')})(,(${words.join('|')}))*$`, description },
    required: true,
    read(value, name) {
      if (typeof value !== 'string') throw invalid(`${name} is a list separated by commas`)
      return [...new Set(value.split(',').map((word) => one.read(word, name)))]
    },
  }
}

/** Any JSON. */
export function json(description: string): Field<unknown> {
  return { schema: { description }, required: false, read: (value) => value }
}

const instantMost = 8_640_000_000_000_000

/** A time: milliseconds since the Unix epoch. */
export function instant(description: string): Field<number> {
  return integer(`${description} Milliseconds since the Unix epoch.`, 0, instantMost)
}

/** Why an operator does it: on record with the verb. */
export function reason(verb: string): Field<string> {
  return {
    schema: { type: 'string', minLength: 1, maxLength: limits.reasonLength, description: 'Why: kept on record.' },
    required: true,
    read(value) {
      if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) {
        throw new HapaxError('reason_required', { verb })
      }
      if (typeof value !== 'string' || value.length > limits.reasonLength) {
        throw invalid(`reason is text of at most ${limits.reasonLength} characters`)
      }
      return value
    },
  }
}

/**
 * Reads all fields of a query or body.
 *
 * @throws `invalid_query` for what does not fit and for what is not listed: a misspelt filter must not widen a search.
 */
export function readFields<F extends Fields>(fields: F, given: ReadonlyMap<string, unknown>): Values<F> {
  for (const name of given.keys()) {
    if (!Object.hasOwn(fields, name)) {
      const known = Object.keys(fields)
      throw invalid(known.length === 0 ? 'nothing is taken here' : `only these are taken: ${known.join(', ')}`)
    }
  }
  const values: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = given.get(name)
    if (value === undefined && field.required && !isReason(name)) throw invalid(`${name} is missing`)
    values[name] = field.read(value, name)
  }
  // Each name of F was read by its own field just now.
  return values as Values<F>
}

/** A missing reason has a code of its own. */
function isReason(name: string): boolean {
  return name === 'reason'
}

/** The values that are there: what is left out is absent, not undefined. */
export function present<T extends object>(values: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as { [Name in keyof T]?: Exclude<T[Name], undefined> }
}

function invalid(reason: string): HapaxError {
  return new HapaxError('invalid_query', { reason })
}
