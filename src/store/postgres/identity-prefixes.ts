/** Bytes of an identity that are kept of it: its head chooses a bucket, what follows is looked for in there. */
export const prefixBytes = 5

/**
 * Identities to a bucket, at least: with up to twice as many of 16 bits each, one of 2,000 to 4,000 that are not there looks as
 * if it were.
 */
const leastInBucket = 8

const mostBucketBits = 24

/**
 * What identities a sealed generation may have, by their first 34 bits or so. Identities are hashes, and come sorted: two bytes
 * of each, and where each bucket begins, are 20 bits an identity. A Bloom filter of that size would err less often, but each of
 * its bits is a page of its own while it is built: sorted, four million are taken in in 25 ms.
 */
export class IdentityPrefixes {
  /** How many it is of. */
  readonly size: number
  readonly #bucketBits: number
  readonly #starts: Uint32Array
  readonly #rests: Uint16Array
  #count = 0

  /** @param size how many will be put in */
  constructor(size: number) {
    this.size = size
    this.#bucketBits = bucketBitsOf(size)
    this.#starts = new Uint32Array(2 ** this.#bucketBits + 1)
    this.#rests = new Uint16Array(size)
  }

  /** How many bytes it keeps of so many identities. */
  static bytesOf(size: number): number {
    return size * 2 + (2 ** bucketBitsOf(size) + 1) * 4
  }

  /** Whether all are in. Before that nothing is known of those that are not. */
  get isWhole(): boolean {
    return this.#count === this.size
  }

  /** The next ones, by their first {@link prefixBytes} each, in their order. */
  append(prefixes: Buffer): void {
    for (let at = 0; at + prefixBytes <= prefixes.length; at += prefixBytes) {
      const [head, fifth] = [prefixes.readInt32BE(at), prefixes.readUInt8(at + 4)]
      this.#rests[this.#count++] = this.#restOf(head, fifth)
      this.#starts[this.#bucketOf(head) + 1] = this.#count
    }
    if (!this.isWhole) return
    // A bucket that nobody is in begins where the one before it ends.
    for (let bucket = 1; bucket < this.#starts.length; bucket++) {
      if (this.#startOf(bucket) === 0) this.#starts[bucket] = this.#startOf(bucket - 1)
    }
  }

  /**
   * False: this identity is not among them.
   *
   * @param head its first four bytes
   * @param fifth the byte behind them
   */
  mayHave(head: number, fifth: number): boolean {
    const bucket = this.#bucketOf(head)
    const rest = this.#restOf(head, fifth)
    const end = this.#startOf(bucket + 1)
    for (let at = this.#startOf(bucket); at < end; at++) {
      if (this.#rests[at] === rest) return true
    }
    return false
  }

  #startOf(bucket: number): number {
    return this.#starts[bucket] ?? 0
  }

  #bucketOf(head: number): number {
    return head >>> (32 - this.#bucketBits)
  }

  /** The 16 bits behind the bucket's. */
  #restOf(head: number, fifth: number): number {
    const more = this.#bucketBits > 16 ? fifth << (this.#bucketBits - 8) : 0
    return ((head << this.#bucketBits) | more) >>> 16
  }
}

function bucketBitsOf(size: number): number {
  return Math.min(mostBucketBits, Math.max(1, Math.floor(Math.log2(Math.max(1, size / leastInBucket)))))
}
