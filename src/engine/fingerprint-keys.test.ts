import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../kit/clock.ts'
import { seededRandom } from '../kit/random.ts'
import { memoryWorld } from '../store/memory/index.ts'
import { FingerprintKeys } from './fingerprint-keys.ts'

describe('fingerprint keys', () => {
  it('make HMAC-SHA256, as node:crypto does', async () => {
    const random = seededRandom(5)
    const raw = seededRandom(5).bytes(32)
    const keys = new FingerprintKeys(memoryWorld({ clock: systemClock }).connect(), random)
    const key = await keys.open('default')
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 })), (content) => {
        expect(keys.make(key, content).hash).toBe(createHmac('sha256', raw).update(content).digest('base64url'))
      }),
    )
  })

  it('are one per tenant, the same for every node of a store', async () => {
    const world = memoryWorld({ clock: systemClock })
    const one = new FingerprintKeys(world.connect(), seededRandom(1))
    const two = new FingerprintKeys(world.connect(), seededRandom(2))
    const here = one.make(await one.open('acme'), 'x').hash
    expect(two.make(await two.open('acme'), 'x').hash).toBe(here)
    expect(one.make(await one.open('other'), 'x').hash).not.toBe(here)
  })

  it('are opened beforehand where the store can; a wrong secret is told at once, a busy store is not', async () => {
    const store = memoryWorld({ clock: systemClock }).connect()
    const keys = new FingerprintKeys(store, seededRandom(1), 'a secret')
    await keys.openFor(['acme', 'acme', 'bolt'])
    expect([keys.known('acme'), keys.known('bolt'), keys.known('other')].map(Boolean)).toEqual([true, true, false])
    const other = new FingerprintKeys(store, seededRandom(9), 'another')
    await expect(other.openFor(['new', 'acme'])).rejects.toMatchObject({ code: 'store_refused' })
    await store.close()
    await new FingerprintKeys(store, seededRandom(1)).openFor(['acme'])
  })

  it('are wrapped where a secret is given, and say so where it is missing or another', async () => {
    const store = memoryWorld({ clock: systemClock }).connect()
    const wrapped = new FingerprintKeys(store, seededRandom(1), 'a secret')
    const here = wrapped.make(await wrapped.open('acme'), 'x').hash
    const again = new FingerprintKeys(store, seededRandom(9), 'a secret')
    expect(again.make(await again.open('acme'), 'x').hash).toBe(here)
    for (const secret of [undefined, 'another']) {
      await expect(new FingerprintKeys(store, seededRandom(9), secret).open('acme')).rejects.toMatchObject({
        code: 'store_refused',
      })
    }
  })
})
