import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { acceptAll, coalesce, ids, isCoalesced, keeping, windowMs } from '../../test/support/bursts.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { elsewhere, never, on, order, why } from '../../test/support/shop.ts'
import type { Receipt } from '../event/receipt.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

it('holds up nobody but its own key, however many wait behind a head (G7)', async () => {
  let tries = 0
  let done = 0
  const ordered = handler('ordered', { ...on, order: true, retry: { ...retry, min: '20s' } }, ({ id }) => {
    if (id === '0' && ++tries < 3) throw new TypeError('down')
    done++
  })
  const world = await testWorld({ handlers: [ordered, handler('other', elsewhere, () => 'done')], shards: 1 })
  const behind = 4_100
  await world.hapax.accept(order('0', { orderKey: 'key' }))
  for (let from = 1; from <= behind; from += 1_025) {
    const some = Array.from({ length: 1_025 }, (_, index) =>
      world.hapax.accept(order(`${from + index}`, { orderKey: 'key' })),
    )
    await world.soon(Promise.all(some))
    await world.advance('1s')
  }
  const receipt = await world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 })
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
  await world.until(() => done === behind + 1, '10m')
  await world.close()
})

onEitherStore((open) => {
  it('gives shards to a node that joins, with all that waits in them (G5)', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const world = await open({ handlers: [handler('queue', { ...on, order: true }, () => gate)] })
    const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`)
    const receipts: Receipt[] = []
    for (const turn of [1, 2, 3]) {
      for (const orderKey of keys) receipts.push(await world.hapax.accept(order(`${orderKey} ${turn}`, { orderKey })))
    }
    await world.node()
    // The first of each key executes when its shard is asked for; the others are ready behind it.
    await world.advance('10s')
    release()
    for (const receipt of receipts) expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    await world.close()
  })
})

describe('bursts of an ordered handler', () => {
  it('goes in the order of those that are left (G7)', async () => {
    const { seen, keeps } = keeping({ order: true })
    const world = await testWorld({ handlers: [keeps], shards: 1 })
    await acceptAll(world, ['a1'], { subject: 'a' })
    await acceptAll(world, ['b1'], { subject: 'b' })
    await acceptAll(world, ['a2'], { subject: 'a' })
    await acceptAll(world, ['c1'], { subject: 'c' })
    await acceptAll(world, ['b2'], { subject: 'b' })
    await acceptAll(world, ['x1'], { subject: 'a', orderKey: 'x' })
    await world.advance(windowMs + 1_000)
    expect(seen.filter((id) => id !== 'x1')).toEqual(['a2', 'c1', 'b2'])
    expect(seen).toContain('x1')
    await world.close()
  })

  it('waits behind the head of its key, and overtakes while it does', async () => {
    const seen: string[] = []
    let down = true
    const keeps = handler(
      'keeps',
      { ...on, coalesce, order: true, retry: { attempts: 90, min: '5s', max: '5s', jitter: 'none' } },
      ({ id }) => {
        if (id === '1' && down) throw new TypeError('down')
        seen.push(id)
      },
    )
    const world = await testWorld({ handlers: [keeps], shards: 1 })
    await acceptAll(world, ['1'])
    await world.advance(windowMs + 1_000)
    const [second = ''] = await acceptAll(world, ['2', '3', '4'])
    await world.advance(windowMs + 1_000)
    expect(await world.hapax.runs.get(second)).toMatchObject(isCoalesced)
    await acceptAll(world, ['5', '6'])
    await world.advance(windowMs + 1_000)
    expect(seen).toEqual([])
    down = false
    await world.until(() => seen.length === 3, '20s')
    expect(seen).toEqual(['1', '4', '6'])
    await world.close()
  })
})

describe('bursts in memory', () => {
  const bounds = { held: 4, aside: 6, perKey: 1, page: 4 }

  it('is bounded for one long burst: still one call (aside)', async () => {
    const { seen, keeps } = keeping()
    const world = await testWorld({ handlers: [keeps], shards: 1, bounds })
    const runs = await acceptAll(world, ids(60))
    await world.advance('1s')
    const early = await Promise.all(runs.map(async (run) => (await world.hapax.runs.get(run)).status))
    expect(early.filter((status) => status === 'ready').length).toBeLessThanOrEqual(bounds.aside + 1)
    expect(early[0]).toBe('ready')
    await world.advance(windowMs)
    expect(seen).toEqual(['59'])
    for (const run of runs) expect((await world.hapax.runs.get(run)).status).toBe('completed')
    await world.close()
  })

  it('is bounded for many bursts: each key has its latest in the end, and nothing goes after what is newer', async () => {
    const { seen, keeps } = keeping()
    let isReadAgain = false
    const wrapStore = between({
      tail: (go, { cursors }) => {
        isReadAgain ||= cursors.some(({ all }) => all)
        return go()
      },
    })
    const world = await testWorld({ handlers: [keeps], shards: 1, bounds, wrapStore })
    const runs: string[] = []
    for (const turn of ids(3))
      for (const subject of ids(30, 'key-')) runs.push(...(await acceptAll(world, [`${subject} ${turn}`], { subject })))
    await world.advance('5m')
    expect(isReadAgain).toBe(true)
    for (const run of runs) expect((await world.hapax.runs.get(run)).status).toBe('completed')
    for (const subject of ids(30, 'key-')) {
      const turns = seen.filter((id) => id.startsWith(`${subject} `)).map((id) => Number(id.split(' ')[1]))
      expect(turns.at(-1)).toBe(2)
      expect(turns).toEqual([...turns].sort())
    }
    await world.close()
  })

  it('holds up no other handler, and is not held up by one that is paused', async () => {
    const { seen, keeps } = keeping()
    const paused = handler('paused', { source: 'elsewhere', on: '*' }, () => {})
    const world = await testWorld({ handlers: [keeps, paused], shards: 1, bounds })
    await world.soon(world.hapax.controls.pause('handler', 'paused', why))
    for (const id of ids(12)) await world.soon(world.hapax.accept({ source: 'elsewhere', id, type: 'any', data: 1 }))
    await world.advance('1s')
    for (const subject of ids(5, 'key-')) await acceptAll(world, [`${subject} 1`, `${subject} 2`], { subject })
    await world.advance('2m')
    expect([...new Set(seen.filter((id) => id.endsWith(' 2')))]).toEqual(ids(5, 'key-').map((key) => `${key} 2`))
    await world.close()
  })

  it('ends a burst, though the store cannot be read on for want of room', async () => {
    const { seen, keeps } = keeping()
    const hangs = handler('hangs', { source: 'elsewhere', on: '*', timeout: '10m' }, never)
    const world = await testWorld({ handlers: [keeps, hangs], shards: 1, bounds })
    await acceptAll(world, ['1', '2'])
    for (const id of ids(12)) await world.soon(world.hapax.accept({ source: 'elsewhere', id, type: 'any', data: 1 }))
    await world.advance(2 * windowMs + 3_000)
    expect(seen).toEqual(['2'])
    await world.crash()
  })
})
