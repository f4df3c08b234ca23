import { expect, it } from 'vitest'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const on = { source: 'shop', on: 'order.*' } as const
const order = (id: string) => ({ source: 'shop', id, type: 'order.paid', data: { total: 5 } })

/** A step whose call fails in a way that leaves it in doubt, so often; each time it is tried, its key is noted. */
function failing(keys: string[], options: { keyTtl: '1m' | '4m'; times: number }) {
  const retry = { attempts: 10, min: '2m', factor: 1, jitter: 'none' } as const
  return handler('charging', { ...on, retry }, (_event, run) =>
    run.step('charge', {
      keyTtl: options.keyTtl,
      run: (key) => {
        keys.push(key)
        if (keys.length <= options.times) throw new TypeError('connection reset')
        return 'charged'
      },
    }),
  )
}

it('repeats a step in doubt with the same key while the other side remembers it', async () => {
  const keys: string[] = []
  const world = await testWorld({ handlers: [failing(keys, { keyTtl: '4m', times: 1 })] })
  expect(await world.ended(await world.hapax.accept(order('1')), '1h')).toMatchObject({ status: 'completed' })
  expect(keys).toHaveLength(2)
  expect(new Set(keys).size).toBe(1)
  await world.close()
})

it('never repeats a step in doubt once its keyTtl has passed: a person decides', async () => {
  const keys: string[] = []
  const world = await testWorld({ handlers: [failing(keys, { keyTtl: '1m', times: 1 })] })
  const receipt = await world.hapax.accept(order('1'))
  await world.advance('3m')
  await world.standing(receipt, 'unknown')
  const id = receipt.runs[0]?.id ?? ''
  expect(await world.hapax.runs.get(id)).toMatchObject({ state: { reason: 'step_in_doubt' } })
  expect(keys).toHaveLength(1)
  // The person looked, and says that it may be tried again.
  const verdict = { step: 'charge', repeat: true, reason: 'not charged', actor: 'me' } as const
  expect(await world.soon(world.hapax.runs.resolve(id, verdict))).toMatchObject({ outcome: 'applied' })
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
  expect(keys).toHaveLength(2)
  await world.close()
})

it('counts the keyTtl from the first attempt, over all that came after it', async () => {
  const keys: string[] = []
  const world = await testWorld({ handlers: [failing(keys, { keyTtl: '4m', times: 9 })] })
  const receipt = await world.hapax.accept(order('1'))
  await world.advance('1h')
  await world.standing(receipt, 'unknown')
  // At 0, 2 and 4 minutes; at 6 the key may be forgotten.
  expect(keys).toHaveLength(3)
  await world.close()
})
