import type { Instant } from './clock.ts'

/** The last one that was written: events of one second are many, and a Date takes 2 µs. */
let last: { readonly instant: Instant; readonly text: string | undefined } = { instant: Number.NaN, text: undefined }

/** An instant as RFC 3339 in UTC, like `2023-11-14T22:13:20.000Z`; undefined beyond the years that it can write. */
export function toRfc3339(instant: Instant): string | undefined {
  if (instant === last.instant) return last.text
  const date = new Date(instant)
  const year = date.getUTCFullYear()
  const text = year >= 0 && year <= 9999 ? date.toISOString() : undefined
  last = { instant, text }
  return text
}

/** Whether a text is an RFC 3339 date and time. */
export function isRfc3339(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text.toUpperCase()))
  )
}
