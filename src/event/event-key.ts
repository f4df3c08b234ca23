import { HapaxError } from '../errors/hapax-error.ts'
import type { Random } from '../kit/random.ts'

/**
 * Names one event everywhere: 26 characters of Crockford base32 over 16 bytes: 6 of the accepting node's wall clock in
 * milliseconds, 2 of the shard, 8 random. Minted by the caller before its first try, so that a commit asked again is the
 * same commit; sorts roughly by time, so that an index on it is written at its end.
 */
export type EventKey = string

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const keyPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/

const digits = Uint8Array.from(alphabet, (digit) => digit.charCodeAt(0))
/** Where a key is put together: 26 pieces of a text one after the other are 900 bytes of garbage per event. */
const scratch = Buffer.alloc(26)

/** A new key for an event of this shard. */
export function mintEventKey(nowMs: number, shard: number, random: Random): EventKey {
  const tail = random.bytes(8)
  // Digits of five bits; the clock fills ten, shard and random bytes the sixteen after it.
  let time = nowMs
  for (let at = 9; at >= 0; at--) {
    scratch[at] = digits[time % 32] ?? 0
    time = Math.floor(time / 32)
  }
  let at = 10
  let bits = shard
  let held = 16
  for (let index = -1; index < tail.length; index++) {
    if (index >= 0) {
      bits = (bits << 8) | (tail[index] ?? 0)
      held += 8
    }
    while (held >= 5) {
      held -= 5
      scratch[at++] = digits[(bits >>> held) & 31] ?? 0
      bits &= (1 << held) - 1
    }
  }
  // 80 bits are sixteen digits exactly.
  return scratch.toString('latin1')
}

/** Whether this text could be a key. */
export function isEventKey(text: string): boolean {
  return keyPattern.test(text)
}

/** The shard that a key names. */
export function shardOfKey(key: EventKey): number {
  if (!isEventKey(key)) throw new HapaxError('not_found', { what: 'event' })
  let bits = 0
  for (let digit = 10; digit < 14; digit++) bits = bits * 32 + alphabet.indexOf(key.charAt(digit))
  return bits >>> 4
}

/** The wall time, in milliseconds, at which the key was minted. */
export function mintedAt(key: EventKey): number {
  let time = 0
  for (let digit = 0; digit < 10; digit++) time = time * 32 + alphabet.indexOf(key.charAt(digit))
  return time
}
