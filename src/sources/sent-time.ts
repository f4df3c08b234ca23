import { isRfc3339 } from '../kit/rfc3339.ts'

/** A sender's own time of an event, where it is one. */
export function timeOf(value: unknown): string | undefined {
  return typeof value === 'string' && isRfc3339(value) ? value : undefined
}
