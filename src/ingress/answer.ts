import { type Problem, problemOf, problemType } from '../errors/problem.ts'
import { jsonText } from '../kit/json-text.ts'
import { limits } from '../kit/limits.ts'

/** An HTTP answer, before any server has it. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** A value as JSON. */
export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...jsonHeaders, ...headers }, body: jsonText(value) }
}

/** An error as a problem document (RFC 9457), with the headers that its status asks for (RFC 9110). */
export function failureAnswer(error: unknown): Answer {
  const problem = problemOf(error)
  return {
    status: problem.status,
    headers: { 'content-type': problemType, 'cache-control': 'no-store', ...headersOf(problem) },
    body: JSON.stringify(problem),
  }
}

function headersOf({ status, details }: Problem): Record<string, string> {
  if (status === 429 || status === 503) return { 'retry-after': String(limits.retryAfterSeconds) }
  if (status === 401) return { 'www-authenticate': 'Signature' }
  if (status === 405) return { allow: String(details.allow) }
  return {}
}
