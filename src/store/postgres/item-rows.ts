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
    const length = this.#buffer.write(value, this.#at + 8)
    this.#at = this.#buffer.writeInt32BE(length, this.#buffer.writeInt32BE(oids.text, this.#at)) + length
  }

  integer(value: number): void {
    this.#head(oids.integer, 4)
    this.#at = this.#buffer.writeInt32BE(value, this.#at)
  }

  bigint(value: number | undefined): void {
    if (value === undefined) {
      this.#absent(oids.bigint)
      return
    }
    this.#head(oids.bigint, 8)
    // Two halves: a bigint of JavaScript is garbage for each, and ours stay below 2^53.
    this.#at = this.#buffer.writeInt32BE(Math.floor(value / 2 ** 32), this.#at)
    this.#at = this.#buffer.writeUInt32BE(value >>> 0, this.#at)
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

  uuid(value: Uint8Array): void {
    this.#bytes(oids.uuid, value)
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
    for (const word of count === 0 ? [0, 0, oid] : [1, 0, oid, count, 1]) {
      this.#at = this.#buffer.writeInt32BE(word, this.#at)
    }
  }

  #head(oid: number, length: number): void {
    this.#room(8 + length)
    this.#at = this.#buffer.writeInt32BE(length, this.#buffer.writeInt32BE(oid, this.#at))
  }

  #absent(oid: number): void {
    this.#room(8)
    this.#at = this.#buffer.writeInt32BE(-1, this.#buffer.writeInt32BE(oid, this.#at))
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}
