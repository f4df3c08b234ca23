import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { elsewhere, never, on, order, why } from '../../test/support/shop.ts'
import { Fatal } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'
import { holdsKey, type Ordered, OrderQueues, orderName } from './order-queues.ts'

onEitherStore((open) => {
  it('goes one at a time per key in the order of accepts, and does not hold up other keys (G7)', async () => {
    const seen: string[] = []
    let release: (() => void) | undefined
    const world = await open({
      handlers: [
        handler(
          'ledger',
          { ...on, order: true, retry: { attempts: 3, min: '10s', jitter: 'none' } },
          async (event, run) => {
            if (event.id === 'a1' && run.attempt === 1) throw new Error('first fails')
            if (event.id === 'a2') await new Promise<void>((resolve) => (release = resolve))
            seen.push(event.id)
          },
        ),
      ],
    })
    for (const id of ['a1', 'a2', 'a3', 'b1']) await world.hapax.accept(order(id, { orderKey: id.charAt(0) }))
    await world.until(() => seen.includes('b1'))
    expect(seen).toEqual(['b1'])
    await world.advance('11s')
    await world.until(() => release !== undefined)
    expect(seen).toEqual(['b1', 'a1'])
    release?.()
    await world.until(() => seen.length === 4)
    expect(seen).toEqual(['b1', 'a1', 'a2', 'a3'])
    await world.close()
  })

  it('is blocked by a dead head until it is released, and skips it where told', async () => {
    const seen: string[] = []
    const fails = (name: string, onDead: 'block' | 'skip') =>
      handler(name, { source: 'shop', on: `order.${onDead}`, order: { onDead } }, (event) => {
        if (event.id.endsWith('1')) throw new Fatal('no')
        seen.push(event.id)
      })
    const world = await open({ handlers: [fails('blocking', 'block'), fails('skipping', 'skip')] })
    const head = await world.hapax.accept(order('block-1', { type: 'order.block', orderKey: 'k' }))
    await world.hapax.accept(order('block-2', { type: 'order.block', orderKey: 'k' }))
    await world.hapax.accept(order('skip-1', { type: 'order.skip', orderKey: 'k' }))
    await world.hapax.accept(order('skip-2', { type: 'order.skip', orderKey: 'k' }))
    await world.until(() => seen.includes('skip-2'))
    await world.advance('1m')
    expect(seen).toEqual(['skip-2'])
    await world.soon(world.hapax.runs.cancel(head.runs[0]?.id ?? '', { reason: 'written off' }))
    await world.until(() => seen.includes('block-2'))
    expect((await world.hapax.runs.get(head.runs[0]?.id ?? '')).status).toBe('dead')
    await world.close()
  })
})

/** A handler of ordered runs: the first of its key dies, and the next never ends, until it is mended. */
function brokenAtFirst() {
  const seen: string[] = []
  let isBroken = true
  const ordered = handler('ordered', { ...on, order: { onDead: 'skip' } }, ({ id }) => {
    if (id === '1' && isBroken) throw new Fatal('broken')
    seen.push(id)
    return isBroken ? never() : undefined
  })
  const mend = () => {
    isBroken = false
  }
  return { seen, ordered, mend }
}

it('keeps the order of a key while its handler was missing (G7)', async () => {
  const seen: string[] = []
  const other = handler('other', elsewhere, () => {})
  const ordered = handler('ordered', { ...on, order: true }, async ({ id }, run) => {
    await run.sleep('a moment', '1ms')
    seen.push(id)
  })
  const world = await testWorld({ handlers: [other], shards: 1 })
  const two = await world.node([other, ordered])
  await world.advance('5s')
  for (const id of ['1', '2', '3']) {
    await two.accept(order(id, { orderKey: 'key' }))
    await world.advance('1s')
  }
  await world.soon(world.hapax.stop())
  await world.until(() => seen.length === 3, '3m')
  expect(seen).toEqual(['1', '2', '3'])
  await world.close()
})

it('a run that a verb put behind its key is there still, and one that had begun goes first (G7)', async () => {
  const { seen, ordered, mend } = brokenAtFirst()
  const world = await testWorld({ handlers: [ordered], shards: 1 })
  const receipts = []
  for (const id of ['1', '2', '3']) receipts.push(await world.hapax.accept(order(id, { orderKey: 'key' })))
  await world.until(() => seen.length === 1)
  const redriven = await world.soon(world.hapax.runs.retry(receipts[0]?.runs[0]?.id ?? '', why))
  expect(redriven).toMatchObject({ outcome: 'applied', note: 'to_the_back' })
  await world.crash()
  mend()
  await world.node()
  await world.until(() => seen.length === 4, '2m')
  expect(seen).toEqual(['2', '2', '3', '1'])
  await world.close()
})

it('a run that a verb put behind its key waits until all before it is read, however small the pages (G7)', async () => {
  const { seen, ordered, mend } = brokenAtFirst()
  const paused = handler('paused', elsewhere, () => {})
  const bounds = { held: 50, aside: 100, perKey: 16, page: 1 }
  const wrapStore = between({
    tail: async (go) => {
      await new Promise<void>((resolve) => world.clock.setTimer(100, resolve))
      return go()
    },
  })
  const world = await testWorld({ handlers: [ordered, paused], shards: 1, bounds, wrapStore })
  await world.soon(world.hapax.controls.pause('handler', 'paused', why))
  for (const id of ['a', 'b', 'c', 'd']) await world.soon(world.hapax.accept({ source: 'elsewhere', id, type: 'any' }))
  const receipts = []
  for (const id of ['1', '2', '3']) receipts.push(await world.hapax.accept(order(id, { orderKey: 'key' })))
  await world.until(() => seen.length === 1)
  await world.soon(world.hapax.runs.retry(receipts[0]?.runs[0]?.id ?? '', why))
  await world.crash()
  mend()
  await world.node()
  await world.until(() => seen.length === 4, '2m')
  expect(seen).toEqual(['2', '2', '3', '1'])
  await world.close()
})

it('one that had begun goes before what a verb put behind it, however small the memory (G7)', async () => {
  const { seen, ordered, mend } = brokenAtFirst()
  const bounds = { held: 10, aside: 1, perKey: 0, page: 10 }
  const world = await testWorld({ handlers: [ordered], shards: 1, bounds })
  // What waits behind another key takes all the room that there is.
  for (const id of ['x', 'y']) await world.hapax.accept(order(id, { orderKey: 'other' }))
  const receipts = []
  for (const id of ['1', '2', '3']) receipts.push(await world.hapax.accept(order(id, { orderKey: 'key' })))
  await world.until(() => seen.length === 2)
  await world.soon(world.hapax.runs.retry(receipts[0]?.runs[0]?.id ?? '', why))
  await world.crash()
  mend()
  await world.node()
  await world.until(() => seen.length === 7, '2m')
  expect(seen.filter((id) => id < 'x')).toEqual(['2', '2', '3', '1'])
  await world.close()
})

describe('the queue of a key', () => {
  const item = (place: number, begun = false): Ordered => ({ place, begun })

  it('has begun ones first, then each in its place, in whichever order they come (G7)', () => {
    const items = [item(5), item(3), item(9, true), item(4), item(2), item(6, true)]
    const queues = new OrderQueues<Ordered>()
    const heads = items.map((one) => queues.add('key', one))
    expect(heads).toEqual([true, true, true, false, false, true])
    const out: number[] = []
    for (let head = queues.head('key'); head; head = queues.head('key')) {
      out.push(head.place)
      queues.remove('key', head)
    }
    expect(out).toEqual([6, 9, 2, 3, 4, 5])
    expect(queues.length('key')).toBe(0)
  })

  it('says who is the new head where the head leaves, and nothing where another leaves', () => {
    const [one, two, three] = [item(1), item(2), item(3)]
    const queues = new OrderQueues<Ordered>()
    for (const each of [one, two, three]) queues.add('key', each)
    expect(queues.add('another key', item(0))).toBe(true)
    expect(queues.remove('key', two)).toBeUndefined()
    expect(queues.remove('key', one)).toBe(three)
    expect(queues.remove('key', one)).toBeUndefined()
    expect(queues.head('key')).toBe(three)
  })

  it('has a name that no other tenant and key have', () => {
    expect(orderName('tag', 'ab', 'c')).not.toBe(orderName('tag', 'a', 'bc'))
    expect(orderName('tag', 'a', 'c')).not.toBe(orderName('gat', 'a', 'c'))
  })
})

describe('a key', () => {
  const dead = { status: 'dead', reason: 'Fatal' } as const

  it.each(['ready', 'scheduled', 'waiting', 'unknown', 'undoing'] as const)('is held by what is %s (G7)', (status) => {
    for (const onDead of ['block', 'skip'] as const) expect(holdsKey({ status, reason: undefined }, onDead)).toBe(true)
  })

  it.each(['completed', 'cancelled'] as const)('is not held by what is %s', (status) => {
    expect(holdsKey({ status, reason: undefined }, 'block')).toBe(false)
  })

  it('is held by what is dead where that blocks, until it is released (G7)', () => {
    expect([holdsKey(dead, 'block'), holdsKey(dead, 'skip')]).toEqual([true, false])
    expect(holdsKey({ status: 'dead', reason: 'released' }, 'block')).toBe(false)
  })
})
