import { afterEach, describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { never, on, order, why } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { RetryLater } from '../event/outcome.ts'
import type { Log } from '../kit/log.ts'
import { silentLog } from '../kit/log.ts'
import { type TestWorld, type TestWorldOptions, testWorld } from '../testing/test-world.ts'
import type { NewEvent, RunView } from './api.ts'
import { type HandlerEvent, type HandlerOptions, handler, type Run, type SupersedeOptions } from './handler.ts'

const supersede = {
  key: (event: HandlerEvent) => event.subject ?? '',
  version: (event: HandlerEvent) => Reflect.get(Object(event.data), 'version'),
}

const worlds: TestWorld[] = []

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

type Body = (event: HandlerEvent, run: Run) => unknown

/** A shop whose handler `sync` says which events it was called for. */
async function shop(
  more: Partial<HandlerOptions> = {},
  body: Body = () => {},
  world: Partial<TestWorldOptions> & { log?: Log } = {},
) {
  const called: string[] = []
  const sync = handler('sync', { ...on, supersede, ...more }, (event, run) => {
    called.push(event.id)
    return body(event, run)
  })
  const opened = await testWorld({ handlers: [sync], shards: 1, ...world })
  worlds.push(opened)
  const accept = (id: string, version: unknown, over: Partial<NewEvent> = {}) =>
    opened.hapax.accept(order(id, { subject: 'product 7', data: { version }, ...over }))
  return {
    world: opened,
    called,
    accept,
    processed: async (id: string, version: unknown, over: Partial<NewEvent> = {}): Promise<RunView> =>
      opened.ended(await accept(id, version, over)),
  }
}

function superseded(by: unknown) {
  return { status: 'completed', state: { reason: 'superseded', result: JSON.stringify({ supersededBy: by }) } }
}

const plain = { status: 'completed', state: { reason: undefined } }

describe('supersede', () => {
  it('drops what is older than what was processed, and executes what is equal or newer', async () => {
    const { called, processed } = await shop()
    expect(await processed('a', 2)).toMatchObject(plain)
    const { state } = await processed('older', 1)
    expect(state).toMatchObject({ reason: 'superseded', result: '{"supersededBy":2}', attempt: 0 })
    expect(await processed('equal', 2)).toMatchObject(plain)
    expect(await processed('newer', 10)).toMatchObject(plain)
    expect(await processed('between', 9.5)).toMatchObject(superseded(10))
    expect(called).toEqual(['a', 'equal', 'newer'])
  })

  it('compares negative numbers, texts and dates, and takes each text as newer than numbers', async () => {
    const { called, processed } = await shop()
    await processed('a', -3)
    expect(await processed('b', -4)).toMatchObject(superseded(-3))
    const dated = { ...supersede, version: (event: HandlerEvent) => new Date(Number(event.id)) }
    const dates = await shop({ supersede: dated })
    await dates.processed('1764000000000', 0)
    expect(await dates.processed('1763999999999', 0)).toMatchObject(superseded(1_764_000_000_000))
    await processed('c', '2026-01-02')
    expect(await processed('d', '2026-01-01')).toMatchObject(superseded('2026-01-02'))
    expect(await processed('e', 9e99)).toMatchObject(superseded('2026-01-02'))
    expect(called).toEqual(['a', 'c'])
  })

  it('keeps keys, tenants and handlers apart (G11)', async () => {
    const { called, processed } = await shop()
    await processed('a', 5)
    expect(await processed('key', 1, { subject: 'product 8' })).toMatchObject(plain)
    expect(await processed('tenant', 1, { tenant: 'acme' })).toMatchObject(plain)
    expect(await processed('long', 1, { subject: 'x'.repeat(300) })).toMatchObject(plain)
    expect(await processed('hash', 0, { subject: `${'x'.repeat(299)}y` })).toMatchObject(plain)
    expect(await processed('old', 0, { subject: 'x'.repeat(300) })).toMatchObject(superseded(1))
    expect(called).toEqual(['a', 'key', 'tenant', 'long', 'hash'])

    const [one, other] = ['order.one', 'order.other'].map((type) =>
      handler(type, { source: 'shop', on: type, supersede }, () => {}),
    )
    const both = await shop({}, () => {}, { handlers: [one, other].flatMap((declared) => declared ?? []) })
    await both.processed('a', 5, { type: 'order.one' })
    expect(await both.processed('b', 4, { type: 'order.other' })).toMatchObject(plain)
    expect(await both.processed('c', 4, { type: 'order.one' })).toMatchObject(superseded(5))
  })

  it('raises nothing by a run that fails or dies, and drops it when a newer one was processed meanwhile', async () => {
    const failing: Body = ({ id }) => {
      if (id.startsWith('bad')) throw new TypeError('no')
    }
    const { called, processed, accept, world } = await shop(
      { retry: { attempts: 2, min: '1m', jitter: 'none' } },
      failing,
    )
    const failed = await accept('bad newest', 9)
    await world.standing(failed, 'scheduled')
    expect(await processed('older', 3)).toMatchObject(plain)
    expect(await world.ended(failed, '5m')).toMatchObject({ status: 'dead' })
    expect(await processed('old again', 4)).toMatchObject(plain)

    const late = await accept('bad older', 5)
    await world.standing(late, 'scheduled')
    await processed('newest', 6)
    expect(await world.ended(late, '5m')).toMatchObject(superseded(6))
    expect(called.filter((id) => id === 'bad older')).toHaveLength(1)
  })

  it('raises before it settles: after a crash in between the run is repeated, and the older one is dropped', async () => {
    let isCut = true
    const cut = between({
      commit: (go, batch) => (isCut && batch.settle?.length ? never() : go()),
    })
    const { called, accept, world } = await shop({}, () => {}, { wrapStore: cut })
    const receipt = await accept('a', 2)
    await world.until(() => called.length === 1)
    await world.advance('1s')
    await world.crash()
    isCut = false
    const node = await world.node()
    expect(await world.ended(receipt, '1m')).toMatchObject(plain)
    expect(called).toEqual(['a', 'a'])
    const older = await node.accept(order('b', { subject: 'product 7', data: { version: 1 } }))
    expect(await world.ended(older)).toMatchObject(superseded(2))
  })

  it('settles nothing as completed whose version is not kept: that is tried again, and its handler is not called again', async () => {
    let failures = 3
    const failing = between({
      raiseVersion: (go) =>
        failures-- > 0 ? Promise.reject(new HapaxError('store_unavailable', { reason: 'a test' })) : go(),
    })
    const { called, processed } = await shop({}, () => {}, { wrapStore: failing })
    expect(await processed('a', 2)).toMatchObject(plain)
    expect(called).toEqual(['a'])
    expect(await processed('b', 1)).toMatchObject(superseded(2))
  })

  it('ends no run that has a step in doubt: that is asked for first', async () => {
    let asked = 0
    const paying: Body = (event, run) =>
      event.id === 'paid'
        ? run.step('pay', {
            run: () => Promise.reject(new TypeError('no answer')),
            confirm: () => {
              asked++
              return { result: 'paid' }
            },
          })
        : undefined
    const retry = { attempts: 5, min: '1m', jitter: 'none' } as const
    const { called, processed, accept, world } = await shop({ retry }, paying)
    const receipt = await accept('paid', 1)
    await world.standing(receipt, 'scheduled')
    await processed('newer', 2)
    expect(await world.ended(receipt, '5m')).toMatchObject({ ...plain, state: { result: '"paid"' } })
    expect([asked, called]).toEqual([1, ['paid', 'newer', 'paid']])
    // It is older still: it raised nothing.
    expect(await processed('older', 1)).toMatchObject(superseded(2))
  })

  it('undoes what is to be undone, whatever was processed meanwhile', async () => {
    const undone: string[] = []
    let isUp = false
    const booking: Body = async (event, run) => {
      await run.step('book', {
        run: () => event.id,
        undo: (id) => {
          if (!isUp) throw new RetryLater('1m')
          undone.push(String(id))
        },
      })
      if (event.id === 'bad') throw new TypeError('no')
    }
    const { processed, accept, world } = await shop(
      { undoOnDeath: true, retry: { attempts: 1, min: '1m', jitter: 'none' } },
      booking,
    )
    const receipt = await accept('bad', 1)
    await world.standing(receipt, 'undoing')
    await world.advance('1s')
    await processed('newer', 2)
    isUp = true
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'dead' })
    expect(undone).toEqual(['bad'])
  })

  it('gives the store keys that any database keeps, and different ones for different keys', async () => {
    const keys: string[] = []
    const seen = between({
      raiseVersion: (go, { key }) => {
        keys.push(key)
        return go()
      },
    })
    const subjects = ['x', 'é'.repeat(127), 'é'.repeat(128), 'x\u0000', 'x\u0001', '\ud83d', '\ud83e', '']
    // The last is the hash of another.
    const key = (event: HandlerEvent) => subjects[Number(event.id)] ?? keys[3] ?? ''
    const { called, processed } = await shop({ supersede: { ...supersede, key } }, () => {}, { wrapStore: seen })
    for (const id of [...subjects.keys(), subjects.length]) await processed(`${id}`, 100 - id)
    expect(called).toHaveLength(subjects.length + 1)
    expect(new Set(keys).size).toBe(subjects.length + 1)
    for (const kept of keys) {
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(255)
      expect(kept.isWellFormed() && !kept.includes('\u0000')).toBe(true)
    }
    expect([keys[0], keys[1], keys[7]]).toEqual([subjects[0], subjects[1], ''])
  })

  it('looks again at each replay: an older run is not executed by one', async () => {
    const { called, processed, world } = await shop()
    const { id } = await processed('a', 1)
    await world.soon(world.hapax.runs.replay(id, why))
    await world.endedRun(id)
    expect(called).toEqual(['a', 'a'])
    await processed('b', 2)
    await world.soon(world.hapax.runs.replay(id, why))
    expect(await world.endedRun(id)).toMatchObject(superseded(2))
    expect(called).toEqual(['a', 'a', 'b'])
  })

  it.each<[string, { readonly key?: () => unknown; readonly version?: () => unknown }]>([
    [
      'a key that throws',
      {
        key: () => {
          throw new TypeError('no key')
        },
      },
    ],
    [
      'a version that throws what cannot be read',
      {
        version: () => {
          throw Object.create(null)
        },
      },
    ],
    ['a key that is no text', { key: () => Reflect.get({ of: 7 }, 'of') }],
    ['a version that is no number', { version: () => Number.NaN }],
    ['a promise that is rejected', { version: () => Promise.reject(new TypeError('late')) }],
  ])('executes as without it where it gets %s, and says so once', async (_what, wrong) => {
    const said: unknown[] = []
    const log = { ...silentLog, warn: (message: string, fields?: object) => void said.push({ message, ...fields }) }
    let asks = 0
    const counted = between({
      newestVersion: (go) => {
        asks++
        return go()
      },
      raiseVersion: (go) => {
        asks++
        return go()
      },
    })
    const called: string[] = []
    // Options as JavaScript may give them: what the compiler would refuse is what is tested.
    const sync = handler(
      'sync',
      { ...on, supersede: { ...supersede, ...wrong } as SupersedeOptions },
      ({ id }) => void called.push(id),
    )
    const world = await testWorld({ handlers: [], shards: 1, wrapStore: counted })
    worlds.push(world)
    const node = await world.node([sync], { log })
    for (const [id, version] of [
      ['a', 2],
      ['b', 1],
    ] as const)
      expect(await world.ended(await node.accept(order(id, { data: { version } })))).toMatchObject(plain)
    expect([called, asks]).toEqual([['a', 'b'], 0])
    expect(said).toEqual([expect.objectContaining({ handler: 'sync', message: expect.stringContaining('version') })])
  })

  it('costs a handler without it no call of the store, and an equal version none but the look', async () => {
    const calls: string[] = []
    const counted = between({
      newestVersion: (go) => {
        calls.push('look')
        return go()
      },
      raiseVersion: (go) => {
        calls.push('raise')
        return go()
      },
    })
    const without = await shop({ supersede: undefined as never }, () => {}, { wrapStore: counted })
    await without.processed('a', 1)
    expect(calls).toEqual([])
    const { processed } = await shop({}, () => {}, { wrapStore: counted })
    await processed('a', 1)
    await processed('b', 1)
    expect(calls).toEqual(['look', 'raise', 'look'])
  })
})
