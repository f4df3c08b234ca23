import { HapaxError } from '../errors/hapax-error.ts'
import { parseForm } from '../kit/form.ts'
import { parseStrictJson } from '../kit/strict-json.ts'
import type { JsonRecord, RawRequest, Refusal } from './source.ts'

/** A body, parsed. */
export interface ReadBody {
  readonly ok: true
  readonly data: unknown
  readonly exactText: string | undefined
  /** Media type without parameters, in lower case. */
  readonly contentType: string
}

/**
 * Parses a verified body by its media type: JSON strictly, a form as a string map, anything else stays bytes (data is
 * undefined). Without a content-type it is taken for JSON, which is what providers send.
 */
export function readBody(request: RawRequest): ReadBody | Refusal {
  const contentType = mediaTypeOf(request.headers['content-type'])
  try {
    if (contentType === 'application/json' || contentType.endsWith('+json')) {
      const { value, exactText } = parseStrictJson(request.body)
      return { ok: true, data: value, exactText, contentType }
    }
    const isForm = contentType === 'application/x-www-form-urlencoded'
    return { ok: true, data: isForm ? parseForm(request.body) : undefined, exactText: undefined, contentType }
  } catch (error) {
    if (error instanceof HapaxError) return { ok: false, code: error.code, details: error.details }
    throw error
  }
}

/** What a source event takes over from its body. */
export function bodyOf(read: ReadBody): { data: unknown; contentType: string; exactText?: string } {
  const { data, contentType, exactText } = read
  return exactText === undefined ? { data, contentType } : { data, contentType, exactText }
}

/** Whether a body is an object, whose members may be read. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as an id or a type: a text, or a whole number as its digits; undefined for all else and for ''. */
export function nameOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value)
  return undefined
}

function mediaTypeOf(header: string | undefined): string {
  const type = (header ?? '').split(';', 1)[0]?.trim().toLowerCase()
  return type || 'application/json'
}
