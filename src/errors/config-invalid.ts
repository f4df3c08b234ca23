import { HapaxError } from './hapax-error.ts'
import { asSentence } from './sentence.ts'

/** One error for all that is wrong with a configuration: a line each, and never a secret. */
export function configInvalid(problems: readonly string[]): HapaxError {
  return new HapaxError('config_invalid', {
    problems: problems.map((problem) => `  ${asSentence(problem)}`).join('\n'),
  })
}

/** A value as a problem shows what was found: options are code, and may hold what no text can be made of. */
export function found(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return 'a list'
  const isShown = value === null || ['number', 'boolean', 'undefined', 'bigint'].includes(typeof value)
  return isShown ? String(value) : `a value of type ${typeof value}`
}
