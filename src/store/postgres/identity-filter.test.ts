import { expect, it } from 'vitest'
import { type Random, seededRandom } from '../../kit/random.ts'
import { IdentityFilter, prefixBytes } from './identity-filter.ts'

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

it.each([0, 1, 2, 7, 16, 1_000, 100_000, 1_200_000])(
  'knows all of %i identities, and nearly none that is not among them',
  (size) => {
    const random = seededRandom(size)
    const all = sorted(random, size)
    const known = new IdentityFilter(size)
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
    // One of 2,000: 50 of these.
    expect(alarms).toBeLessThan(75)
  },
)

it('takes pages of any size, and is not whole before the last', () => {
  const all = sorted(seededRandom(1), 100)
  const known = new IdentityFilter(100)
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

it('tells apart what differs in one bit', () => {
  const known = new IdentityFilter(1)
  known.append(Buffer.alloc(prefixBytes))
  expect(known.mayHave(0, 0)).toBe(true)
  for (const head of [1, 0x8000, 0x800000]) expect(known.mayHave(head, 0)).toBe(false)
  for (const fifth of [1, 0x80]) expect(known.mayHave(0, fifth)).toBe(false)
})

it('says how many bytes it keeps: 20 bits of each', () => {
  for (const size of [1_000, 1_000_000, 4_000_000, 50_000_000]) {
    const bits = (IdentityFilter.bytesOf(size) * 8) / size
    expect(bits).toBeGreaterThanOrEqual(20)
    expect(bits).toBeLessThan(20.6)
  }
  expect(IdentityFilter.bytesOf(0)).toBe(64)
})
