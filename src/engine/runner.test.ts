import { describe, expect, it } from 'vitest'
import type { StandardSchema } from '../event/standard-schema.ts'
import { testWorld } from '../testing/test-world.ts'
import type { RunView } from './api.ts'
import { handler } from './handler.ts'

const on = { source: 'shop', on: 'order.*' } as const
const order = (id: string) => ({ source: 'shop', id, type: 'order.paid', data: { total: 5 } })
const why = { reason: 'a test', actor: 'me' }
const never = () => new Promise<never>(() => {})

describe('a handler that expires', () => {
  it('is dead as run_expired when its time has passed between two attempts', async () => {
    let called = 0
    const retry = { attempts: 50, min: '25s', factor: 1, jitter: 'none' } as const
    const late = handler('late', { ...on, expires: '1m', retry }, () => {
      called++
      throw new TypeError('not yet')
    })
    const world = await testWorld({ handlers: [late] })
    const run = await world.ended(await world.hapax.accept(order('1')), '5m')
    expect(run).toMatchObject({ status: 'dead', state: { reason: 'run_expired', error: { code: 'run_expired' } } })
    // At 0, 25 and 50 seconds; at 75 it was too late.
    expect(called).toBe(3)
    await world.close()
  })

  it('never gives up a step in doubt: it is asked for first', async () => {
    let asked = 0
    const paying = handler('paying', { ...on, expires: '1m' }, (_event, run) =>
      run.step('pay', {
        run: never,
        confirm: () => {
          asked++
          return { result: 'paid' }
        },
      }),
    )
    const world = await testWorld({ handlers: [paying], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    await world.crash()
    await world.advance('10m')
    await world.node()
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"paid"' } })
    expect(asked).toBe(1)
    await world.close()
  })
})

describe('data that does not fit the schema', () => {
  const schema = (wanted: number): StandardSchema<{ total: number }> => ({
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        const total: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'total') : undefined
        return total === wanted ? { value: { total } } : { issues: [{ message: `total is not ${wanted}` }] }
      },
    },
  })

  it('is dead as schema_mismatch at once, and runs once the schema is mended', async () => {
    const booked: number[] = []
    const booking = (wanted: number) =>
      handler('booking', { ...on, schema: schema(wanted) }, ({ data }) => void booked.push(data.total))
    const world = await testWorld({ handlers: [booking(6)] })
    const receipt = await world.hapax.accept(order('1'))
    const dead: RunView = await world.ended(receipt)
    expect(dead).toMatchObject({
      status: 'dead',
      state: { reason: 'schema_mismatch', attempt: 1, error: { message: expect.stringContaining('total is not 6') } },
    })
    await world.close()
    const mended = await world.node([booking(5)])
    expect(await world.soon(mended.runs.retry(dead.id, why))).toMatchObject({ outcome: 'applied' })
    expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    expect(booked).toEqual([5])
    await world.close()
  })
})

describe('an event whose body retention dropped', () => {
  it('is dead as payload_dropped at once when it is replayed: no retry brings the body back', async () => {
    let called = 0
    const counting = handler('counting', on, () => void called++)
    const world = await testWorld({ handlers: [counting], retention: { payloads: '1m' } })
    const receipt = await world.hapax.accept(order('1'))
    const { id } = await world.ended(receipt)
    await world.until(async () => (await world.hapax.events.get(receipt.event.key)).event.body === undefined, '1h')
    expect(await world.soon(world.hapax.runs.replay(id, why))).toMatchObject({ outcome: 'applied' })
    expect(await world.ended(receipt)).toMatchObject({
      status: 'dead',
      state: { generation: 2, reason: 'payload_dropped', attempt: 1 },
    })
    expect(called).toBe(1)
    await world.close()
  })
})

describe('what a handler may throw', () => {
  const hostile = new Proxy(new TypeError('no'), {
    get: () => {
      throw new TypeError('not even this')
    },
  })
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('x')],
    ['a bigint', 1n],
    ['an empty text', ''],
    ['an object without a prototype', Object.create(null)],
    ['an error that cannot be read', hostile],
  ])('%s: fails its attempt, from the handler and from a step', async (_name, thrown) => {
    const retry = { attempts: 2, min: '1s' } as const
    const handlers = [
      handler('whole', { ...on, retry }, () => {
        throw thrown
      }),
      handler('later', { ...on, retry }, () => Promise.reject(thrown)),
      handler('step', { ...on, retry }, (_event, run) =>
        run.step('one', () => {
          throw thrown
        }),
      ),
    ]
    const world = await testWorld({ handlers })
    const { runs } = await world.hapax.accept(order('1'))
    for (const { id } of runs) {
      const run = await world.endedRun(id, '1h')
      expect(run).toMatchObject({ status: 'dead', state: { reason: 'attempts_exhausted', error: { code: 'thrown' } } })
    }
    await world.close()
  })
})

describe('a run that lost its node', () => {
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
    const poisoned = await world.hapax.accept({ ...order('p'), source: 'poison' })
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
})
