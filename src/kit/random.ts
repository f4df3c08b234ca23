import { randomFillSync } from 'node:crypto'

/** The only source of randomness; the engine is handed one, so that a run replays from a seed. */
export interface Random {
  /** A number in [0, 1). */
  fraction(): number
  /** `length` bytes nobody can guess (of the system's; a seeded one is for tests alone). */
  bytes(length: number): Uint8Array
}

/** Bytes fetched from the system at once: one call per event cost 1.3 µs, a slice of this costs 0.05 µs. */
const poolBytes = 8_192

/** Randomness of the operating system. */
export function systemRandom(): Random {
  const pool = new Uint8Array(poolBytes)
  let used = poolBytes
  const take = (length: number): Uint8Array => {
    if (length > poolBytes) return randomFillSync(new Uint8Array(length))
    if (used + length > poolBytes) {
      randomFillSync(pool)
      used = 0
    }
    used += length
    return pool.slice(used - length, used)
  }
  return { fraction: () => Math.random(), bytes: take }
}

/** Repeatable randomness for tests and simulations (splitmix32): never for keys or secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const splitmix = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
  return {
    fraction: () => splitmix() / 4_294_967_296,
    bytes: (length) => Uint8Array.from({ length }, () => splitmix() & 0xff),
  }
}
