import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isEventKey, mintEventKey } from '../../event/event-key.ts'
import { seededRandom } from '../../kit/random.ts'
import { keyBytes, keyOfUuid, keyUuid } from './key-bytes.ts'

it('keeps every key, in its order', () => {
  const key = fc
    .tuple(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.integer({ min: 0, max: 65_535 }), fc.integer())
    .map(([nowMs, shard, seed]) => mintEventKey(nowMs, shard, seededRandom(seed)))
  fc.assert(
    fc.property(key, key, (one, other) => {
      expect(keyOfUuid(keyUuid(one))).toBe(one)
      expect(Math.sign(Buffer.compare(keyBytes(one), keyBytes(other)))).toBe(one < other ? -1 : Number(one > other))
    }),
  )
})

it('gives a key back for any uuid', () => {
  expect(isEventKey(keyOfUuid('ffffffff-ffff-ffff-ffff-ffffffffffff'))).toBe(true)
  expect(keyUuid('00000000000000000000000001')).toBe('00000000-0000-0000-0000-000000000001')
})
