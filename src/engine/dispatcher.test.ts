import { describe, expect, it } from 'vitest'
import type { Settings, Store } from '../store/store.ts'
import { testWorld } from '../testing/test-world.ts'
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
