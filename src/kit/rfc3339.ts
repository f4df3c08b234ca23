import type { Instant } from './clock.ts'

/** An instant as RFC 3339 in UTC, like `2023-11-14T22:13:20.000Z`; undefined beyond the years that it can write. */
export function toRfc3339(instant: Instant): string | undefined {
  const date = new Date(instant)
  const year = date.getUTCFullYear()
  return year >= 0 && year <= 9999 ? date.toISOString() : undefined
}

/** Whether a text is an RFC 3339 date and time. */
export function isRfc3339(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text.toUpperCase()))
  )
}
