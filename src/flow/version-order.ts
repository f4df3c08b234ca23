import { types } from 'node:util'
import { limits } from '../kit/limits.ts'

/** Exponents of doubles, from the least subnormal on, are from 1 on: four digits. */
const exponentOffset = 1_075
const mostExponent = 1_023
const exponentDigits = 4

/** Significant bits of a double. */
const doubleBits = 53

/** A magnitude above 0: `mantissa` times 2 to the `exponent`. */
interface Magnitude {
  readonly mantissa: bigint
  readonly exponent: number
}

/**
 * A version as text whose order in bytes is the order of versions: numbers by their value, a bigint and a Date (its
 * milliseconds) among them, before texts; texts by their bytes. Equal versions have the same text.
 *
 * @returns undefined for what is no version: no finite number, a bigint of 2^1024 or more, a text of more than 255 bytes or that is
 * no Unicode, anything else.
 * @example versionText(9)! < versionText(10)!
 */
export function versionText(version: unknown): string | undefined {
  if (typeof version === 'string') return textOfText(version)
  if (types.isDate(version)) return textOfNumber(version.getTime())
  if (typeof version === 'number') return textOfNumber(version)
  if (typeof version === 'bigint') return textOf(version < 0n, { mantissa: magnitudeOf(version), exponent: 0 })
  return undefined
}

/** The version that a text of {@link versionText} says: a whole number that no double holds as the text of its digits. */
export function versionOf(text: string): number | string {
  if (text.startsWith('s')) return unescaped(text.slice(1))
  const isNegative = text.startsWith('n0')
  if (text.startsWith('n1')) return 0
  const digits = isNegative ? complemented(text.slice(2, -1), exponentDigits) : text.slice(2)
  const top = Number(digits.slice(0, exponentDigits)) - exponentOffset
  const hex = digits.slice(exponentDigits)
  const mantissa = BigInt(`0x1${hex}`)
  const exponent = top - hex.length * 4
  const isWhole = exponent >= 0 || mantissa % (1n << BigInt(-exponent)) === 0n
  const sign = isNegative ? -1n : 1n
  if (isWhole) {
    const whole = sign * (exponent >= 0 ? mantissa << BigInt(exponent) : mantissa >> BigInt(-exponent))
    return BigInt(Number(whole)) === whole ? Number(whole) : String(whole)
  }
  // Of fewer than 53 bits, so that it is exact; in two steps, since the least power of two alone is 0 with a large mantissa.
  const half = Math.trunc(exponent / 2)
  return Number(sign * mantissa) * 2 ** half * 2 ** (exponent - half)
}

function textOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined
  if (value === 0) return 'n1'
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, Math.abs(value))
  const bits = view.getBigUint64(0)
  const fraction = bits & ((1n << 52n) - 1n)
  const field = Number(bits >> 52n)
  // A subnormal has no leading 1 of its own, and the exponent of the least normal one.
  const mantissa = field === 0 ? fraction : fraction | (1n << 52n)
  return textOf(value < 0, { mantissa, exponent: Math.max(field, 1) - mostExponent - (doubleBits - 1) })
}

function textOf(isNegative: boolean, { mantissa, exponent }: Magnitude): string | undefined {
  if (mantissa === 0n) return 'n1'
  const length = mantissa.toString(2).length
  const top = exponent + length - 1
  if (top > mostExponent) return undefined
  // What follows the leading 1, without what ends it in zeros: equal values have one text, and a shorter one is less.
  const width = Math.ceil((length - 1) / 4)
  const rest = (mantissa - (1n << BigInt(length - 1))) << BigInt(width * 4 - (length - 1))
  const hex = width === 0 ? '' : rest.toString(16).padStart(width, '0').replace(/0+$/, '')
  const digits = String(top + exponentOffset).padStart(exponentDigits, '0') + hex
  // Of negative ones each digit is turned round, and the end is greater than any: the larger magnitude is less.
  return isNegative ? `n0${complemented(digits, exponentDigits)}~` : `n2${digits}`
}

/** Each digit as what it lacks to the greatest: decimal for so many, then hexadecimal. Of the result, the digits again. */
function complemented(digits: string, decimals: number): string {
  return Array.from(digits, (digit, index) =>
    index < decimals ? String(9 - Number(digit)) : (15 - Number.parseInt(digit, 16)).toString(16),
  ).join('')
}

function textOfText(version: string): string | undefined {
  if (!version.isWellFormed() || Buffer.byteLength(version) > limits.idBytes) return undefined
  return `s${escaped(version)}`
}

/** No database keeps the character 0 in a text: it becomes two that sort in its place. */
function escaped(text: string): string {
  return text.replaceAll('\u0001', '\u0001\u0002').replaceAll('\u0000', '\u0001\u0001')
}

function unescaped(text: string): string {
  return text.replaceAll('\u0001\u0001', '\u0000').replaceAll('\u0001\u0002', '\u0001')
}

function magnitudeOf(value: bigint): bigint {
  return value < 0n ? -value : value
}
