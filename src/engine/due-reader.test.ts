import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { elsewhere, on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('does not begin again what a page says that was read before the run’s settlement', async () => {
    const entered: number[] = []
    const world = await open({
      handlers: [
        handler('flaky', { ...on, retry: { attempts: 3, min: '10s', factor: 1, jitter: 'none' } }, async () => {
          entered.push(world.clock.monotonicMs())
          await new Promise<void>((resolve) => world.clock.setTimer(1_500, resolve))
          throw new Error('no')
        }),
      ],
      wrapStore: between({
        due: async (go) => {
          const page = await go()
          await new Promise<void>((resolve) => world.clock.setTimer(1_000, resolve))
          return page
        },
      }),
    })
    await world.ended(await world.hapax.accept(order('1')), '1m')
    expect(entered).toHaveLength(3)
    expect((entered[2] ?? 0) - (entered[1] ?? 0)).toBeGreaterThanOrEqual(10_000)
    await world.close()
  })
})

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

it('lets due runs of others by, where those of a paused handler fill every page', async () => {
  const failing = handler('failing', { ...on, retry }, () => {
    throw new TypeError('down')
  })
  const other = handler('other', elsewhere, async (_event, run) => {
    await run.sleep('a moment', '30s')
    return 'done'
  })
  const world = await testWorld({
    handlers: [failing, other],
    shards: 1,
    bounds: { held: 4, aside: 2, perKey: 1, page: 2 },
  })
  for (let index = 0; index < 6; index++) await world.soon(world.hapax.accept(order(`${index}`)))
  await world.soon(world.hapax.controls.pause('handler', 'failing', why))
  const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
  await world.standing(receipt, 'scheduled')
  expect(await world.ended(receipt, '40s')).toMatchObject({ status: 'completed' })
  await world.close()
})
