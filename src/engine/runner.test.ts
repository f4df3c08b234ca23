import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { elsewhere, never, on, order, why } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal, RetryLater } from '../event/outcome.ts'
import type { StandardSchema } from '../event/standard-schema.ts'
import { testWorld } from '../testing/test-world.ts'
import type { RunView } from './api.ts'
import { handler } from './handler.ts'

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

/** A store that hears of no other process's commits, and whose reads of runs fail while `isFailing` says so. */
function lonely(isFailing: () => boolean = () => false) {
  return between({
    onWork: () => () => {},
    run: (go) => (isFailing() ? Promise.reject(new TypeError('transient')) : go()),
  })
}

onEitherStore((open) => {
  it('retries by its policy, resumes after the last checkpoint, and is dead when its attempts are used up', async () => {
    const calls: string[] = []
    const world = await open({
      handlers: [
        handler('flaky', { ...on, retry: { attempts: 3, min: '10s', jitter: 'none' } }, async (_event, run) => {
          await run.step('once', () => calls.push('once'))
          calls.push(`attempt ${run.attempt}`)
          throw new TypeError('no')
        }),
      ],
    })
    const receipt = await world.hapax.accept(order('1'))
    const run = await world.ended(receipt, '10m')
    expect(run).toMatchObject({
      status: 'dead',
      state: { reason: 'attempts_exhausted', error: { code: 'TypeError' }, failures: 3 },
    })
    expect(calls).toEqual(['once', 'attempt 1', 'attempt 2', 'attempt 3'])
    await world.close()
  })

  it('is deferred without an attempt by RetryLater, and dead at once by Fatal', async () => {
    let times = 0
    const world = await open({
      handlers: [
        handler('later', { source: 'shop', on: 'order.later', retry: { attempts: 1 } }, () => {
          if (++times < 5) throw new RetryLater('30s')
          return times
        }),
        handler('fatal', { source: 'shop', on: 'order.fatal' }, () => {
          throw new Fatal('closed')
        }),
      ],
    })
    const later = await world.hapax.accept(order('1', { type: 'order.later' }))
    const fatal = await world.hapax.accept(order('2', { type: 'order.fatal' }))
    expect(await world.ended(fatal)).toMatchObject({ status: 'dead', state: { reason: 'Fatal' } })
    expect(await world.ended(later, '10m')).toMatchObject({ status: 'completed', state: { result: '5' } })
    await world.close()
  })

  it('hears a signal that comes between the end of an attempt and its settlement (G5)', async () => {
    const late: (() => void)[] = []
    let hold = false
    const world = await open({
      handlers: [handler('wait', on, async (_event, run) => run.waitFor('go'))],
      wrapStore: between({
        commit: async (go, batch) => {
          const answer = await go()
          if (hold && batch.settle?.length) await new Promise<void>((resolve) => late.push(resolve))
          return answer
        },
      }),
    })
    const door = await world.node([])
    hold = true
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => late.length > 0)
    hold = false
    // To the store the run waits; to its owner it is still running.
    const signalled = door.runs.signal(receipt.runs[0]?.id ?? '', 'go', 'now')
    await world.advance('2s')
    for (const go of late) go()
    await world.soon(signalled)
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"now"' } })
    await world.close()
  })

  it('forgets neither a run nor a verb while the store cannot be read (G5)', async () => {
    let blind = true
    let failures = 0
    let release = () => {}
    const orDown = <Answer>(go: () => Promise<Answer>) =>
      blind ? Promise.reject(new HapaxError('store_unavailable', { reason: 'down' })) : go()
    const world = await open({
      handlers: [
        handler('gate', on, async (_event, run) => {
          if (run.attempt === 1) await new Promise<void>((resolve) => (release = resolve))
          return run.waitFor('go')
        }),
      ],
      wrapStore: between({
        tail: orDown,
        run: (go) => {
          if (blind) failures++
          return orDown(go)
        },
      }),
    })
    blind = false
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.advance('1s')
    blind = true
    // The signal is committed, nobody hears of it, and the settlement must look again.
    const signalled = world.hapax.runs.signal(id, 'go', 'now').catch(() => {})
    release()
    await world.advance('5s')
    expect(failures).toBeGreaterThan(2)
    blind = false
    await world.soon(signalled)
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"now"' } })
    blind = true
    failures = 0
    const replayed = world.hapax.runs.replay(id, { reason: 'test' }).catch(() => {})
    await world.advance('5s')
    blind = false
    await world.soon(replayed)
    await world.until(async () => (await world.hapax.runs.get(id)).state?.generation === 2)
    await world.close()
  })

  it('enters no handler whose begin was answered after the lease had run out (G6)', async () => {
    const entered: number[] = []
    let late = 0
    const world = await open({
      handlers: [handler('ledger', { ...on, order: true }, () => void entered.push(world.clock.monotonicMs()))],
      lease: '8s',
      beat: '20s',
      wrapStore: between({
        commit: async (go, batch) => {
          const answer = await go()
          if (batch.begin?.length && late++ === 0)
            await new Promise<void>((resolve) => world.clock.setTimer(9_000, resolve))
          return answer
        },
      }),
    })
    const startedMs = world.clock.monotonicMs()
    await world.hapax.accept(order('1', { orderKey: 'k' }))
    await world.until(() => entered.length > 0, '1m')
    // The lease ended at 8 s, the begin was answered after 9 s, the next beat comes at 20 s.
    expect((entered[0] ?? 0) - startedMs).toBeGreaterThan(19_000)
    await world.close()
  })

  it('stops a run whose node dies with it time and again: dead as crash_loop (G8)', async () => {
    let ran = 0
    const poison = handler('poison', on, () => {
      ran++
      return new Promise(() => {})
    })
    const world = await open({ handlers: [poison] })
    const receipt = await world.hapax.accept(order('1'))
    // The first crash is not counted: nothing on record says that the run had begun.
    for (let crash = 1; crash <= 6; crash++) {
      await world.until(() => ran === crash)
      await world.crash()
      await world.node()
      await world.advance('20s')
    }
    expect(await world.ended(receipt)).toMatchObject({ status: 'dead', state: { reason: 'crash_loop' } })
    await world.close()
  })
})

it('counts a lost lease once, however long the handler is missing afterwards (G8)', async () => {
  const hangs = handler('handler', { ...on, order: true }, never)
  const works = handler('handler', { ...on, order: true }, () => 'done')
  const other = handler('other', elsewhere, () => {})
  const world = await testWorld({ handlers: [hangs], shards: 1 })
  const receipt = await world.hapax.accept(order('1', { orderKey: 'key' }))
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
