import { expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { elsewhere, on, order } from '../../test/support/shop.ts'
import type { Receipt } from '../event/receipt.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

it('holds up nobody but its own key, however many wait behind a head (G7)', async () => {
  let tries = 0
  let done = 0
  const ordered = handler('ordered', { ...on, order: true, retry: { ...retry, min: '20s' } }, ({ id }) => {
    if (id === '0' && ++tries < 3) throw new TypeError('down')
    done++
  })
  const world = await testWorld({ handlers: [ordered, handler('other', elsewhere, () => 'done')], shards: 1 })
  const behind = 4_100
  await world.hapax.accept(order('0', { orderKey: 'key' }))
  for (let from = 1; from <= behind; from += 1_025) {
    const some = Array.from({ length: 1_025 }, (_, index) =>
      world.hapax.accept(order(`${from + index}`, { orderKey: 'key' })),
    )
    await world.soon(Promise.all(some))
    await world.advance('1s')
  }
  const receipt = await world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 })
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
  await world.until(() => done === behind + 1, '10m')
  await world.close()
})

onEitherStore((open) => {
  it('gives shards to a node that joins, with all that waits in them (G5)', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const world = await open({ handlers: [handler('queue', { ...on, order: true }, () => gate)] })
    const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`)
    const receipts: Receipt[] = []
    for (const turn of [1, 2, 3]) {
      for (const orderKey of keys) receipts.push(await world.hapax.accept(order(`${orderKey} ${turn}`, { orderKey })))
    }
    await world.node()
    // The first of each key executes when its shard is asked for; the others are ready behind it.
    await world.advance('10s')
    release()
    for (const receipt of receipts) expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    await world.close()
  })
})
