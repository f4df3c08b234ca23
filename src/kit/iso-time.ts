import type { Instant } from './clock.ts'

/** An instant as RFC 3339 in UTC. */
export function isoTime(at: Instant): string {
  return new Date(at).toISOString()
}

/** An instant as a Date, for those who take nothing else. */
export function dateOf(at: Instant): Date {
  return new Date(at)
}

/** An instant for people, to the second, in UTC. */
export function shortTime(at: Instant): string {
  return isoTime(at).slice(0, 19).replace('T', ' ')
}

/** The instant of a text that Date understands, or undefined. */
export function parseTime(text: string): Instant | undefined {
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}
