import { expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order, why } from '../../test/support/shop.ts'
import { Fatal } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('replays a run that was undone only with new keys, and from its start', async () => {
  const keys: string[] = []
  const undone: string[] = []
  const charging = handler('charging', on, async (_event, run) => {
    await run.step('charge', {
      run: (key) => {
        keys.push(key)
        return 'charged'
      },
      undo: (result) => void undone.push(result),
    })
    if (keys.length === 1) await run.waitFor('go')
  })
  const world = await testWorld({ handlers: [charging] })
  const receipt = await world.hapax.accept(order('1'))
  await world.standing(receipt, 'waiting')
  const id = receipt.runs[0]?.id ?? ''
  const ask = (more: object) => world.soon(world.hapax.runs.replay(id, { ...why, ...more }))
  await world.soon(world.hapax.runs.cancel(id, { ...why, undo: true }))
  expect(await world.ended(receipt)).toMatchObject({ status: 'cancelled', state: { reason: 'undone' } })

  const refused = { outcome: 'refused', reason: 'undone_needs_new_keys' }
  expect(await ask({})).toMatchObject(refused)
  // The checkpoints before a step were undone too.
  expect(await ask({ newKeys: true, fromStep: 'charge' })).toMatchObject(refused)
  expect(await world.soon(world.hapax.runs.retry(id, why))).toMatchObject({ outcome: 'refused', reason: 'undo_begun' })
  expect(undone).toEqual(['charged'])

  expect(await ask({ newKeys: true })).toMatchObject({ outcome: 'applied' })
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed', state: { generation: 2 } })
  expect(new Set(keys).size).toBe(2)
  await world.close()
})

onEitherStore((open) => {
  it('redrive keeps checkpoints and keys; replay starts empty, with new keys when asked', async () => {
    const keys: string[] = []
    let broken = true
    const world = await open({
      handlers: [
        handler('pay', on, async (_event, run) => {
          await run.step('pay', (key) => keys.push(key))
          await run.step('book', () => {
            if (broken) throw new Fatal('no such account')
            return 'booked'
          })
        }),
      ],
    })
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.ended(receipt)
    broken = false
    expect(await world.soon(world.hapax.runs.retry(id, { reason: 'account made' }))).toMatchObject({
      outcome: 'applied',
    })
    await world.until(async () => (await world.hapax.runs.get(id)).status === 'completed')
    expect(keys).toHaveLength(1)
    expect((await world.hapax.runs.get(id)).state?.generation).toBe(2)
    expect(await world.soon(world.hapax.runs.replay(id, { reason: 'test' }))).toMatchObject({ outcome: 'applied' })
    await world.until(async () => (await world.hapax.runs.get(id)).state?.generation === 3)
    await world.until(async () => (await world.hapax.runs.get(id)).status === 'completed')
    expect(keys).toHaveLength(2)
    expect(keys[1]).toBe(keys[0])
    await world.soon(world.hapax.runs.replay(id, { reason: 'test', newKeys: true }))
    await world.until(() => keys.length === 3)
    expect(keys[2]).not.toBe(keys[0])
    await world.close()
  })
})
