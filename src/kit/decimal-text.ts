import { HapaxError } from '../errors/hapax-error.ts'

/** Exponents of more digits than this are refused: no double comes near, and adding to them must stay exact. */
const exponentDigits = 9

/**
 * The one text of a decimal number, exact however long it is: laid out as ECMAScript prints numbers (RFC 8785), so that
 * a number that a double holds gives what `String(double)` gives. `1.0` is `1`, `-0` is `0`, `1e2` is `100`, and
 * `9007199254740993` stays what it is.
 *
 * @param source a number as JSON writes it
 * @throws `inexact_number` where the exponent has more than nine digits
 */
export function decimalText(source: string): string {
  const negative = source.startsWith('-')
  const exponentAt = source.search(/[eE]/)
  const mantissa = source.slice(negative ? 1 : 0, exponentAt < 0 ? undefined : exponentAt)
  const pointAt = mantissa.indexOf('.')
  const whole = pointAt < 0 ? mantissa : mantissa.slice(0, pointAt)
  const all = pointAt < 0 ? mantissa : whole + mantissa.slice(pointAt + 1)
  const first = firstNonZero(all)
  if (first === all.length) return '0'
  const digits = all.slice(first, afterLastNonZero(all))
  const point = whole.length - first + (exponentAt < 0 ? 0 : exponentOf(source.slice(exponentAt + 1)))
  return (negative ? '-' : '') + layOut(digits, point)
}

/** `point` digits stand before the decimal point; the rule is that of ECMAScript's Number::toString. */
function layOut(digits: string, point: number): string {
  if (digits.length <= point && point <= 21) return digits + '0'.repeat(point - digits.length)
  if (0 < point && point <= 21) return `${digits.slice(0, point)}.${digits.slice(point)}`
  if (-6 < point && point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  const exponent = point - 1
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  return `${digits.charAt(0)}${fraction}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}

function exponentOf(text: string): number {
  const bare = text.replace(/^[+-]?0*/, '')
  if (bare.length > exponentDigits) throw new HapaxError('inexact_number', { path: '$' })
  return text.startsWith('-') ? -Number(bare) : Number(bare)
}

// By hand: a regular expression over a body of a million zeros would try each of them as a beginning.
function firstNonZero(digits: string): number {
  let at = 0
  while (at < digits.length && digits.charCodeAt(at) === 48) at += 1
  return at
}

function afterLastNonZero(digits: string): number {
  let at = digits.length
  while (at > 0 && digits.charCodeAt(at - 1) === 48) at -= 1
  return at
}
