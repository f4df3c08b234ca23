import { expect, it } from 'vitest'
import { type Random, seededRandom } from '../../kit/random.ts'
import { IdentityPrefixes, prefixBytes } from './identity-prefixes.ts'

const prefixes = 2 ** (prefixBytes * 8)

/** So many in their order, each anywhere in a part of its own: what a generation's pages have. */
function sorted(random: Random, size: number): Buffer {
  const all = Buffer.alloc(size * prefixBytes)
  for (let index = 0; index < size; index++) {
    const prefix = Math.floor(((index + random.fraction()) * prefixes) / size)
    all.writeUIntBE(prefix, index * prefixBytes, prefixBytes)
  }
  return all
}

/** The bytes of one as they are asked for. */
function at(all: Buffer, index: number): [head: number, fifth: number] {
  return [all.readUInt32BE(index * prefixBytes), all.readUInt8(index * prefixBytes + 4)]
}

// The last needs more bits for its bucket and what follows than four bytes have.
it.each([0, 1, 2, 7, 16, 1_000, 100_000, 1_200_000])(
  'knows all of %i identities, and nearly none that is not among them',
  (size) => {
    const random = seededRandom(size)
    const all = sorted(random, size)
    const known = new IdentityPrefixes(size)
    known.append(all)
    expect(known.isWhole).toBe(true)
    let missed = 0
    for (let index = 0; index < size; index++) if (!known.mayHave(...at(all, index))) missed++
    expect(missed).toBe(0)
    let alarms = 0
    for (let turn = 0; turn < 100_000; turn++) {
      const other = Math.floor(random.fraction() * prefixes)
      if (known.mayHave(Math.floor(other / 256), other % 256)) alarms++
    }
    // One of 4,096 at most: 24 of these.
    expect(alarms).toBeLessThan(60)
  },
)

it('takes pages of any size, and is not whole before the last', () => {
  const all = sorted(seededRandom(1), 100)
  const known = new IdentityPrefixes(100)
  let from = 0
  for (const to of [1, 1, 60, 99]) {
    known.append(all.subarray(from * prefixBytes, to * prefixBytes))
    expect(known.isWhole).toBe(false)
    from = to
  }
  known.append(all.subarray(99 * prefixBytes))
  expect(known.isWhole).toBe(true)
  for (let index = 0; index < 100; index++) expect(known.mayHave(...at(all, index))).toBe(true)
})

it('tells apart what differs in the first bit and in the last of those that it keeps', () => {
  const known = new IdentityPrefixes(1)
  known.append(Buffer.alloc(prefixBytes))
  expect(known.mayHave(0, 0)).toBe(true)
  for (const head of [0x80000000, 0x8000]) expect(known.mayHave(head, 0)).toBe(false)
})

it('says how many bytes it keeps: 18 to 20 bits of each', () => {
  for (const size of [1_000, 1_000_000, 4_000_000, 4_194_304, 50_000_000]) {
    const bits = (IdentityPrefixes.bytesOf(size) * 8) / size
    expect(bits).toBeGreaterThan(17.9)
    expect(bits).toBeLessThan(20.1)
  }
  expect(IdentityPrefixes.bytesOf(0)).toBeLessThan(100)
})
