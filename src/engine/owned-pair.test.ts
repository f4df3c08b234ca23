import { expect, it } from 'vitest'
import { elsewhere, never, on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('a poison event deep in the backlog is counted as a crash loop (G8)', async () => {
  let entered = 0
  const waiting = handler('waiting', on, () => 'done')
  const poison = handler('poison', elsewhere, () => {
    entered++
    return never()
  })
  const handlers = [waiting, poison]
  const bounds = { held: 50, aside: 100, perKey: 1, page: 5 }
  const world = await testWorld({ handlers, shards: 1, bounds })
  await world.soon(world.hapax.controls.pause('handler', 'waiting', why))
  for (let index = 0; index < 20; index++) await world.soon(world.hapax.accept(order(`${index}`)))
  const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
  const before = () => {
    const times = entered
    return world.until(() => entered > times, '30s')
  }
  await world.until(() => entered === 1)
  for (let crash = 0; crash < 5; crash++) {
    await world.crash()
    await world.node()
    await before()
  }
  await world.crash()
  await world.node()
  expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'dead', state: { error: { code: 'crash_loop' } } })
  expect(entered).toBe(6)
  await world.crash()
})
