import { found } from '../errors/config-invalid.ts'
import { durationMs } from './duration.ts'
import { limits } from './limits.ts'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** What a name is made of, in a sentence. */
export const names = `1 to ${limits.nameLength} letters, digits, dots, dashes or underscores`

/** Whether it may be the name of a handler or a dependency. */
export function isName(name: unknown): boolean {
  return typeof name === 'string' && namePattern.test(name) && name.length <= limits.nameLength
}

/** What is wrong with a span that may be left out. */
export function spanProblems(option: string, value: unknown, leastMs: number): string[] {
  if (value === undefined) return []
  const ms = durationMs(value)
  if (ms !== undefined && ms >= leastMs) return []
  const wanted = leastMs > 0 ? `a duration of ${leastMs} ms or more` : 'a duration'
  return [`${option}: wanted ${wanted}, like '10s', found ${found(value)}`]
}

/** What is wrong with a count of one or more that may be left out. */
export function countProblems(option: string, value: unknown): string[] {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) >= 1)) return []
  return [`${option}: wanted a whole number of 1 or more, found ${found(value)}`]
}
