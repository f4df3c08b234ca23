import { expect, it } from 'vitest'
import { eventWith } from '../../test/support/entry.ts'
import { never, on, order } from '../../test/support/shop.ts'
import type { Registry } from '../event/handler-record.ts'
import { silentLog } from '../kit/log.ts'
import { memoryStore } from '../store/memory/index.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { Dispatcher } from './dispatcher.ts'
import { handler } from './handler.ts'

const registry: Registry = {
  version: 1,
  handlers: [
    {
      group: 'g',
      name: 'any',
      tag: 'tagtagta',
      sources: ['*'],
      types: ['*'],
      sinceVersion: 1,
      untilVersion: undefined,
      firstSeenAt: 0,
    },
  ],
}
const pair = { group: 'g', shard: 0, epoch: 1 }

/** A dispatcher with two slots and one pair, whose store never answers: it has what is handed over. */
function alone() {
  const clock = new FakeClock()
  /** By the ids of their events, in the order of their beginnings; called, a run ends. */
  const running = new Map<string, () => void>()
  const node = { holds: true }
  const dispatcher = new Dispatcher({
    clock,
    log: silentLog,
    store: { ...memoryStore({ clock }), tail: never, due: never },
    group: 'g',
    concurrency: 2,
    bounds: { held: 10, aside: 10, perKey: 1, page: 10 },
    leaseMs: 1_000,
    registry: () => registry,
    refreshRegistry: () => Promise.resolve(registry),
    orderOf: () => undefined,
    now: () => clock.now(),
    holds: () => node.holds,
    run: ({ event }) => new Promise((resolve) => running.set(event?.id ?? '', resolve)),
    ended: () => {},
    intervene: () => Promise.resolve(),
    isSuspect: ({ event }) => event?.id.startsWith('suspect') === true,
    usesOf: () => [],
    isAllInLines: () => false,
    perKeyOf: () => undefined,
    rankOf: (event) => ({ priority: 0, owner: event.tenant, key: '' }),
    lineOf: () => undefined,
    burstPlaces: { mayBe: () => false, of: () => undefined },
    expiryOf: () => undefined,
  })
  dispatcher.granted({ ...pair, graceful: true })
  const handOver = (...ids: string[]) => {
    for (const id of ids) dispatcher.expect(pair).take(eventWith(id))
  }
  const end = async (id: string) => {
    running.get(id)?.()
    running.delete(id)
    await clock.settle()
  }
  return { clock, node, dispatcher, handOver, running: () => [...running.keys()], end }
}

it('begins no more at once than it has slots, first come first (G8)', async () => {
  const { handOver, running, end, dispatcher } = alone()
  handOver('a', 'b', 'c', 'd')
  expect(running()).toEqual(['a', 'b'])
  await end('a')
  expect(running()).toEqual(['b', 'c'])
  dispatcher.stop()
  await end('b')
  expect(running()).toEqual(['c'])
})

it('passes by what has left memory while it was in line', async () => {
  const { handOver, running, end, dispatcher } = alone()
  handOver('a', 'b', 'c', 'd')
  const left = dispatcher.entry(0, `${eventWith('c').key}-tagtagta`)
  if (left) dispatcher.dropped(left)
  await end('a')
  expect(running()).toEqual(['b', 'd'])
  dispatcher.stop()
})

it('lets a suspect neither go beside others nor others beside it (G8)', async () => {
  const { handOver, running, end, dispatcher } = alone()
  handOver('a', 'suspect', 'c')
  expect(running()).toEqual(['a'])
  await end('a')
  expect(running()).toEqual(['suspect'])
  await end('suspect')
  expect(running()).toEqual(['c'])
  dispatcher.stop()
})

it('keeps what is ready while its lease has run out and the beat that renews it is not answered yet (G5)', async () => {
  const { node, handOver, running, end, dispatcher } = alone()
  node.holds = false
  handOver('plain', 'suspect')
  expect(running()).toEqual([])
  node.holds = true
  dispatcher.pump()
  expect(running()).toEqual(['suspect'])
  await end('suspect')
  expect(running()).toEqual(['plain'])
  dispatcher.stop()
})

it('is quiet when nothing executes, and begins nothing once it takes no more (G10)', async () => {
  const { clock, handOver, running, end, dispatcher } = alone()
  handOver('a', 'b', 'c')
  dispatcher.takeNoMore()
  let isQuiet = false
  void dispatcher.quiet().then(() => {
    isQuiet = true
  })
  await end('a')
  expect({ isQuiet, running: running() }).toEqual({ isQuiet: false, running: ['b'] })
  await end('b')
  expect({ isQuiet, running: running() }).toEqual({ isQuiet: true, running: [] })
  await clock.settle()
  dispatcher.stop()
})

it('runs alone from the first counted loss on: it begins beside nothing, and nothing begins beside it (G8)', async () => {
  const under = new Map<string, () => void>()
  const beside: string[][] = []
  let begun = 0
  /** Runs until it is let go. */
  const body = (name: string) => {
    under.set(name, () => {})
    if (begun === 3 && under.has('poison')) beside.push([...under.keys()].sort())
    return new Promise<void>((resolve) => under.set(name, resolve))
  }
  const letGo = async (name: string) => {
    await world.until(() => under.has(name), '1m')
    // Whatever else could begin has had its time.
    await world.advance('30s')
    under.get(name)?.()
    under.delete(name)
  }
  const poison = handler('poison', { source: 'poison', on: '*', timeout: '1d' }, () => {
    begun++
    return body('poison')
  })
  const neighbour = handler('neighbour', { ...on, timeout: '1d' }, ({ id }) => body(id))
  const world = await testWorld({ handlers: [poison, neighbour], shards: 2 })
  const poisoned = await world.hapax.accept(order('p', { source: 'poison' }))
  for (const crashes of [1, 2]) {
    await world.until(() => begun === crashes, '1m')
    await world.crash()
    under.clear()
    await world.node()
  }
  const neighbours = [await world.newest().accept(order('a')), await world.newest().accept(order('b'))]
  await world.until(() => under.size > 0, '1m')
  neighbours.push(await world.newest().accept(order('c')))
  // In whichever order they come: each is let go once it runs.
  const names = new Set(['a', 'b', 'c', 'poison'])
  while (names.size > 0) {
    await world.until(() => [...names].some((name) => under.has(name)), '1m')
    for (const name of names) {
      if (!under.has(name)) continue
      await letGo(name)
      names.delete(name)
    }
  }
  for (const one of [poisoned, ...neighbours]) {
    expect(await world.ended(one, '1m')).toMatchObject({ status: 'completed' })
  }
  expect({ begun, beside }).toEqual({ begun: 3, beside: [['poison']] })
  await world.close()
})
