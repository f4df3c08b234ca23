import type { EventKey } from '../../event/event-key.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const digitOf = new Uint8Array(128)
for (const [value, digit] of [...alphabet].entries()) digitOf[digit.charCodeAt(0)] = value

/** A key's sixteen bytes, as a `uuid` keeps them: its first digit holds three bits, every other five. */
export function keyBytes(key: EventKey): Uint8Array {
  const bytes = new Uint8Array(16)
  let bits = 0
  let held = -2
  let at = 0
  for (let index = 0; index < key.length; index++) {
    bits = (bits << 5) | (digitOf[key.charCodeAt(index)] ?? 0)
    held += 5
    if (held >= 8) {
      held -= 8
      bytes[at++] = bits >>> held
      bits &= (1 << held) - 1
    }
  }
  return bytes
}

/** The same as the text of a `uuid`. */
export function keyUuid(key: EventKey): string {
  const hex = Buffer.from(keyBytes(key)).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The key that a `uuid` in text holds. */
export function keyOfUuid(uuid: string): EventKey {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  let key = ''
  let bits = 0
  let held = 2
  for (const byte of bytes) {
    bits = (bits << 8) | byte
    held += 8
    while (held >= 5) {
      held -= 5
      key += alphabet.charAt((bits >>> held) & 31)
      bits &= (1 << held) - 1
    }
  }
  return key
}
