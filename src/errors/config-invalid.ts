import { HapaxError } from './hapax-error.ts'
import { asSentence } from './sentence.ts'

/** One error for all that is wrong with a configuration: a line each, and never a secret. */
export function configInvalid(problems: readonly string[]): HapaxError {
  return new HapaxError('config_invalid', {
    problems: problems.map((problem) => `  ${asSentence(problem)}`).join('\n'),
  })
}

/** A value as a problem shows what was found. */
export function found(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? 'a list' : String(value)
}
