import { expect, it } from 'vitest'
import { elsewhere, on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('has a run of each handler that an event names, also of one that it learns of by that event (G5)', async () => {
  const other = handler('other', elsewhere, () => {})
  const fresh = handler('fresh', on, () => 'done')
  const world = await testWorld({ handlers: [other], shards: 1 })
  await world.advance('10s')
  const two = await world.node([other, fresh])
  const receipt = await two.accept(order('1'))
  await world.advance('2m')
  await world.soon(world.hapax.stop())
  expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed' })
  await world.close()
})
