import { expect, it } from 'vitest'
import { FairQueue } from './fair-queue.ts'
import { seededRandom } from './random.ts'

const all = (queue: FairQueue<string>) => {
  const items: string[] = []
  for (let item = queue.first(); item !== undefined; item = queue.first()) {
    expect(queue.shift()).toBe(item)
    items.push(item)
  }
  return items
}

it('is first come first served where all are one owner’s and one key’s', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a', 'b', 'c']) queue.push(item, { priority: 0, owner: 'acme', key: '' })
  expect([queue.length, all(queue), queue.length]).toEqual([3, ['a', 'b', 'c'], 0])
})

it('lets owners take turns, and the keys of each', () => {
  const queue = new FairQueue<string>()
  for (let item = 0; item < 4; item++) queue.push(`acme ${item}`, { priority: 0, owner: 'acme', key: '' })
  queue.push('bolt x0', { priority: 0, owner: 'bolt', key: 'x' })
  queue.push('bolt x1', { priority: 0, owner: 'bolt', key: 'x' })
  queue.push('bolt y0', { priority: 0, owner: 'bolt', key: 'y' })
  expect(all(queue)).toEqual(['acme 0', 'bolt x0', 'acme 1', 'bolt y0', 'acme 2', 'bolt x1', 'acme 3'])
})

it('lets a higher priority go first, whenever it comes', () => {
  const queue = new FairQueue<string>()
  queue.push('low', { priority: -1, owner: 'acme', key: '' })
  queue.push('plain', { priority: 0, owner: 'acme', key: '' })
  expect(queue.first()).toBe('plain')
  queue.push('high', { priority: 10, owner: 'bolt', key: '' })
  expect(all(queue)).toEqual(['high', 'plain', 'low'])
})

it('loses nothing, keeps the order of each key, and makes nobody wait for more than one of each other owner', () => {
  const seed = 20_261_127
  const random = seededRandom(seed)
  const queue = new FairQueue<{ owner: string; key: string; number: number }>()
  const pick = (count: number) => Math.floor(random.fraction() * count)
  const waiting = new Map<string, number>()
  const last = new Map<string, number>()
  let pushed = 0
  let taken = 0
  for (let act = 0; act < 20_000; act++) {
    if (random.fraction() < 0.55) {
      const rank = { priority: 0, owner: `o${pick(4)}`, key: `k${pick(3)}` }
      queue.push({ ...rank, number: pushed++ }, rank)
    } else {
      const item = queue.shift()
      if (!item) continue
      taken++
      const name = `${item.owner} ${item.key}`
      expect(item.number, `seed ${seed}`).toBeGreaterThan(last.get(name) ?? -1)
      last.set(name, item.number)
      for (const owner of waiting.keys()) waiting.set(owner, (waiting.get(owner) ?? 0) + 1)
      waiting.set(item.owner, 0)
    }
  }
  expect(queue.length).toBe(pushed - taken)
  expect(queue.drain()).toHaveLength(pushed - taken)
})

it('costs nobody a turn that nothing comes of', () => {
  const queue = new FairQueue<string>()
  for (const item of ['x0', 'x1', 'x2']) queue.push(`acme ${item}`, { priority: 0, owner: 'acme', key: 'x' })
  queue.push('acme y0', { priority: 0, owner: 'acme', key: 'y' })
  for (const item of [0, 1]) queue.push(`bolt ${item}`, { priority: 0, owner: 'bolt', key: '' })
  expect([queue.skip(), queue.skip(), queue.length]).toEqual(['acme x0', 'acme x1', 4])
  expect([queue.shift(), queue.shift()]).toEqual(['acme x2', 'bolt 0'])
  expect([queue.skip(), queue.skip(), queue.skip()]).toEqual(['acme y0', 'bolt 1', undefined])
})
