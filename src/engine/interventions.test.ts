import { expect, it } from 'vitest'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const on = { source: 'shop', on: 'order.*' } as const
const order = (id: string) => ({ source: 'shop', id, type: 'order.paid', data: { total: 5 } })
const why = { reason: 'a test', actor: 'me' }

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
