import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { sleep } from '../kit/clock.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('runs an event whose accept was committed and not answered, here or on the next owner (G5)', async () => {
    for (const stops of [false, true]) {
      let lost = 0
      const seen: string[] = []
      const greet = handler('greet', on, (event) => {
        seen.push(event.id)
      })
      const world = await open({
        handlers: [greet],
        wrapStore: between({
          commit: async (go, batch) => {
            const answer = await go()
            if (lost++ > 0 || !batch.accept?.length) return answer
            throw new HapaxError('store_unavailable', { reason: 'the answer was lost' })
          },
        }),
      })
      const accepted = world.hapax.accept(order('1'))
      await expect(world.soon(accepted)).rejects.toMatchObject({ code: 'store_unavailable' })
      if (stops) {
        await world.soon(world.hapax.stop())
        await world.node()
      }
      await world.until(() => seen.length > 0)
      await world.advance('30s')
      expect(seen).toEqual(['1'])
      await world.close()
    }
  })

  it('runs it, too, where the lease seemed to have run out when it was to be asked for, and a beat renewed it (G5)', async () => {
    let lost = 0
    let slowBeats = 0
    const seen: string[] = []
    const greet = handler('greet', on, (event) => {
      seen.push(event.id)
    })
    const world = await open({
      handlers: [greet],
      lease: '8s',
      beat: '2s',
      wrapStore: between({
        commit: async (go, batch) => {
          const answer = await go()
          if (lost++ > 0 || !batch.accept?.length) return answer
          throw new HapaxError('store_unavailable', { reason: 'the answer was lost' })
        },
        // The store counts the lease from when it hears the beat, the node from when it was sent.
        own: async (go) => {
          if (slowBeats-- > 0) await sleep(world.clock, 500)
          return go()
        },
      }),
    })
    slowBeats = 1
    await world.until(() => slowBeats === 0)
    await world.advance('1400ms')
    await expect(world.soon(world.hapax.accept(order('1')))).rejects.toMatchObject({ code: 'store_unavailable' })
    // The process stands still for as long as the lease that it counts, and not as long as the store's.
    const { clock } = world
    const monotonicMs = clock.monotonicMs.bind(clock)
    clock.monotonicMs = () => monotonicMs() + 5_800
    await world.until(() => seen.length > 0)
    expect(seen).toEqual(['1'])
    await world.close()
  })
})
