import { timingSafeEqual } from 'node:crypto'
import { elementsOf } from '../kit/elements.ts'
import { type HmacEncoding, HmacKey } from '../kit/hmac.ts'

/** Most signatures of one request that are looked at: a rotation sends two, and each costs a comparison. */
export const candidatesAtMost = 16

/** A secret, or several while one replaces another. */
export type Secret = string | readonly string[]

/**
 * The secrets of an option as HMAC keys.
 *
 * @param decode how the text becomes bytes; undefined where it cannot
 * @param problems gets a sentence for what is wrong
 */
export function hmacKeys(
  secret: Secret,
  decode: (text: string) => Uint8Array | undefined,
  problems: string[],
): readonly HmacKey[] {
  const texts: readonly unknown[] = typeof secret === 'string' ? [secret] : (elementsOf(secret) ?? [])
  if (texts.length === 0) problems.push('secret: a text, or a list of texts; found none')
  const keys: HmacKey[] = []
  for (const text of texts) {
    const bytes = typeof text === 'string' && text !== '' ? decode(text) : undefined
    if (bytes === undefined || bytes.length === 0) {
      problems.push('secret: found one that is empty, or not in the encoding that the scheme wants')
    } else keys.push(new HmacKey(bytes))
  }
  return keys
}

/** A secret taken literally. */
export function textKey(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/** A secret in base64 of either alphabet, padded or not; undefined where it is not base64. */
export function base64Key(text: string): Uint8Array | undefined {
  const bare = text.replace(/=+$/, '')
  if (!/^[A-Za-z0-9+/_-]+$/.test(bare)) return undefined
  const bytes = Buffer.from(bare, 'base64')
  return Math.ceil((bytes.length * 4) / 3) === bare.length ? bytes : undefined
}

/** A secret in hexadecimal; undefined where it is not. */
export function hexKey(text: string): Uint8Array | undefined {
  return /^(?:[0-9a-fA-F]{2})+$/.test(text) ? Buffer.from(text, 'hex') : undefined
}

/**
 * Whether some candidate is the HMAC under some key: every candidate is compared in constant time, with each key. A
 * candidate of another length, another case or another encoding is false and never throws.
 */
export function someHmacMatches(
  algorithm: string,
  keys: readonly HmacKey[],
  parts: readonly (string | Uint8Array)[],
  encoding: HmacEncoding,
  candidates: readonly string[],
): boolean {
  let matches = false
  for (const key of keys) {
    const wanted = Buffer.from(key.digest(algorithm, parts, encoding), 'latin1')
    for (const candidate of candidates.slice(0, candidatesAtMost)) {
      // The length of a digest is no secret.
      if (candidate.length !== wanted.length) continue
      const found = Buffer.from(candidate, 'utf8')
      if (found.length === wanted.length && timingSafeEqual(found, wanted)) matches = true
    }
  }
  return matches
}
