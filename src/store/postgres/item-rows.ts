import type { EventKey } from '../../event/event-key.ts'
import { putKey } from './key-bytes.ts'

/**
 * Lists of items as PostgreSQL's binary arrays of a composite type (`array_recv`, `record_recv`): each row behind its
 * length, each value behind its type and its length, -1 for null.
 *
 * As text they would be quoted, escaped and parsed again: 5 µs per event on each side, and twice the bytes.
 */
const oids = { boolean: 16, bytea: 17, bigint: 20, integer: 23, text: 25, double: 701, uuid: 2950 } as const

const fewestBytes = 4_096
/** Up to this length a loop in JavaScript is faster than to call native code. */
const shortLength = 48

/** Packs rows one value after the other, in the order of the type's columns. */
export class ItemRows {
  #buffer = Buffer.alloc(0)
  #at = 0
  /** What the list before took: the next is about as large, and is not moved while it grows. */
  #expectedBytes = fewestBytes

  /**
   * The array as a value of the driver's.
   *
   * @param oid the composite type's
   * @param columns how many values `put` writes for each item
   */
  array<Item>(
    oid: number,
    columns: number,
    items: readonly Item[],
    put: (rows: ItemRows, item: Item, index: number) => void,
  ): Buffer {
    this.#buffer = Buffer.allocUnsafe(this.#expectedBytes)
    this.#at = 0
    this.#header(oid, items.length)
    let index = 0
    for (const item of items) {
      this.#room(8)
      const start = this.#at
      this.#at = this.#buffer.writeInt32BE(columns, start + 4)
      put(this, item, index++)
      this.#buffer.writeInt32BE(this.#at - start - 4, start)
    }
    this.#expectedBytes = Math.max(fewestBytes, Math.ceil(this.#at * 1.1))
    return this.#buffer.subarray(0, this.#at)
  }

  text(value: string | null | undefined): void {
    if (typeof value !== 'string') {
      this.#absent(oids.text)
      return
    }
    // Three bytes of UTF-8 a unit at most.
    this.#room(8 + value.length * 3)
    const start = this.#at
    this.#at += 8
    if (value.length > shortLength || !this.#ascii(value)) this.#at = start + 8 + this.#buffer.write(value, start + 8)
    const end = this.#at
    this.#at = start
    this.#word(oids.text)
    this.#word(end - start - 8)
    this.#at = end
  }

  integer(value: number): void {
    this.#head(oids.integer, 4)
    this.#word(value)
  }

  bigint(value: number | undefined): void {
    if (value === undefined) {
      this.#absent(oids.bigint)
      return
    }
    this.#head(oids.bigint, 8)
    // Two halves: a bigint of JavaScript is garbage for each, and ours stay below 2^53.
    this.#word(Math.floor(value / 2 ** 32))
    this.#word(value)
  }

  double(value: number | undefined): void {
    if (value === undefined) {
      this.#absent(oids.double)
      return
    }
    this.#head(oids.double, 8)
    this.#at = this.#buffer.writeDoubleBE(value, this.#at)
  }

  boolean(value: boolean): void {
    this.#head(oids.boolean, 1)
    this.#at = this.#buffer.writeUInt8(value ? 1 : 0, this.#at)
  }

  /** @param digest of which the first sixteen characters are the bytes. */
  digest(digest: string): void {
    this.#head(oids.uuid, 16)
    for (let index = 0; index < 16; index++) this.#buffer[this.#at++] = digest.charCodeAt(index)
  }

  key(value: EventKey): void {
    this.#head(oids.uuid, 16)
    putKey(this.#buffer, this.#at, value)
    this.#at += 16
  }

  bytes(value: Uint8Array): void {
    this.#bytes(oids.bytea, value)
  }

  #bytes(oid: number, value: Uint8Array): void {
    this.#head(oid, value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
  }

  /** One dimension, no null rows, its element's type, its length, from 1 on; no dimension where it is empty. */
  #header(oid: number, count: number): void {
    for (const word of count === 0 ? [0, 0, oid] : [1, 0, oid, count, 1]) this.#word(word)
  }

  #head(oid: number, length: number): void {
    this.#room(8 + length)
    this.#word(oid)
    this.#word(length)
  }

  #absent(oid: number): void {
    this.#room(8)
    this.#word(oid)
    this.#word(-1)
  }

  /** 32 bits, the low ones of a larger number. By hand: an accept has fifty of them, and Node checks each. */
  #word(value: number): void {
    const buffer = this.#buffer
    const at = this.#at
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
    this.#at = at + 4
  }

  /** Puts the text there if it is ASCII. */
  #ascii(text: string): boolean {
    const buffer = this.#buffer
    let at = this.#at
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 126) return false
      buffer[at++] = unit
    }
    this.#at = at
    return true
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}
