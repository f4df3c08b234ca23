import { expect, it } from 'vitest'
import { never, on, order } from '../../test/support/shop.ts'
import type { EventRecord } from '../event/event.ts'
import { mintEventKey } from '../event/event-key.ts'
import type { Registry } from '../event/handler-record.ts'
import { silentLog } from '../kit/log.ts'
import { seededRandom } from '../kit/random.ts'
import { memoryStore } from '../store/memory/index.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { Dispatcher } from './dispatcher.ts'
import { handler } from './handler.ts'

it('keeps what is ready while its lease has run out and the beat that renews it is not answered yet (G5)', async () => {
  const clock = new FakeClock()
  const ran: string[] = []
  let holds = false
  const quietStore = new Proxy(memoryStore({ clock }), {
    get: (target, name) => (name === 'tail' || name === 'due' ? never : Reflect.get(target, name)),
  })
  const registry: Registry = {
    version: 1,
    handlers: [
      { group: 'g', name: 'any', tag: 'tagtagta', sources: ['*'], types: ['*'], sinceVersion: 1, ...neverLeft },
    ],
  }
  const dispatcher = new Dispatcher({
    clock,
    log: silentLog,
    store: quietStore,
    group: 'g',
    concurrency: 2,
    bounds: { held: 10, aside: 10, perKey: 1, page: 10 },
    registry: () => registry,
    refreshRegistry: () => Promise.resolve(registry),
    orderOf: () => undefined,
    now: () => clock.now(),
    holds: () => holds,
    run: (entry) => Promise.resolve(void ran.push(entry.event?.id ?? '')),
    intervene: () => Promise.resolve(),
    leaseMs: 1_000,
    isSuspect: ({ event }) => event?.id === 'suspect',
  })
  const pair = { group: 'g', shard: 0, epoch: 1 }
  dispatcher.granted({ ...pair, graceful: true })
  for (const id of ['plain', 'suspect']) dispatcher.expect(pair).take(eventWith(id))
  await clock.settle()
  expect(ran).toEqual([])
  holds = true
  dispatcher.pump()
  await clock.settle()
  expect(ran.sort()).toEqual(['plain', 'suspect'])
  dispatcher.stop()
})

const neverLeft = { untilVersion: undefined, firstSeenAt: 0 }

function eventWith(id: string): EventRecord {
  return {
    key: mintEventKey(1, 0, seededRandom(id.length)),
    position: id.length,
    shard: 0,
    tenant: 'default',
    source: 'shop',
    id,
    idSigned: true,
    type: 'order.paid',
    subject: undefined,
    time: undefined,
    contentType: 'application/json',
    orderKey: undefined,
    fingerprint: { keyId: 1, hash: 'a' },
    registryVersion: 1,
    acceptedAt: 0,
    headers: {},
    body: new Uint8Array(),
  }
}

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
