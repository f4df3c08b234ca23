/** Bits per entry: 0.05 % false answers, so that some thirty generations cost one needless probe in sixty accepts. */
const bitsPerEntry = 16
const probes = 7

/** Says of an identity hash that it is certainly not in a generation, from memory. */
export class Bloom {
  readonly bytes: Uint8Array
  readonly #bits: number

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#bits = bytes.length * 8
  }

  static sized(entries: number): Bloom {
    return new Bloom(new Uint8Array(Math.max(64, Math.ceil((entries * bitsPerEntry) / 8))))
  }

  static from(bytes: Uint8Array): Bloom {
    return new Bloom(bytes)
  }

  add(spread: Spread): void {
    const bits = this.#bits
    const step = spread.step % bits
    let bit = spread.first % bits
    for (let probe = 0; probe < probes; probe++) {
      const byte = bit >>> 3
      this.bytes[byte] = (this.bytes[byte] ?? 0) | (1 << (bit & 7))
      bit += step
      if (bit >= bits) bit -= bits
    }
  }

  mayHave(spread: Spread): boolean {
    const bits = this.#bits
    const step = spread.step % bits
    let bit = spread.first % bits
    for (let probe = 0; probe < probes; probe++) {
      if (((this.bytes[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false
      // A sum and a comparison: the product of probe and step is beyond 31 bits, and its remainder took 20 ns.
      bit += step
      if (bit >= bits) bit -= bits
    }
    return true
  }
}

/** Two numbers drawn from an identity hash: computed once, probed in every generation. */
export interface Spread {
  readonly first: number
  readonly step: number
}

const digits = new Uint8Array(128)
for (const [value, digit] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].entries()) {
  digits[digit.charCodeAt(0)] = value
}

/** The hash is uniform already: its own bits are the probes. The first digits order the ledger, so later ones are taken. */
export function spreadOf(hash: string): Spread {
  let first = 0
  let step = 0
  for (let index = 8; index < 13; index++) first = (first << 6) | (digits[hash.charCodeAt(index)] ?? 0)
  for (let index = 13; index < 18; index++) step = (step << 6) | (digits[hash.charCodeAt(index)] ?? 0)
  return { first, step: step | 1 }
}
