import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { never, on, order } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  describe('a run', () => {
    it('is handled once, and its result is kept', async () => {
      const seen: string[] = []
      const world = await open({
        handlers: [
          handler('greet', on, (event) => {
            seen.push(event.id)
            return { hello: event.id }
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(receipt).toMatchObject({ outcome: 'accepted', runs: [{ handler: 'greet', status: 'ready' }] })
      expect(await world.ended(receipt)).toMatchObject({
        status: 'completed',
        state: { result: '{"hello":"1"}', attempt: 1 },
      })
      const again = await world.hapax.accept(order('1'))
      expect(again).toMatchObject({ outcome: 'duplicate', event: receipt.event, runs: [{ status: 'completed' }] })
      expect(await world.hapax.accept(order('1', { data: { total: 6 } }))).toMatchObject({
        outcome: 'conflict',
        event: receipt.event,
      })
      expect(seen).toEqual(['1'])
      await world.close()
    })

    it('gives every handler that takes it a run of its own', async () => {
      const world = await open({
        handlers: [handler('one', on, () => 1), handler('two', { source: '*', on: 'order.paid' }, () => 2)],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(receipt.runs.map((run) => run.handler)).toEqual(['one', 'two'])
      for (const run of receipt.runs) expect(await world.endedRun(run.id)).toMatchObject({ status: 'completed' })
      await world.close()
    })
  })

  describe('stop', () => {
    it('hands back what outlives the grace of a stop, at no cost of an attempt (G10)', async () => {
      let ran = 0
      const slow = handler('slow', { ...on, timeout: '10m', retry: { attempts: 1 } }, async () => {
        if (++ran === 1) await new Promise(() => {})
        return ran
      })
      const world = await open({ handlers: [slow] })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => ran === 1)
      await world.soon(world.hapax.stop(), '1m')
      await world.node()
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { failures: 0, losses: 0 } })
      await world.close()
    })
  })
})

describe('stop', () => {
  it('hands a run back that outlives its grace and does not even listen, its step in doubt (G4, G10)', async () => {
    let charged = 0
    const charging = handler('charging', { ...on, timeout: '1h' }, (_event, run) =>
      run.step('charge', { once: true, timeout: '1h', run: () => ++charged > 0 && never() }),
    )
    const world = await testWorld({ handlers: [charging], shards: 1, grace: '2s' })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => charged === 1)
    await world.soon(world.hapax.stop(), '5s')
    await world.node()
    await world.standing(receipt, 'unknown')
    const history = await world.newest().events.history(receipt.event.key)
    expect(history.filter((entry) => entry.kind === 'settled')).toMatchObject([
      { state: { reason: 'handed_back', failures: 0, losses: 0 } },
      { state: { reason: 'step_in_doubt' } },
    ])
    expect(charged).toBe(1)
    await world.close()
  })

  it('ends though the store does not answer, and what comes after it is refused (G10)', async () => {
    let isDown = false
    const slow = handler('slow', on, () => gate)
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const orDown = <Answer>(go: () => Promise<Answer>) =>
      isDown ? Promise.reject(new HapaxError('store_unavailable', { reason: 'a test' })) : go()
    const wrapStore = between({ commit: orDown, own: orDown })
    const world = await testWorld({ handlers: [slow], shards: 1, grace: '2s', wrapStore })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'running')
    isDown = true
    const stopped = world.hapax.stop()
    expect(world.hapax.stop()).toBe(stopped)
    await world.advance('1s')
    open()
    await world.soon(stopped, '10s')
    await expect(world.hapax.accept(order('2'))).rejects.toMatchObject({ code: 'engine_stopped' })
    isDown = false
    await world.node()
    expect(await world.ended(receipt, '20s')).toMatchObject({ status: 'completed' })
    await world.close()
  })
})
