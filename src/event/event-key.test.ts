import { describe, expect, it } from 'vitest'
import { seededRandom } from '../kit/random.ts'
import { isEventKey, mintEventKey, mintedAt, shardOfKey } from './event-key.ts'

describe('event key', () => {
  it('carries its shard and the time it was minted', () => {
    const random = seededRandom(7)
    for (const shard of [0, 1, 15, 63, 4_095, 65_535]) {
      const key = mintEventKey(1_764_000_000_123, shard, random)
      expect(key).toHaveLength(26)
      expect(isEventKey(key)).toBe(true)
      expect(shardOfKey(key)).toBe(shard)
      expect(mintedAt(key)).toBe(1_764_000_000_123)
    }
  })

  it('sorts by the time it was minted', () => {
    const random = seededRandom(8)
    const keys = [1, 5, 70, 1_764_000_000_000, 1_764_000_000_001].map((at) => mintEventKey(at, 3, random))
    expect([...keys].sort()).toEqual(keys)
  })

  it('refuses what is not a key', () => {
    for (const text of ['', 'evt_1', '../etc', 'Z'.repeat(26), '0'.repeat(25), 'o'.repeat(26)])
      expect(isEventKey(text)).toBe(false)
  })
})
