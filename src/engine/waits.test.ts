import { expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('sleeps without a slot, and goes on after the sleep', async () => {
    const times: number[] = []
    const world = await open({
      concurrency: 1,
      handlers: [
        handler('sleepy', on, async (_event, run) => {
          times.push(run.attempt)
          await run.sleep('cool down', '10m')
          return 'woke'
        }),
      ],
    })
    const one = await world.hapax.accept(order('1'))
    const two = await world.hapax.accept(order('2'))
    await world.standing(one, 'scheduled')
    await world.standing(two, 'scheduled')
    expect(await world.ended(one, '11m')).toMatchObject({ status: 'completed', state: { result: '"woke"' } })
    expect(await world.ended(two, '1m')).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('waits for a signal, also one that came early, and times out the same way for ever', async () => {
    const world = await open({
      handlers: [
        handler('approve', on, async (_event, run) => {
          await run.sleep('first', '5m')
          const by = await run.waitFor('approved', { timeout: '1h' })
          const never = await run.waitFor('never', { timeout: '1h' }).catch((error: Error) => error.name)
          return { by, never }
        }),
      ],
    })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'scheduled')
    const id = receipt.runs[0]?.id ?? ''
    expect(await world.soon(world.hapax.runs.signal(id, 'approved', { by: 'ann' }, { id: 's1' }))).toMatchObject({
      outcome: 'applied',
    })
    expect(await world.ended(receipt, '3h')).toMatchObject({
      state: { result: '{"by":{"by":"ann"},"never":"WaitTimeout"}' },
    })
    await world.close()
  })
})
