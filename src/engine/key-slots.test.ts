import { expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

/** A handler of which two runs of a key go at once, and how many it sees. */
function shipping(sleep: (ms: number) => Promise<void>) {
  const inside = new Map<string, number>()
  const seen: string[] = []
  let most = 0
  const ship = handler('ship', { ...on, concurrency: { perKey: 2 } }, async ({ id, tenant, orderKey = '' }) => {
    const key = `${tenant} ${orderKey}`
    inside.set(key, (inside.get(key) ?? 0) + 1)
    most = Math.max(most, inside.get(key) ?? 0)
    seen.push(id)
    await sleep(1_000)
    inside.set(key, (inside.get(key) ?? 0) - 1)
  })
  return { ship, seen, most: () => most }
}

it('G8: so many runs of one key go at once, and hold up no other key', async () => {
  let sleep = (_ms: number) => Promise.resolve()
  const { ship, seen, most } = shipping((ms) => sleep(ms))
  const world = await testWorld({ handlers: [ship], shards: 4 })
  sleep = (ms) => new Promise((resolve) => void world.clock.setTimer(ms, resolve))
  await world.node([ship])
  await world.advance('20s')
  for (let id = 0; id < 20; id++) await world.hapax.accept(order(`hot ${id}`, { orderKey: 'hot' }))
  await world.hapax.accept(order('cold', { orderKey: 'cold' }))
  await world.hapax.accept(order('other', { orderKey: 'hot', tenant: 'bolt' }))
  await world.hapax.accept(order('none'))
  await world.advance('900ms')
  expect([...seen].sort()).toEqual(['cold', 'hot 0', 'hot 1', 'none', 'other'])
  await world.until(() => seen.length === 23, '30s')
  expect(most()).toBe(2)
  expect(seen.filter((id) => id.startsWith('hot'))).toEqual(Array.from({ length: 20 }, (_, id) => `hot ${id}`))
  await world.close()
})

it('reads again what it let go of a key with many, when it comes to it (G5)', async () => {
  let sleep = (_ms: number) => Promise.resolve()
  const { ship, seen } = shipping((ms) => sleep(ms))
  const bounds = { held: 10, aside: 3, perKey: 1, page: 5 }
  const world = await testWorld({ handlers: [ship], shards: 1, bounds })
  sleep = (ms) => new Promise((resolve) => void world.clock.setTimer(ms, resolve))
  for (let id = 0; id < 40; id++) await world.hapax.accept(order(`hot ${id}`, { orderKey: 'hot' }))
  await world.hapax.accept(order('cold', { orderKey: 'cold' }))
  await world.until(() => seen.length === 41, '2m')
  expect(new Set(seen).size).toBe(41)
  await world.close()
})
