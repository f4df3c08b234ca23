import { describe, expect, it } from 'vitest'
import { on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const expired = { status: 'dead', state: { reason: 'run_expired', error: { code: 'run_expired' } } } as const

describe('expires', () => {
  it('ends a run between its steps, not only when an attempt begins', async () => {
    const seen: string[] = []
    const slow = handler('slow', { ...on, expires: '30s', timeout: '5m' }, async (_event, run) => {
      await run.step('first', () => seen.push('first'))
      await new Promise<void>((resolve) => world.clock.setTimer(31_000, resolve))
      await run.step('second', () => seen.push('second'))
    })
    const world = await testWorld({ handlers: [slow], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    expect(await world.ended(receipt, '2m')).toMatchObject(expired)
    expect(seen).toEqual(['first'])
    await world.close()
  })

  it.each(['sleep', 'wait', 'retry'] as const)('ends a %s that would outlive it, and frees its key', async (how) => {
    const options = { ...on, expires: '30s', order: { onDead: 'skip' }, retry: { min: '1h', jitter: 'none' } } as const
    const standing = handler('standing', options, async ({ id }, run) => {
      if (id !== '1') return
      if (how === 'sleep') await run.sleep('long', '1h')
      if (how === 'wait') await run.waitFor('approved')
      throw new TypeError('down')
    })
    const world = await testWorld({ handlers: [standing], shards: 1 })
    const first = await world.hapax.accept(order('1', { orderKey: 'key' }))
    await world.advance('20s')
    const second = await world.hapax.accept(order('2', { orderKey: 'key' }))
    expect(await world.ended(first, '15s')).toMatchObject(expired)
    expect(await world.ended(second, '5s')).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('counts anew from the verb that set the run going again', async () => {
    let down = true
    const options = { ...on, expires: '30s', retry: { attempts: 1 } } as const
    const failing = handler('failing', options, () => {
      if (down) throw new TypeError('down')
    })
    const world = await testWorld({ handlers: [failing], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.ended(receipt)
    await world.advance('1h')
    down = false
    await world.soon(world.hapax.runs.retry(receipt.runs[0]?.id ?? '', why))
    await world.standing(receipt, 'completed')
    await world.close()
  })

  it('never ends a run whose step is in doubt', async () => {
    let confirmed = 0
    const options = { ...on, expires: '30s', retry: { min: '1m', jitter: 'none' } } as const
    const charging = handler('charging', options, async (_event, run) => {
      await run.step('charge', {
        run: (): string => {
          throw new TypeError('connection reset')
        },
        confirm: () => (++confirmed === 1 ? 'unsure' : { result: 'ch_1' }),
      })
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    expect(await world.ended(receipt, '10m')).toMatchObject({ status: 'completed' })
    expect(confirmed).toBe(2)
    await world.close()
  })
})
