import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

/** A store that hears of no other process's commits, and whose reads of runs fail while `isFailing` says so. */
function lonely(isFailing: () => boolean = () => false) {
  return between({
    onWork: () => () => {},
    run: (go) => (isFailing() ? Promise.reject(new TypeError('transient')) : go()),
  })
}

onEitherStore((open) => {
  it('judges a verb though another one, which it has not seen, waits behind it (G5)', async () => {
    const late: (() => void)[] = []
    let holds = false
    const world = await open({
      handlers: [handler('feed', { ...on, order: true }, async (_event, run) => run.waitFor('go'))],
      wrapStore: between({
        commit: async (go, batch) => {
          if (holds && batch.settle?.length) await new Promise<void>((resolve) => late.push(resolve))
          return go()
        },
      }),
    })
    const door = await world.node([])
    await world.soon(world.hapax.accept(order('head', { orderKey: 'k' })))
    const behind = await world.soon(world.hapax.accept(order('behind', { orderKey: 'k' })))
    const id = behind.runs[0]?.id ?? ''
    await world.advance('1s')
    holds = true
    const cancelled = door.runs.cancel(id, { reason: 'test' })
    await world.until(() => late.length > 0)
    const signalled = door.runs.signal(id, 'go')
    await world.advance('1s')
    holds = false
    for (const go of late) go()
    expect(await world.soon(cancelled)).toMatchObject({ outcome: 'applied' })
    expect(await world.soon(signalled)).toMatchObject({ outcome: 'refused' })
    await world.close()
  })
})

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

describe('a cancel that was answered `applied`', () => {
  it('holds, although a node died before it had settled it', async () => {
    let paid = 0
    const slow = handler('slow', { ...on, timeout: '10m' }, async (_event, run) => {
      await run.step('slow', {
        timeout: '5m',
        run: () => new Promise((resolve) => world.clock.setTimer(20_000, () => resolve(1))),
      })
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [slow], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    const answer = await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(answer.outcome).toBe('pending')
    await world.crash()
    await world.node()
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })

  it('holds, although the attempt had failed already and waited for a step beside it', async () => {
    let paid = 0
    const failing = handler('failing', { ...on, timeout: '10m', retry }, async (_event, run) => {
      const slow = {
        timeout: '5m',
        run: () => new Promise<void>((resolve) => world.clock.setTimer(20_000, resolve)),
      } as const
      await Promise.all([
        run.step('slow', slow),
        run.step('bad', () => {
          if (run.attempt === 1) throw new TypeError('no')
        }),
      ])
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [failing], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })

  it('holds, although it was committed in the moment in which the attempt ended in a sleep', async () => {
    let paid = 0
    const sleeping = handler('sleeping', { ...on, retry }, async (_event, run) => {
      await new Promise<void>((resolve) => world.clock.setTimer(300, resolve))
      await run.sleep('cool down', '10s')
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [sleeping], shards: 1, wrapStore: lonely() })
    await world.advance('10s')
    const receipt = await world.hapax.accept(order('1'))
    await world.advance(20)
    const stranger = await world.node([])
    const answer = world.soon(stranger.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(await answer).toMatchObject({ outcome: 'applied' })
    await world.advance('5m')
    expect(await stranger.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })
})

it('loses no signal', async () => {
  let failing = false
  const waiting = handler('waiting', on, (_event, run) => run.waitFor('go'))
  const world = await testWorld({ handlers: [waiting], shards: 1, wrapStore: lonely(() => failing) })
  const receipt = await world.hapax.accept(order('1'))
  await world.standing(receipt, 'waiting')
  failing = true
  const signalled = world.hapax.runs.signal(receipt.runs[0]?.id ?? '', 'go', 1)
  signalled.catch(() => {})
  await world.advance('2s')
  failing = false
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed', state: { result: '1' } })
  await world.close()
})
