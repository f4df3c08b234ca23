import type { EventKey } from '../../event/event-key.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const digitOf = new Uint8Array(128)
for (const [value, digit] of [...alphabet].entries()) digitOf[digit.charCodeAt(0)] = value
const digits = Uint8Array.from(alphabet, (digit) => digit.charCodeAt(0))
const hexDigitOf = new Uint8Array(128)
for (const [value, digit] of [...'0123456789abcdef'].entries()) hexDigitOf[digit.charCodeAt(0)] = value
const hyphen = 45
/** Where a key is put together, without garbage. */
const scratch = Buffer.alloc(26)

/** A key's sixteen bytes, as a `uuid` keeps them: its first digit holds three bits, every other five. */
export function keyBytes(key: EventKey): Uint8Array {
  const bytes = new Uint8Array(16)
  putKey(bytes, 0, key)
  return bytes
}

/** Puts a key's sixteen bytes where they are wanted: a commit of hundreds of items makes no garbage of them. */
export function putKey(bytes: Uint8Array, from: number, key: EventKey): void {
  let bits = 0
  let held = -2
  let at = from
  for (let index = 0; index < key.length; index++) {
    bits = (bits << 5) | (digitOf[key.charCodeAt(index)] ?? 0)
    held += 5
    if (held >= 8) {
      held -= 8
      bytes[at++] = bits >>> held
      bits &= (1 << held) - 1
    }
  }
}

/** The same as the text of a `uuid`. */
export function keyUuid(key: EventKey): string {
  const hex = Buffer.from(keyBytes(key)).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The key that a `uuid` in text holds. */
export function keyOfUuid(uuid: string): EventKey {
  let at = 0
  let bits = 0
  let held = 2
  for (let index = 0; index < uuid.length; index++) {
    const code = uuid.charCodeAt(index)
    if (code === hyphen) continue
    bits = (bits << 4) | (hexDigitOf[code] ?? 0)
    held += 4
    if (held >= 5) {
      held -= 5
      scratch[at++] = digits[(bits >>> held) & 31] ?? 0
      bits &= (1 << held) - 1
    }
  }
  return scratch.toString('latin1')
}
