import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { acceptAll, coalesce, ids, isCoalesced, keeping, pass, windowMs } from '../../test/support/bursts.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { never, on, order, why } from '../../test/support/shop.ts'
import type { SettleItem } from '../store/store.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('makes one call of a burst, with the latest, after its window; the others say by whom they were overtaken', async () => {
    const { seen, keeps } = keeping()
    const world = await open({ handlers: [keeps] })
    const runs = await acceptAll(world, ids(50))
    const last = runs.at(-1) ?? ''
    await world.advance(windowMs - 200)
    expect(seen).toEqual([])
    expect((await world.hapax.runs.get(last)).status).toBe('ready')
    expect(await world.endedRun(last, '400ms')).toMatchObject({ status: 'completed', state: { reason: undefined } })
    expect(seen).toEqual(['49'])
    for (const run of runs.slice(0, -1)) {
      expect(await world.hapax.runs.get(run)).toMatchObject(isCoalesced)
      expect(await world.soon(world.hapax.runs.result(run))).toEqual({ coalescedBy: last })
    }
    const [first = ''] = runs
    const history = await world.hapax.events.history((await world.hapax.runs.get(first)).event)
    expect(history.filter(({ kind }) => kind === 'settled')).toMatchObject([{ state: isCoalesced.state }])
    await world.close()
  })

  it('begins another burst when the window is over', async () => {
    const { seen, keeps } = keeping()
    const world = await open({ handlers: [keeps] })
    await acceptAll(world, ['1', '2'])
    await world.advance(windowMs - 1_000)
    await acceptAll(world, ['3'])
    await world.advance(2_000)
    expect(seen).toEqual(['3'])
    await acceptAll(world, ['4', '5'])
    await world.advance(windowMs - 1_000)
    expect(seen).toEqual(['3'])
    await world.advance(2_000)
    expect(seen).toEqual(['3', '5'])
    await world.close()
  })

  it('keeps keys, tenants and handlers apart (G11)', async () => {
    const { seen, keeps } = keeping()
    const other = handler('other', { ...on, coalesce }, ({ tenant, id }) => seen.push(`other ${tenant} ${id}`))
    const world = await open({ handlers: [keeps, other] })
    await acceptAll(world, ['a1', 'a2'], { subject: 'a' })
    await acceptAll(world, ['b1', 'b2'], { subject: 'b' })
    await acceptAll(world, ['t1', 't2'], { subject: 'a', tenant: 'blue' })
    await world.advance(windowMs + 1_000)
    expect(seen.sort()).toEqual(['a2', 'b2', 'other blue t2', 'other default a2', 'other default b2', 't2'])
    await world.close()
  })

  it.each(['crash', 'stop'] as const)(
    'counts the window from its first event over a takeover in its middle (%s)',
    async (how) => {
      const { seen, keeps } = keeping()
      const world = await open({ handlers: [keeps], lease: '1s', beat: '250ms' })
      const before = await acceptAll(world, ids(5, 'before '))
      await world.advance('4s')
      if (how === 'crash') await world.crash()
      else await world.soon(world.hapax.stop())
      await world.node()
      const after = await acceptAll(world, ids(5, 'after '))
      await world.advance('4s')
      expect(seen).toEqual([])
      const last = after.at(-1) ?? ''
      await world.endedRun(last, '3s')
      expect(seen).toEqual(['after 4'])
      for (const run of [...before, ...after.slice(0, -1)])
        expect(await world.soon(world.newest().runs.result(run))).toEqual({ coalescedBy: last })
      await world.close()
    },
  )

  it('forms the bursts that the store has, window by window, however long nobody was there', async () => {
    const { seen, keeps } = keeping({ order: true })
    const world = await open({
      handlers: [keeps],
      bounds: { held: 20, aside: 100, perKey: 16, page: 3 },
      wrapStore: between({ tail: (go) => pass(world, 5).then(go) }),
    })
    await world.soon(world.hapax.stop())
    const door = await world.node([])
    for (const prefix of ['a', 'b', 'c']) {
      for (const id of ids(12, prefix)) await world.soon(door.accept(order(id, { subject: 'k', orderKey: 'k' })))
      await world.advance(windowMs)
    }
    await world.advance('1h')
    await world.node()
    await world.advance('1s')
    expect(seen).toEqual(['a11', 'b11', 'c11'])
    await world.close()
  })

  it('executes by itself what was retried, replayed or begun before, and lets it overtake none', async () => {
    const seen: string[] = []
    let fails = true
    const failing = handler(
      'keeps',
      { ...on, coalesce, retry: { attempts: 5, min: '2s', jitter: 'none' } },
      ({ id }) => {
        seen.push(id)
        if (id === '1' && fails) throw new TypeError('down')
      },
    )
    const world = await open({ handlers: [failing] })
    const [first = ''] = await acceptAll(world, ['1'])
    await world.advance(windowMs + 500)
    expect(seen).toEqual(['1'])
    // It is to be retried within the window of the next.
    const [second = '', third = ''] = await acceptAll(world, ['2', '3'])
    fails = false
    await world.endedRun(first)
    expect(seen).toEqual(['1', '1'])
    await world.soon(world.hapax.runs.replay(first, why))
    await world.until(() => seen.length === 3, '2s')
    expect(seen).toEqual(['1', '1', '1'])
    await world.endedRun(third, '20s')
    expect(seen).toEqual(['1', '1', '1', '3'])
    expect(await world.hapax.runs.get(second)).toMatchObject(isCoalesced)
    await world.soon(world.hapax.runs.replay(second, why))
    await world.until(() => seen.at(-1) === '2', '2s')
    await world.close()
  })

  it('lets the latest be retried by itself, and overtake nothing more', async () => {
    const seen: string[] = []
    const fails = handler('keeps', { ...on, coalesce, retry: { attempts: 2, min: '1s', jitter: 'none' } }, ({ id }) => {
      seen.push(id)
      throw new TypeError('down')
    })
    const world = await open({ handlers: [fails] })
    const [first = '', second = ''] = await acceptAll(world, ['1', '2'])
    expect(await world.endedRun(second, '20s')).toMatchObject({ status: 'dead' })
    expect(await world.hapax.runs.get(first)).toMatchObject(isCoalesced)
    expect(seen).toEqual(['2', '2'])
    await world.close()
  })

  it('begins a run again that was lost while it executed, and none that it had overtaken', async () => {
    const seen: string[] = []
    const hangs = handler('keeps', { ...on, coalesce }, ({ id }) => {
      seen.push(id)
      return seen.length === 1 ? never() : 'done'
    })
    const world = await open({ handlers: [hangs], lease: '1s', beat: '250ms' })
    const [first = ''] = await acceptAll(world, ['1'])
    await world.advance(windowMs - 1_000)
    const [second = ''] = await acceptAll(world, ['2'])
    await world.until(() => seen.length === 1, '20s')
    await world.crash()
    await world.node()
    // It is on record that it had begun: what comes now does not overtake it.
    const [third = ''] = await acceptAll(world, ['3'])
    await world.endedRun(second, '5s')
    await world.endedRun(third, '20s')
    expect(seen).toEqual(['2', '2', '3'])
    expect(await world.newest().runs.get(first)).toMatchObject(isCoalesced)
    await world.close()
  })

  it('takes the cancel of one that waits: the latest of the others goes', async () => {
    const { seen, keeps } = keeping()
    const world = await open({ handlers: [keeps] })
    const [first = '', second = '', third = ''] = await acceptAll(world, ['1', '2', '3'])
    expect(await world.soon(world.hapax.runs.retry(second, why))).toMatchObject({ outcome: 'refused', reason: 'ready' })
    expect(await world.soon(world.hapax.runs.cancel(third, why))).toMatchObject({ outcome: 'applied' })
    expect(await world.soon(world.hapax.runs.cancel(first, why))).toMatchObject({ outcome: 'applied' })
    await world.endedRun(second, '20s')
    expect(seen).toEqual(['2'])
    for (const run of [first, third]) expect((await world.hapax.runs.get(run)).status).toBe('cancelled')
    await world.close()
  })

  it.each(['10s', '30s'] as const)(
    'waits for a cancel that is being carried out when its window ends (%s)',
    async (window) => {
      const { seen, keeps } = keeping({ coalesce: { ...coalesce, window } })
      const world = await open({
        handlers: [keeps],
        wrapStore: between({
          commit: async (go, { settle = [] }) => {
            if (settle.some(({ state }) => state.status === 'cancelled')) await pass(world, 5_000)
            return go()
          },
        }),
      })
      const [first = '', second = '', third = ''] = await acceptAll(world, ids(3))
      await world.advance(window === '10s' ? 9_000 : 29_000)
      expect(await world.soon(world.hapax.runs.cancel(third, why))).toMatchObject({ outcome: 'applied' })
      await world.endedRun(second, '20s')
      expect(seen).toEqual(['1'])
      expect(await world.hapax.runs.result(first)).toEqual({ coalescedBy: second })
      await world.close()
    },
  )

  it.each([
    { count: 300, isOrdered: false },
    { count: 600, isOrdered: false },
    { count: 600, isOrdered: true },
  ])('settles the others, in few commits, before the latest begins (%o)', async ({ count, isOrdered }) => {
    const settled: SettleItem[][] = []
    const seen: number[] = []
    let slowMs = 0
    const keeps = handler('keeps', { ...on, coalesce, order: isOrdered }, () => seen.push(settled.flat().length))
    const world = await open({
      handlers: [keeps],
      wrapStore: between({
        commit: async (go, { settle = [] }) => {
          if (settle.length > 0) {
            slowMs += 500
            await pass(world, slowMs)
          }
          const result = await go()
          if (settle.length > 0) settled.push([...settle])
          return result
        },
      }),
    })
    await acceptAll(world, ids(count))
    await world.advance(windowMs + 8_000)
    expect(seen).toEqual([count - 1])
    expect(settled.flat()).toHaveLength(count)
    expect(settled.length).toBeLessThan(8)
    await world.close()
  })

  it('ends no burst while it stops (G10)', async () => {
    const { keeps } = keeping()
    const hangs = handler('hangs', { source: 'elsewhere', on: '*' }, never)
    const world = await open({ handlers: [keeps, hangs], grace: '8s' })
    await world.soon(world.hapax.accept({ source: 'elsewhere', id: '1', type: 'any', data: 1 }))
    const [first = ''] = await acceptAll(world, ids(2))
    const reader = await world.node([], { group: 'reader' })
    await world.advance(windowMs - 2_000)
    const stopped = world.hapax.stop()
    await world.advance('4s')
    expect((await reader.runs.get(first)).state).toBeUndefined()
    await world.soon(stopped)
    await world.close()
  })

  it('waits at a stop for what it is settling (G10)', async () => {
    const { seen, keeps } = keeping()
    let slowMs = 0
    const world = await open({
      handlers: [keeps],
      wrapStore: between({
        commit: async (go, { settle = [] }) => {
          if (settle.length > 0 && slowMs > 0) await pass(world, slowMs)
          return go()
        },
      }),
    })
    const [first = '', second = ''] = await acceptAll(world, ids(2))
    await world.advance(windowMs - 500)
    slowMs = 3_000
    await world.advance(1_000)
    await world.soon(world.hapax.stop())
    slowMs = 0
    await world.node()
    expect(await world.newest().runs.get(first)).toMatchObject(isCoalesced)
    await world.endedRun(second, '3s')
    expect(seen).toEqual(['1'])
    await world.close()
  })

  it('says of one that waits what it waits for', async () => {
    const { keeps } = keeping()
    const world = await open({ handlers: [keeps] })
    const [first = '', second = ''] = await acceptAll(world, ids(2))
    for (const run of [first, second])
      expect(await world.hapax.runs.get(run)).toMatchObject({ held: { reason: 'coalescing', by: second } })
    await world.close()
  })
})

it('executes by itself a run whose key cannot be told, and says so once', async () => {
  const seen: string[] = []
  const told: unknown[] = []
  const key = ({ data, id }: { readonly data: unknown; readonly id: string }) => {
    if (id.startsWith('throws')) throw new RangeError('no key')
    return id.startsWith('number') ? (7 as unknown as string) : String(data)
  }
  const keeps = handler('keeps', { ...on, coalesce: { key, window: windowMs } }, ({ id }) => seen.push(id))
  const log = {
    debug: () => {},
    info: () => {},
    warn: (text: string, more: unknown) => told.push([text, more]),
    error: () => {},
  }
  const world = await testWorld({ handlers: [], shards: 1 })
  const node = await world.node([keeps], { log })
  for (const id of ['throws 1', 'throws 2', 'number 3']) await world.soon(node.accept(order(id)))
  await world.until(() => seen.length === 3, '2s')
  expect(seen.sort()).toEqual(['number 3', 'throws 1', 'throws 2'])
  expect(told).toMatchObject([[expect.stringContaining('key of a burst'), { handler: 'keeps', error: 'no key' }]])
  await world.close()
})

it('leaves what waits to the next owner when a node joins, and hands its own back at a stop', async () => {
  const { seen, keeps } = keeping()
  const world = await testWorld({ handlers: [keeps], shards: 4 })
  const runs: string[] = []
  for (const key of ids(8, 'key-'))
    runs.push(...(await acceptAll(world, [`${key} 1`], { subject: key, orderKey: key })))
  await world.node()
  await world.advance('3s')
  for (const key of ids(8, 'key-'))
    runs.push(...(await acceptAll(world, [`${key} 2`], { subject: key, orderKey: key })))
  await world.soon(world.newest().stop())
  await world.advance('1s')
  expect(seen).toEqual([])
  await world.advance(windowMs)
  expect(seen.sort()).toEqual(ids(8, 'key-').map((key) => `${key} 2`))
  for (const run of runs) expect((await world.hapax.runs.get(run)).status).toBe('completed')
  await world.close()
})
