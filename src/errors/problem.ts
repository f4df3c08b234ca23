import { catalogue, type ErrorCode } from './catalogue.ts'
import { type ErrorDetails, HapaxError, sentenceOf } from './hapax-error.ts'

/** The media type of {@link Problem} (RFC 9457). */
export const problemType = 'application/problem+json'

/** How an error looks over HTTP: RFC 9457 with a stable `code`. Never echoes input, never holds a stack. */
export interface Problem {
  /** A name for the kind of problem; not an address to be fetched. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** What failed, what was wanted, what was found. */
  readonly detail: string
  readonly code: ErrorCode
  /** What the reader can do about it. */
  readonly cure: string
  /** The values in the sentence. */
  readonly details: ErrorDetails
}

/** The problem document of an error; whatever is no {@link HapaxError} is `internal`, and says nothing of itself. */
export function problemOf(error: unknown): Problem {
  const known = error instanceof HapaxError ? error : new HapaxError('internal')
  return {
    type: `urn:hapax:error:${known.code}`,
    title: known.code.replaceAll('_', ' '),
    status: known.status,
    detail: sentenceOf(known),
    code: known.code,
    cure: known.cure,
    details: known.details,
  }
}

/** The error that a problem document tells of, or undefined where the value is none. */
export function errorOf(value: unknown): HapaxError | undefined {
  if (typeof value !== 'object' || value === null || !('code' in value)) return undefined
  const { code } = value
  if (typeof code !== 'string' || !isErrorCode(code)) return undefined
  return new HapaxError(code, 'details' in value ? detailsOf(value.details) : {})
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalogue, code)
}

function detailsOf(value: unknown): ErrorDetails {
  if (typeof value !== 'object' || value === null) return {}
  const details: Record<string, string | number | boolean> = {}
  for (const [name, detail] of Object.entries(value)) {
    if (typeof detail === 'string' || typeof detail === 'number' || typeof detail === 'boolean') details[name] = detail
  }
  return details
}
