import { expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('emits follow-up events once, with its tenant', async () => {
    const seen: unknown[] = []
    const world = await open({
      handlers: [
        handler('first', { ...on, retry: { attempts: 5, min: '1s', jitter: 'none' } }, async (_event, run) => {
          await run.emit({ type: 'invoice.due', data: { n: 1 } })
          if (run.attempt < 3) throw new Error('again')
        }),
        handler('second', { source: 'default', on: 'invoice.due' }, (event) => {
          seen.push([event.tenant, event.data])
        }),
      ],
    })
    const receipt = await world.hapax.accept(order('1', { tenant: 'acme' }))
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { attempt: 3 } })
    await world.advance('5s')
    expect(seen).toEqual([['acme', { n: 1 }]])
    await world.close()
  })
})
