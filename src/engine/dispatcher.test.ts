import { describe, expect, it } from 'vitest'
import type { EventRecord } from '../event/event.ts'
import { mintEventKey } from '../event/event-key.ts'
import type { Registry } from '../event/handler-record.ts'
import { Fatal } from '../event/outcome.ts'
import { silentLog } from '../kit/log.ts'
import { seededRandom } from '../kit/random.ts'
import { memoryStore } from '../store/memory/index.ts'
import type { Settings, Store } from '../store/store.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { Dispatcher } from './dispatcher.ts'
import { handler } from './handler.ts'

const on = { source: 'shop', on: 'order.*' } as const
const elsewhere = { source: 'elsewhere', on: '*' } as const
const order = (id: string, orderKey?: string) => {
  return { source: 'shop', id, type: 'order.paid', data: { total: 5 }, ...(orderKey && { orderKey }) }
}
const why = { reason: 'a test', actor: 'me' }
const retry = { attempts: 5, min: '1s', jitter: 'none' } as const
const never = () => new Promise<never>(() => {})

/** A store that hears of no other process's commits, and whose reads of runs fail while `isFailing` says so. */
function lonely(isFailing: () => boolean = () => false): (store: Store) => Store {
  return (store) =>
    new Proxy(store, {
      get(target, name) {
        if (name === 'onWork') return () => () => {}
        if (name === 'run' && isFailing()) return () => Promise.reject(new TypeError('transient'))
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
}

describe('what an owner has in memory', () => {
  it('has a run of each handler that an event names, also of one that it learns of by that event (G5)', async () => {
    const other = handler('other', elsewhere, () => {})
    const fresh = handler('fresh', on, () => 'done')
    const world = await testWorld({ handlers: [other], shards: 1 })
    await world.advance('10s')
    const two = await world.node([other, fresh])
    const receipt = await two.accept(order('1'))
    await world.advance('2m')
    await world.soon(world.hapax.stop())
    expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('leaves to the next owner what was accepted while it stopped (G5, G10)', async () => {
    const slow = handler('slow', on, ({ id }) => (id === 'slow' ? world.clock.advance(0).then(() => pause) : 'done'))
    let end = () => {}
    const pause = new Promise<void>((resolve) => {
      end = resolve
    })
    const world = await testWorld({ handlers: [slow], shards: 4 })
    await world.hapax.accept(order('slow'))
    await world.advance('1s')
    const inFlight = world.hapax.accept(order('late'))
    const stopped = world.hapax.stop()
    const receipt = await inFlight
    await world.advance('5s')
    end()
    await world.soon(stopped)
    await world.node()
    expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('holds up nobody but its own key, however many wait behind a head (G7)', async () => {
    let tries = 0
    let done = 0
    const ordered = handler('ordered', { ...on, order: true, retry: { ...retry, min: '20s' } }, ({ id }) => {
      if (id === '0' && ++tries < 3) throw new TypeError('down')
      done++
    })
    const world = await testWorld({ handlers: [ordered, handler('other', elsewhere, () => 'done')], shards: 1 })
    const behind = 4_100
    await world.hapax.accept(order('0', 'key'))
    for (let from = 1; from <= behind; from += 1_025) {
      const some = Array.from({ length: 1_025 }, (_, index) => world.hapax.accept(order(`${from + index}`, 'key')))
      await world.soon(Promise.all(some))
      await world.advance('1s')
    }
    const receipt = await world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 })
    expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    await world.until(() => done === behind + 1, '10m')
    await world.close()
  })

  it('begins nothing of a handler after its pause, also of what was queued before', async () => {
    const seen: string[] = []
    const slow = handler('slow', on, async ({ id }) => {
      seen.push(id)
      if (id === '1') await gate
    })
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const world = await testWorld({ handlers: [slow], shards: 1, concurrency: 1 })
    for (const id of ['1', '2', '3']) await world.hapax.accept(order(id))
    await world.advance('1s')
    const settings: Settings = await world.soon(world.hapax.controls.pause('handler', 'slow', why))
    expect(settings.paused).toHaveLength(1)
    open()
    await world.advance('1m')
    expect(seen).toEqual(['1'])
    await world.soon(world.hapax.controls.resume('handler', 'slow', why))
    await world.until(() => seen.length === 3)
    expect(seen).toEqual(['1', '2', '3'])
    await world.close()
  })

  it('pauses the handler of one group alone, where it is named with it', async () => {
    const seen: string[] = []
    const mine = handler('book', on, ({ id }) => seen.push(id))
    const world = await testWorld({ handlers: [mine], shards: 1, group: 'pay' })
    await world.soon(world.hapax.controls.pause('handler', 'mail/book', why))
    await world.hapax.accept(order('1'))
    await world.until(() => seen.length === 1)
    const answer = await world.soon(world.hapax.controls.pause('handler', 'pay/book', why))
    expect(answer).toMatchObject({ matches: { handlers: 1 } })
    const receipt = await world.hapax.accept(order('2'))
    await world.advance('10s')
    expect(await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ held: { reason: 'paused' } })
    expect(seen).toEqual(['1'])
    await world.close()
  })

  it('pauses a renamed handler by the name that it has now', async () => {
    const world = await testWorld({ handlers: [handler('old', on, () => {})], shards: 1 })
    await world.soon(world.hapax.stop())
    const two = await world.node([handler('fresh', { ...on, formerly: ['old'] }, () => {})])
    await world.soon(two.controls.pause('handler', 'fresh', why))
    const receipt = await two.accept(order('1'))
    await world.advance('10s')
    expect(await two.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status: 'ready', handler: 'fresh' })
    await world.close()
  })

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
      await two.accept(order(id, 'key'))
      await world.advance('1s')
    }
    await world.soon(world.hapax.stop())
    await world.until(() => seen.length === 3, '3m')
    expect(seen).toEqual(['1', '2', '3'])
    await world.close()
  })

  it('counts a lost lease once, however long the handler is missing afterwards (G8)', async () => {
    const hangs = handler('handler', { ...on, order: true }, never)
    const works = handler('handler', { ...on, order: true }, () => 'done')
    const other = handler('other', elsewhere, () => {})
    const world = await testWorld({ handlers: [hangs], shards: 1 })
    const receipt = await world.hapax.accept(order('1', 'key'))
    await world.advance('1s')
    await world.crash()
    const two = await world.node([other])
    await world.advance('5m')
    expect(await two.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status: 'waiting', state: { losses: 1 } })
    await world.node([other, works])
    await world.soon(two.stop())
    expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed' })
    await world.close()
  })
})

describe('a cancel that was answered `applied`', () => {
  it('holds, although a node died before it had settled it', async () => {
    let paid = 0
    const slow = handler('slow', { ...on, timeout: '10m' }, async (_event, run) => {
      await run.step('slow', {
        timeout: '5m',
        run: () => new Promise((resolve) => world.clock.setTimer(20_000, () => resolve(1))),
      })
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [slow], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    const answer = await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(answer.outcome).toBe('pending')
    await world.crash()
    await world.node()
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })

  it('holds, although the attempt had failed already and waited for a step beside it', async () => {
    let paid = 0
    const failing = handler('failing', { ...on, timeout: '10m', retry }, async (_event, run) => {
      const slow = {
        timeout: '5m',
        run: () => new Promise<void>((resolve) => world.clock.setTimer(20_000, resolve)),
      } as const
      await Promise.all([
        run.step('slow', slow),
        run.step('bad', () => {
          if (run.attempt === 1) throw new TypeError('no')
        }),
      ])
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [failing], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })

  it('holds, although it was committed in the moment in which the attempt ended in a sleep', async () => {
    let paid = 0
    const sleeping = handler('sleeping', { ...on, retry }, async (_event, run) => {
      await new Promise<void>((resolve) => world.clock.setTimer(300, resolve))
      await run.sleep('cool down', '10s')
      await run.step('pay', () => ++paid)
    })
    const world = await testWorld({ handlers: [sleeping], shards: 1, wrapStore: lonely() })
    await world.advance('10s')
    const receipt = await world.hapax.accept(order('1'))
    await world.advance(20)
    const stranger = await world.node([])
    const answer = world.soon(stranger.runs.cancel(receipt.runs[0]?.id ?? '', why))
    expect(await answer).toMatchObject({ outcome: 'applied' })
    await world.advance('5m')
    expect(await stranger.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status: 'cancelled' })
    expect(paid).toBe(0)
    await world.close()
  })
})

describe('a store that fails a read now and then', () => {
  it('loses no signal', async () => {
    let failing = false
    const waiting = handler('waiting', on, (_event, run) => run.waitFor('go'))
    const world = await testWorld({ handlers: [waiting], shards: 1, wrapStore: lonely(() => failing) })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'waiting')
    failing = true
    const signalled = world.hapax.runs.signal(receipt.runs[0]?.id ?? '', 'go', 1)
    signalled.catch(() => {})
    await world.advance('2s')
    failing = false
    expect(await world.ended(receipt)).toMatchObject({ status: 'completed', state: { result: '1' } })
    await world.close()
  })

  it('loses no run whose settlement must look again', async () => {
    let failing = false
    let ran = 0
    const brief = handler('brief', on, async () => {
      ran++
      await new Promise<void>((resolve) => world.clock.setTimer(300, resolve))
      return 'done'
    })
    const world = await testWorld({ handlers: [brief], shards: 1, wrapStore: lonely(() => failing) })
    await world.advance('10s')
    const receipt = await world.hapax.accept(order('1'))
    await world.advance(20)
    const stranger = await world.node([])
    stranger.runs.signal(receipt.runs[0]?.id ?? '', 'unasked', 1).catch(() => {})
    await world.advance(50)
    failing = true
    await world.advance('2s')
    failing = false
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
    expect(ran).toBe(1)
    await world.close()
  })
})

it('judges whatever is thrown, also errors without a text', async () => {
  const hostile = [{ message: { code: 42 } }, { message: undefined }, { name: 7 }, { stack: null }]
  const throwing = handler('throwing', { ...on, retry: { attempts: 1 } }, ({ data }) => {
    throw Object.assign(new TypeError('x'), hostile[(data as { index: number }).index])
  })
  const world = await testWorld({ handlers: [throwing], shards: 1 })
  for (const index of hostile.keys()) {
    const receipt = await world.hapax.accept({ ...order(`${index}`), data: { index } })
    expect(await world.ended(receipt)).toMatchObject({ status: 'dead' })
  }
  await world.close()
})

it('commits what alone is larger than a commit may be', async () => {
  const world = await testWorld({ handlers: [handler('any', on, () => {})], shards: 1 })
  const body = new Uint8Array(9_000_000)
  const big = world.hapax.accept({ ...order('big'), data: undefined, body, contentType: 'application/octet-stream' })
  expect(await world.soon(big)).toMatchObject({ outcome: 'accepted' })
  await world.close()
})

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
      receipts.push(await world.soon(world.hapax.accept(order(`a${index}`, 'a'))))
    await world.advance('5s')
    const other = await world.soon(world.hapax.accept(order('b0', 'b')))
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

  it('lets due runs of others by, where those of a paused handler fill every page', async () => {
    const failing = handler('failing', { ...on, retry }, () => {
      throw new TypeError('down')
    })
    const other = handler('other', elsewhere, async (_event, run) => {
      await run.sleep('a moment', '30s')
      return 'done'
    })
    const world = await testWorld({ handlers: [failing, other], shards: 1, bounds })
    for (let index = 0; index < 6; index++) await world.soon(world.hapax.accept(order(`${index}`)))
    await world.soon(world.hapax.controls.pause('handler', 'failing', why))
    const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
    await world.standing(receipt, 'scheduled')
    expect(await world.ended(receipt, '40s')).toMatchObject({ status: 'completed' })
    await world.close()
  })
})

describe('after a takeover from a lost node', () => {
  it('a run that a verb put behind its key is there still, and one that had begun goes first (G7)', async () => {
    const seen: string[] = []
    let isBroken = true
    const ordered = handler('ordered', { ...on, order: { onDead: 'skip' } }, ({ id }) => {
      if (id === '1' && isBroken) throw new Fatal('broken')
      seen.push(id)
      return isBroken ? never() : undefined
    })
    const world = await testWorld({ handlers: [ordered], shards: 1 })
    const receipts = []
    for (const id of ['1', '2', '3']) receipts.push(await world.hapax.accept(order(id, 'key')))
    await world.until(() => seen.length === 1)
    const redriven = await world.soon(world.hapax.runs.retry(receipts[0]?.runs[0]?.id ?? '', why))
    expect(redriven).toMatchObject({ outcome: 'applied', note: 'to_the_back' })
    await world.crash()
    isBroken = false
    await world.node()
    await world.until(() => seen.length === 4, '2m')
    expect(seen).toEqual(['2', '2', '3', '1'])
    await world.close()
  })

  it('a poison event deep in the backlog is counted as a crash loop (G8)', async () => {
    let entered = 0
    const waiting = handler('waiting', on, () => 'done')
    const poison = handler('poison', elsewhere, () => {
      entered++
      return never()
    })
    const handlers = [waiting, poison]
    const bounds = { held: 50, aside: 100, perKey: 1, page: 5 }
    const world = await testWorld({ handlers, shards: 1, bounds })
    await world.soon(world.hapax.controls.pause('handler', 'waiting', why))
    for (let index = 0; index < 20; index++) await world.soon(world.hapax.accept(order(`${index}`)))
    const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
    const before = () => {
      const times = entered
      return world.until(() => entered > times, '30s')
    }
    await world.until(() => entered === 1)
    for (let crash = 0; crash < 5; crash++) {
      await world.crash()
      await world.node()
      await before()
    }
    await world.crash()
    await world.node()
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'dead', state: { error: { code: 'crash_loop' } } })
    expect(entered).toBe(6)
    await world.crash()
  })
})

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
