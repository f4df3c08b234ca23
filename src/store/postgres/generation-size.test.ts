import { expect, it } from 'vitest'
import { fullGenerationBytes } from './generation-size.ts'

const identityBytes = 68

/** Sizes of the sealed ones once so many identities are remembered, none forgotten. */
function sealedOf(identities: number): number[] {
  const sizes: number[] = []
  for (let sealed = 0; ; ) {
    const full = fullGenerationBytes(sealed * identityBytes) / identityBytes
    if (sealed + full > identities) return sizes
    sizes.push(full)
    sealed += full
  }
}

it('keeps what is written small beside what filters hold, and what must be looked into few beside more', () => {
  const twenty = sealedOf(20_000_000)
  expect(twenty).toEqual(Array.from({ length: 10 }, () => 2_000_000))
  const fifty = sealedOf(50_000_000)
  expect(fifty.length).toBeLessThan(22)
  expect(Math.max(...fifty)).toBeLessThan(6_000_000)
  const billion = sealedOf(1_000_000_000)
  expect(billion.length - fifty.length).toBeLessThan(12)
})
