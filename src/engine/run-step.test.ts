import { describe, expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { NotSent } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

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

onEitherStore((open) => {
  describe('a step in doubt', () => {
    const doubtful = { ...on, retry: { attempts: 3, min: '1s', jitter: 'none' } } as const

    it('is confirmed before it is repeated (G4)', async () => {
      const asked: string[] = []
      let ran = 0
      const world = await open({
        handlers: [
          handler('pay', doubtful, (_event, run) =>
            run.step('capture', {
              run: () => {
                ran++
                throw new Error('connection reset')
              },
              confirm: (key) => {
                asked.push(key)
                return { result: 'captured' }
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"captured"' } })
      expect(ran).toBe(1)
      expect(asked).toHaveLength(1)
      await world.close()
    })

    it('marked once is never repeated: its run is unknown until a person decides', async () => {
      let ran = 0
      const world = await open({
        handlers: [
          handler('mail', doubtful, (_event, run) =>
            run.step('send', {
              once: true,
              run: () => {
                ran++
                throw new Error('timeout')
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      await world.standing(receipt, 'unknown')
      await world.advance('1d')
      expect(ran).toBe(1)
      const id = receipt.runs[0]?.id ?? ''
      const answer = await world.soon(
        world.hapax.runs.resolve(id, { reason: 'it is in the outbox', step: 'send', result: 'sent' }),
      )
      expect(answer).toMatchObject({ outcome: 'applied' })
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"sent"' } })
      expect(ran).toBe(1)
      await world.close()
    })

    it('is not in doubt where nothing left the house', async () => {
      let ran = 0
      const world = await open({
        handlers: [
          handler('mail', doubtful, (_event, run) =>
            run.step('send', {
              once: true,
              run: () => {
                if (++ran < 3) throw new NotSent('no connection')
                return 'sent'
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"sent"' } })
      expect(ran).toBe(3)
      await world.close()
    })

    it('is known after a crash: begun, neither returned nor refused', async () => {
      let ran = 0
      const hang = handler('mail', doubtful, (_event, run) =>
        run.step('send', {
          once: true,
          run: () => {
            ran++
            return new Promise(() => {})
          },
        }),
      )
      const world = await open({ handlers: [hang] })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => ran === 1)
      await world.crash()
      const next = await world.node()
      await world.advance('30s')
      expect((await next.runs.get(receipt.runs[0]?.id ?? '')).status).toBe('unknown')
      expect(ran).toBe(1)
      await world.close()
    })

    it('refuses a step name used twice, and a result that is not JSON, at the first attempt', async () => {
      const world = await open({
        handlers: [
          handler('twice', { source: 'shop', on: 'order.twice' }, async (_event, run) => {
            await run.step('pay', () => 1)
            await run.step('pay', () => 2)
          }),
          handler('dated', { source: 'shop', on: 'order.dated' }, async (_event, run) => {
            await run.step('when', () => new Date(0))
          }),
        ],
      })
      const twice = await world.hapax.accept(order('1', { type: 'order.twice' }))
      const dated = await world.hapax.accept(order('2', { type: 'order.dated' }))
      expect(await world.ended(twice)).toMatchObject({
        status: 'dead',
        state: { reason: 'step_name_repeated', attempt: 1 },
      })
      expect(await world.ended(dated)).toMatchObject({
        status: 'dead',
        state: { reason: 'result_not_json', attempt: 1 },
      })
      await world.close()
    })
  })
})
