import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { Fatal } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('begins no ordered run before it has read who holds its key (G7)', async () => {
    let slow = false
    let fails = true
    const entered: string[] = []
    const world = await open({
      handlers: [
        handler('ledger', { ...on, order: true }, (event, run) => {
          entered.push(`${event.id} ${run.generation}`)
          if (event.id === '2' && fails) throw new Fatal('no')
        }),
      ],
      wrapStore: between({
        tail: async (go) => {
          if (slow) await new Promise<void>((resolve) => world.clock.setTimer(3_000, resolve))
          return go()
        },
      }),
    })
    const first = await world.hapax.accept(order('1', { orderKey: 'k' }))
    const second = await world.hapax.accept(order('2', { orderKey: 'k' }))
    await world.ended(second)
    await world.soon(world.hapax.runs.replay(first.runs[0]?.id ?? '', { reason: 'test' }))
    await world.crash()
    slow = true
    await world.node()
    await world.advance('30s')
    // The second is dead and blocks its key, the replay of the first waits.
    expect(entered).toEqual(['1 1', '2 1'])
    fails = false
    const [run] = second.runs
    await world.soon(world.newest().runs.retry(run?.id ?? '', { reason: 'mended' }))
    await world.until(() => entered.length === 4, '1m')
    expect(entered).toEqual(['1 1', '2 1', '2 2', '1 2'])
    await world.close()
  })
})

it('leaves to the next owner what was accepted while it stopped (G5, G10)', async () => {
  const slow = handler('slow', on, ({ id }) => (id === 'slow' ? world.clock.advance(0).then(() => pause) : 'done'))
  let end = () => {}
  const pause = new Promise<void>((resolve) => {
    end = resolve
  })
  const world = await testWorld({ handlers: [slow], shards: 4 })
  await world.hapax.accept(order('slow'))
  await world.advance('1s')
  const inFlight = world.hapax.accept(order('late'))
  const stopped = world.hapax.stop()
  const receipt = await inFlight
  await world.advance('5s')
  end()
  await world.soon(stopped)
  await world.node()
  expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed' })
  await world.close()
})
