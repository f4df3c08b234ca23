import { describe, expect } from 'vitest'
import { dependency, Fatal, handler } from '../../src/index.ts'
import { testWorld } from '../../src/testing/index.ts'
import { inWorld, never, on, order, promise, why } from './promise.ts'

const keyed = (id: string, orderKey = 'key') => order(id, { orderKey })

describe('G7', () => {
  promise(
    [
      'Runs of a handler with `order` and the same order key go one at a time (an event without a key is not ordered)',
      'Other keys are not held up',
    ],
    async () => {
      const running = new Map<string | undefined, number>()
      let together = 0
      let most = 0
      const slow = handler('slow', { ...on, order: true }, async ({ orderKey }) => {
        const now = (running.get(orderKey) ?? 0) + 1
        running.set(orderKey, now)
        if (orderKey !== undefined) most = Math.max(most, now)
        together = Math.max(
          together,
          [...running.values()].reduce((sum, one) => sum + one, 0),
        )
        await new Promise<void>((resolve) => world.clock.setTimer(100, resolve))
        running.set(orderKey, now - 1)
      })
      const world = await testWorld({ handlers: [slow], shards: 4 })
      const receipts = []
      for (let index = 0; index < 5; index++) {
        receipts.push(await world.hapax.accept(keyed(`a${index}`, 'a')))
        receipts.push(await world.hapax.accept(keyed(`b${index}`, 'b')))
        receipts.push(await world.hapax.accept(order(`free${index}`)))
      }
      for (const receipt of receipts) expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
      // One of each key beside all that have none.
      expect({ most, together }).toEqual({ most: 1, together: 7 })
      await world.close()
    },
  )

  promise("If one accept's receipt came before another was sent, it goes first", async () => {
    const seen: string[] = []
    const ordered = handler('ordered', { ...on, order: true }, ({ id }) => void seen.push(id))
    await inWorld({ handlers: [ordered], shards: 4 }, async (world) => {
      const ids = Array.from({ length: 20 }, (_, index) => String(index))
      for (const id of ids) await world.hapax.accept(keyed(id))
      await world.until(() => seen.length === ids.length)
      expect(seen).toEqual(ids)
    })
  })

  promise('A begun head goes first after a takeover', async () => {
    const begun: string[] = []
    const hanging = handler('ordered', { ...on, order: true }, ({ id }) => {
      begun.push(id)
      return never()
    })
    await inWorld({ handlers: [hanging] }, async (world) => {
      const head = await world.hapax.accept(keyed('1'))
      const second = await world.hapax.accept(keyed('2'))
      await world.until(() => begun.length === 1)
      await world.crash()
      await world.node([handler('ordered', { ...on, order: true }, ({ id }) => void begun.push(id))])
      for (const receipt of [head, second]) await world.ended(receipt, '1m')
      expect(begun).toEqual(['1', '1', '2'])
    })
  })

  promise('A head that is scheduled, waiting, parked or unknown holds its key', async () => {
    const seen: string[] = []
    const bank = dependency('bank')
    const heads = {
      scheduled: (run: Parameters<Parameters<typeof handler>[2]>[1]) => run.sleep('long', '1d'),
      waiting: (run: Parameters<Parameters<typeof handler>[2]>[1]) => run.waitFor('go'),
      parked: () => bank.call(() => 'paid'),
      unknown: (run: Parameters<Parameters<typeof handler>[2]>[1]) =>
        run.step('mail', {
          once: true,
          run: () => {
            throw new TypeError('connection reset')
          },
        }),
    }
    for (const [status, stand] of Object.entries(heads)) {
      seen.length = 0
      const ordered = handler('ordered', { ...on, order: true }, async ({ id }, run) => {
        seen.push(id)
        if (id === '1') await stand(run)
      })
      await inWorld({ handlers: [ordered] }, async (world) => {
        await world.soon(world.hapax.controls.open('bank', why))
        const head = await world.hapax.accept(keyed('1'))
        const second = await world.hapax.accept(keyed('2'))
        await world.advance('10m')
        const [headRun, run] = [head.runs[0]?.id ?? '', second.runs[0]?.id ?? '']
        expect(await world.hapax.runs.get(headRun)).toMatchObject({ status })
        expect(await world.hapax.runs.get(run)).toMatchObject({ held: { reason: 'behind', by: headRun } })
        expect(seen).toEqual(['1'])
      })
    }
  })

  promise(
    [
      "a dead one blocks (`order: true` is `{ onDead: 'block' }`) or is skipped (`'skip'`)",
      'Redriven, a blocking one keeps its place, a skipped one goes to the back and says so',
    ],
    async () => {
      for (const { onDead, seen: wanted } of [
        { onDead: true, seen: ['1', '1', '2', '3'] },
        { onDead: { onDead: 'block' }, seen: ['1', '1', '2', '3'] },
        { onDead: { onDead: 'skip' }, seen: ['1', '2', '3', '1'] },
      ] as const) {
        const seen: string[] = []
        let mended = false
        const ordered = handler('ordered', { ...on, order: onDead }, ({ id }) => {
          seen.push(id)
          if (id === '1' && !mended) throw new Fatal('broken')
        })
        await inWorld({ handlers: [ordered] }, async (world) => {
          const receipts = []
          for (const id of ['1', '2', '3']) receipts.push(await world.hapax.accept(keyed(id)))
          await world.advance('1m')
          mended = true
          const answer = await world.soon(world.hapax.runs.retry(receipts[0]?.runs[0]?.id ?? '', why))
          const isSkipped = typeof onDead === 'object' && onDead.onDead === 'skip'
          expect(answer).toMatchObject({ outcome: 'applied', ...(isSkipped && { note: 'to_the_back' }) })
          await world.until(() => seen.length === 4)
          expect(seen).toEqual(wanted)
        })
      }
    },
  )

  promise('`cancel` of a blocking dead run releases its key and leaves it dead', async () => {
    const seen: string[] = []
    const ordered = handler('ordered', { ...on, order: true }, ({ id }) => {
      seen.push(id)
      if (id === '1') throw new Fatal('broken')
    })
    await inWorld({ handlers: [ordered] }, async (world) => {
      const head = await world.hapax.accept(keyed('1'))
      const second = await world.hapax.accept(keyed('2'))
      await world.ended(head)
      await world.advance('1m')
      expect(seen).toEqual(['1'])
      await world.soon(world.hapax.runs.cancel(head.runs[0]?.id ?? '', why))
      expect(await world.ended(second)).toMatchObject({ status: 'completed' })
      expect(await world.hapax.runs.get(head.runs[0]?.id ?? '')).toMatchObject({ status: 'dead' })
    })
  })
})
