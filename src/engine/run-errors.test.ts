import { expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('judges whatever is thrown, also errors without a text', async () => {
  const hostile = [{ message: { code: 42 } }, { message: undefined }, { name: 7 }, { stack: null }]
  const throwing = handler('throwing', { ...on, retry: { attempts: 1 } }, ({ data }) => {
    throw Object.assign(new TypeError('x'), hostile[(data as { index: number }).index])
  })
  const world = await testWorld({ handlers: [throwing], shards: 1 })
  for (const index of hostile.keys()) {
    const receipt = await world.hapax.accept({ ...order(`${index}`), data: { index } })
    expect(await world.ended(receipt)).toMatchObject({ status: 'dead' })
  }
  await world.close()
})
