import type { Instant } from './clock.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `Sun, 06 Nov 1994 08:49:37 GMT`, as all send it today. */
const fixed = /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/
/** `Sunday, 06-Nov-94 08:49:37 GMT`, of RFC 850. */
const dashed = /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/
/** `Sun Nov  6 08:49:37 1994`, of C's asctime. */
const plain = /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/

/**
 * The instant of an HTTP-date, in any of its three forms (RFC 9110, section 5.6.7); undefined for another text. A year of two
 * digits that would lie more than 50 years ahead of `now` is of the century before.
 */
export function parseHttpDate(text: string, now: Instant): Instant | undefined {
  const {
    day,
    month = '',
    year = '',
    time = '',
  } = (fixed.exec(text) ?? dashed.exec(text) ?? plain.exec(text))?.groups ?? {}
  const monthIndex = months.indexOf(month)
  const [hour = 0, minute = 0, second = 0] = time.split(':').map(Number)
  const date = Number(day)
  if (monthIndex < 0 || hour > 23 || minute > 59 || second > 60) return undefined
  const at = Date.UTC(
    year.length === 2 ? fullYear(Number(year), now) : Number(year),
    monthIndex,
    date,
    hour,
    minute,
    second,
  )
  // The 31st of a shorter month is no date.
  return date >= 1 && new Date(at - second * 1_000).getUTCDate() === date ? at : undefined
}

function fullYear(year: number, now: Instant): number {
  const thisYear = new Date(now).getUTCFullYear()
  const inThisCentury = thisYear - (thisYear % 100) + year
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
}
