import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
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
})
