import { describe, expect, it } from 'vitest'
import { never, on, order, why } from '../../test/support/shop.ts'
import { Fatal, RetryLater } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const retry = { attempts: 5, min: '1s', jitter: 'none' } as const

describe('a step in doubt (G4)', () => {
  it.each([
    { how: 'once', charges: 1, status: 'unknown' },
    { how: 'confirm', charges: 2, status: 'completed' },
  ])('stays in doubt through attempts that fail before they come to it: $how', async ({ how, charges, status }) => {
    let phase = 0
    let charged = 0
    let confirmed = 0
    const confirm = () => {
      confirmed++
      return 'absent' as const
    }
    const charging = handler('charging', { ...on, retry }, async (_event, run) => {
      if (phase++ === 1) throw new TypeError('the rates are down')
      const charge = () => (++charged === 1 ? never() : 'charged')
      await run.step('charge', how === 'once' ? { once: true, run: charge } : { confirm, run: charge })
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    await world.crash()
    await world.node()
    await world.advance('2m')
    expect(await world.newest().runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status })
    expect({ charged, confirmed }).toEqual({ charged: charges, confirmed: how === 'once' ? 0 : 1 })
    await world.close()
  })

  it('stays in doubt in the generation that a retry after a crash loop opens', async () => {
    let charged = 0
    const charging = handler('charging', on, async (_event, run) => {
      await run.sleep('a moment', '1ms')
      await run.step('charge', { once: true, run: () => (++charged === 1 ? never() : 'charged') })
    })
    const hanging = handler('charging', on, never)
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.advance('1s')
    for (let crash = 0; crash < 5; crash++) {
      await world.crash()
      await world.node([hanging])
      await world.advance('20s')
    }
    await world.crash()
    const last = await world.node()
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'dead', state: { error: { code: 'crash_loop' } } })
    expect(await world.soon(last.runs.retry(id, why))).toMatchObject({ outcome: 'applied' })
    await world.standing(receipt, 'unknown')
    expect(charged).toBe(1)
    await world.close()
  })

  it.each([
    { how: 'once', safety: { once: true } },
    { how: 'confirm', safety: { confirm: () => 'unsure' as const } },
  ])('is not left unanswered by the last attempt, however that ends: $how', async ({ safety }) => {
    const endings = {
      'order.timeout': (_charging: Promise<unknown>) => never(),
      'order.threw': () => {
        throw new TypeError('another thing')
      },
      'order.fatal': () => {
        throw new Fatal('another thing')
      },
      'order.wrapped': (charging: Promise<unknown>) =>
        charging.catch((cause: unknown) => {
          throw new TypeError('wrapped', { cause })
        }),
      'order.text': (charging: Promise<unknown>) =>
        charging.catch((error: unknown) => {
          throw String(error)
        }),
    }
    const options = { ...on, retry: { ...retry, attempts: 1 }, timeout: '20s' } as const
    const charging = handler('charging', options, async ({ type }, run) => {
      const charge = () =>
        type === 'order.timeout' || type === 'order.threw' || type === 'order.fatal'
          ? new Promise<never>((_resolve, reject) => world.clock.setTimer(25_000, () => reject(new TypeError('reset'))))
          : Promise.reject(new TypeError('reset'))
      const charged = run.step('charge', { run: charge, ...safety })
      charged.catch(() => {})
      await new Promise<void>((resolve) => world.clock.setTimer(5, resolve))
      await Object.entries(endings).find(([name]) => name === type)?.[1](charged)
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    for (const type of Object.keys(endings)) {
      const receipt = await world.hapax.accept(order(type, { type }))
      await world.until(async () => {
        const { status } = await world.hapax.runs.get(receipt.runs[0]?.id ?? '')
        expect(status).not.toBe('dead')
        return status === 'unknown'
      })
    }
    await world.close()
  })

  it('is left to a person where its confirm answers what it may not', async () => {
    let phase = 0
    const charging = handler('charging', { ...on, retry }, async (_event, run) => {
      const result = await run.step('charge', {
        run: (): string => {
          throw new TypeError(`reset ${++phase}`)
        },
        // What code without types may do.
        confirm: () => JSON.parse('{"id":"ch_1"}'),
      })
      return result
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'unknown')
    const view = await world.hapax.runs.get(receipt.runs[0]?.id ?? '')
    expect(view.state?.error).toMatchObject({ code: 'confirm_invalid' })
    expect(phase).toBe(1)
    await world.close()
  })

  it('costs no attempt to wait for its function, which an attempt before left running', async () => {
    let times = 0
    const options = { ...on, timeout: '5s', retry: { ...retry, attempts: 2 } } as const
    const slow = handler('slow', options, (_event, run) =>
      run.step('slow', async () => {
        if (++times > 1) return 'done'
        return new Promise<string>((resolve) => world.clock.setTimer(28_000, () => resolve('late')))
      }),
    )
    const world = await testWorld({ handlers: [slow], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'completed', state: { failuresInAll: 1 } })
    expect(times).toBe(2)
    await world.close()
  })

  it('is not tried again while its function still runs, for 30 s after its time was up', async () => {
    let running = 0
    let most = 0
    const slow = handler('slow', { ...on, timeout: '5m', retry }, (_event, run) =>
      run.step('slow', async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => world.clock.setTimer(50_000, resolve))
        running--
      }),
    )
    const world = await testWorld({ handlers: [slow], shards: 1 })
    await world.hapax.accept(order('1'))
    await world.advance('49s')
    expect(most).toBe(1)
    await world.crash()
  })
})

describe('undo', () => {
  it('confirms and undoes a doubtful step, also behind other code of the handler', async () => {
    let confirmed = 0
    let refunded = 0
    const charging = handler('charging', { ...on, retry: { ...retry, min: '1h' } }, async (_event, run) => {
      await new Promise<void>((resolve) => world.clock.setTimer(5, resolve))
      await run.step('charge', {
        run: (): string => {
          throw new TypeError('connection reset')
        },
        confirm: () => {
          confirmed++
          return { result: 'ch_1' }
        },
        undo: () => {
          refunded++
        },
      })
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'scheduled')
    await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', { ...why, undo: true }))
    expect(await world.ended(receipt, '2m')).toMatchObject({ status: 'cancelled' })
    expect({ confirmed, refunded }).toEqual({ confirmed: 1, refunded: 1 })
    await world.close()
  })

  it('that fails once still ends a cancelled run as cancelled, and frees its order key', async () => {
    let undone = 0
    const charging = handler('charging', { ...on, order: true }, async ({ id }, run) => {
      const undo = () => {
        if (++undone === 1) throw new TypeError('the refunds are busy')
      }
      await run.step('charge', { run: () => 'ch_1', undo })
      if (id === '1') await run.waitFor('never')
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const first = await world.hapax.accept(order('1', { orderKey: 'key' }))
    await world.standing(first, 'waiting')
    const second = await world.hapax.accept(order('2', { orderKey: 'key' }))
    await world.soon(world.hapax.runs.cancel(first.runs[0]?.id ?? '', { ...why, undo: true }))
    expect(await world.ended(first, '2h')).toMatchObject({ status: 'cancelled' })
    expect(await world.ended(second, '1m')).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('that fails once leaves on record what the run died of', async () => {
    let undone = 0
    const options = { ...on, undoOnDeath: true, retry: { ...retry, attempts: 2 } } as const
    const dying = handler('dying', options, async (_event, run) => {
      const undo = () => {
        if (++undone === 1) throw new TypeError('the refunds are busy')
      }
      await run.step('charge', { run: () => 'ch_1', undo })
      throw new TypeError('no stock')
    })
    const world = await testWorld({ handlers: [dying], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    const ended = await world.ended(receipt, '1m')
    expect(ended).toMatchObject({ status: 'dead', state: { reason: 'undone', error: { message: 'no stock' } } })
    await world.close()
  })

  it('belongs to a step that a person resolved, too', async () => {
    let refunded = 0
    const charging = handler('charging', on, async (_event, run) => {
      await run.step('charge', {
        once: true,
        run: (): string => {
          throw new TypeError('connection reset')
        },
        undo: () => {
          refunded++
        },
      })
      await run.waitFor('never')
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.standing(receipt, 'unknown')
    await world.soon(world.hapax.runs.resolve(id, { ...why, step: 'charge', result: 'ch_1' }))
    await world.standing(receipt, 'waiting')
    await expect(world.soon(world.hapax.runs.cancel(id, why))).rejects.toMatchObject({ code: 'undo_unspecified' })
    await world.soon(world.hapax.runs.cancel(id, { ...why, undo: true }))
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'cancelled' })
    expect(refunded).toBe(1)
    await world.close()
  })
})

it('a signal that was refused is none for a later generation', async () => {
  const waiting = handler('waiting', on, (_event, run) =>
    run.waitFor('approved', { timeout: '1m' }).catch(() => 'timed out'),
  )
  const world = await testWorld({ handlers: [waiting], shards: 1 })
  const receipt = await world.hapax.accept(order('1'))
  const id = receipt.runs[0]?.id ?? ''
  await world.ended(receipt, '2m')
  const signalled = await world.soon(world.hapax.runs.signal(id, 'approved', 'late'))
  expect(signalled).toMatchObject({ outcome: 'refused' })
  await world.soon(world.hapax.runs.replay(id, why))
  await world.standing(receipt, 'waiting')
  await world.close()
})

it('emits no second event in a replay with the same keys, and names the first', async () => {
  const keys: string[] = []
  const emitting = handler('emitting', on, async (_event, run) => {
    keys.push((await run.emit({ type: 'follow.up', data: 1 })).key)
  })
  const world = await testWorld({ handlers: [emitting], shards: 1 })
  const receipt = await world.hapax.accept(order('1'))
  await world.ended(receipt)
  await world.soon(world.hapax.runs.replay(receipt.runs[0]?.id ?? '', why))
  await world.until(() => keys.length === 2)
  expect(keys[1]).toBe(keys[0])
  await expect(world.hapax.events.get(keys[0] ?? '')).resolves.toMatchObject({ event: { type: 'follow.up' } })
  await world.close()
})

it('is deferred to a time that can be had', () => {
  expect(() => new RetryLater(new Date('never'))).toThrowError(expect.objectContaining({ code: 'duration_invalid' }))
})

it('waits for the first of several signals', async () => {
  const approving = handler('approving', on, (_event, run) =>
    Promise.race([
      run.waitFor('approved', { timeout: '2d' }).then(() => 'yes'),
      run.waitFor('rejected').then(() => 'no'),
    ]),
  )
  const world = await testWorld({ handlers: [approving], shards: 1 })
  const receipt = await world.hapax.accept(order('1'))
  const id = receipt.runs[0]?.id ?? ''
  await world.standing(receipt, 'waiting')
  expect(await world.hapax.runs.get(id)).toMatchObject({ state: { waitingFor: ['approved', 'rejected'] } })
  await world.soon(world.hapax.runs.signal(id, 'rejected', 1))
  expect(await world.ended(receipt)).toMatchObject({ status: 'completed', state: { result: '"no"' } })
  await world.close()
})
