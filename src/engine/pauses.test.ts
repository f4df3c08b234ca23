import { expect, it } from 'vitest'
import { on, order, why } from '../../test/support/shop.ts'
import type { Settings } from '../store/store.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('begins nothing of a handler after its pause, also of what was queued before', async () => {
  const seen: string[] = []
  const slow = handler('slow', on, async ({ id }) => {
    seen.push(id)
    if (id === '1') await gate
  })
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const world = await testWorld({ handlers: [slow], shards: 1, concurrency: 1 })
  for (const id of ['1', '2', '3']) await world.hapax.accept(order(id))
  await world.advance('1s')
  const settings: Settings = await world.soon(world.hapax.controls.pause('handler', 'slow', why))
  expect(settings.paused).toHaveLength(1)
  open()
  await world.advance('1m')
  expect(seen).toEqual(['1'])
  await world.soon(world.hapax.controls.resume('handler', 'slow', why))
  await world.until(() => seen.length === 3)
  expect(seen).toEqual(['1', '2', '3'])
  await world.close()
})

it('pauses the handler of one group alone, where it is named with it', async () => {
  const seen: string[] = []
  const mine = handler('book', on, ({ id }) => seen.push(id))
  const world = await testWorld({ handlers: [mine], shards: 1, group: 'pay' })
  await world.soon(world.hapax.controls.pause('handler', 'mail/book', why))
  await world.hapax.accept(order('1'))
  await world.until(() => seen.length === 1)
  const answer = await world.soon(world.hapax.controls.pause('handler', 'pay/book', why))
  expect(answer).toMatchObject({ matches: { handlers: 1 } })
  const receipt = await world.hapax.accept(order('2'))
  await world.advance('10s')
  expect(await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ held: { reason: 'paused' } })
  expect(seen).toEqual(['1'])
  await world.close()
})

it('pauses a renamed handler by the name that it has now', async () => {
  const world = await testWorld({ handlers: [handler('old', on, () => {})], shards: 1 })
  await world.soon(world.hapax.stop())
  const two = await world.node([handler('fresh', { ...on, formerly: ['old'] }, () => {})])
  await world.soon(two.controls.pause('handler', 'fresh', why))
  const receipt = await two.accept(order('1'))
  await world.advance('10s')
  expect(await two.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status: 'ready', handler: 'fresh' })
  await world.close()
})
