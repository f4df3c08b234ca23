import { describe, expect, it } from 'vitest'
import { entryWith } from '../../test/support/entry.ts'
import { elsewhere, on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'
import { OwnedPair } from './owned-pair.ts'
import { Room } from './room.ts'

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

describe('what does not fit into memory', () => {
  const bounds = { held: 4, aside: 2, perKey: 1, page: 2 }

  it('holds up neither other keys nor verbs, and goes in its order when there is room (G5, G7)', async () => {
    const seen: string[] = []
    let down = true
    const ordered = handler('ordered', { ...on, order: true, retry: { ...retry, attempts: 90 } }, ({ id }) => {
      if (id === 'a0' && down) throw new TypeError('down')
      seen.push(id)
    })
    const world = await testWorld({ handlers: [ordered], shards: 1, bounds })
    const receipts = []
    for (let index = 0; index < 12; index++)
      receipts.push(await world.soon(world.hapax.accept(order(`a${index}`, { orderKey: 'a' }))))
    await world.advance('5s')
    const other = await world.soon(world.hapax.accept(order('b0', { orderKey: 'b' })))
    expect(await world.ended(other)).toMatchObject({ status: 'completed' })
    const last = receipts.at(-1)?.runs[0]?.id ?? ''
    expect(await world.soon(world.hapax.runs.cancel(last, why), '4s')).toMatchObject({ outcome: 'applied' })
    down = false
    await world.until(() => seen.length === 12, '5m')
    expect(seen).toEqual(['b0', ...Array.from({ length: 11 }, (_, index) => `a${index}`)])
    await world.close()
  })

  it('is there again after a pause, each once', async () => {
    const seen: string[] = []
    const slow = handler('slow', on, ({ id }) => seen.push(id))
    const other = handler('other', elsewhere, () => 'done')
    const world = await testWorld({ handlers: [slow, other], shards: 1, bounds })
    await world.soon(world.hapax.controls.pause('handler', 'slow', why))
    for (let index = 0; index < 9; index++) await world.soon(world.hapax.accept(order(`${index}`)))
    const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
    expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    expect(seen).toEqual([])
    await world.soon(world.hapax.controls.resume('handler', 'slow', why))
    await world.until(() => seen.length === 9)
    await world.advance('1m')
    expect([...seen].sort()).toEqual(Array.from({ length: 9 }, (_, index) => `${index}`))
    await world.close()
  })
})

describe('room', () => {
  const bounds = { held: 4, aside: 4, perKey: 1, page: 3 }
  const pairAt = (shard: number) => new OwnedPair({ group: 'g', shard, epoch: 1, graceful: true }, 0, 4)
  const read = { cursor: 9, more: false }

  it('is taken by what is ready or runs, and a page is never larger than what is left', () => {
    const room = new Room(bounds)
    const entries = ['a', 'b', 'c', 'd'].map((id) => entryWith(id))
    const pages = entries.map((entry) => {
      room.stage(entry, 'ready')
      return room.page
    })
    expect(pages).toEqual([3, 2, 1, 0])
    expect(room.isFree).toBe(false)
    const [runs, waits, moves, leaves] = entries
    if (runs) room.stage(runs, 'running')
    expect(room.page).toBe(0)
    if (waits) room.stage(waits, 'aside')
    if (moves) room.stage(moves, 'moving')
    if (leaves) room.stage(leaves, 'gone')
    expect([room.page, room.isHalfFree]).toEqual([3, true])
  })

  it('reads what was let go again once half of its room is free, or when it is wanted, and not while it is at it', () => {
    const room = new Room(bounds)
    const [one, other] = [pairAt(0), pairAt(1)]
    for (const pair of [one, other]) pair.passed(read, 0)
    const waiting = ['a', 'b', 'c', 'd'].map((id) => entryWith(id))
    for (const entry of waiting) room.stage(entry, 'aside')
    expect(room.isAsideFull).toBe(true)
    room.letGo(one, 5, 'key')
    expect([room.isLetGo('key'), room.isLetGo('another')]).toEqual([true, false])
    expect(room.takeUpAgain([one, other])).toBe(false)
    room.want()
    expect(room.takeUpAgain([one, other])).toBe(true)
    expect(room.isLetGo('key')).toBe(false)
    expect([one.next, other.next]).toMatchObject([{ cursor: 4, all: true }, { cursor: 9 }])
    expect(other.isReadAgain).toBe(false)

    room.letGo(other, 7, undefined)
    room.want()
    expect(room.takeUpAgain([one, other])).toBe(false)
    one.passed(read, 0)
    expect(room.takeUpAgain([one, other])).toBe(true)
    other.passed(read, 0)

    room.letGo(other, 7, undefined)
    expect(room.takeUpAgain([one, other])).toBe(false)
    for (const entry of waiting.slice(0, 3)) room.stage(entry, 'gone')
    expect(room.takeUpAgain([one, other])).toBe(true)
  })
})
