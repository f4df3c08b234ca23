import { describe, expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { never, on, order, why } from '../../test/support/shop.ts'
import { Fatal, NotSent } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const retry = { attempts: 3, min: '1s', jitter: 'none' } as const

describe('undo', () => {
  it('undoes a step whose attempt crashed inside it, though it is neither `once` nor has a `confirm` (G4)', async () => {
    const charging = handler('charging', { ...on, retry: { ...retry, min: '1h' } }, async (_event, run) => {
      await run.step('charge', { run: never, undo: () => {} })
    })
    const failing = handler('charging', { ...on, retry: { ...retry, min: '1h' } }, () => {
      throw new TypeError('not that far')
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.advance('1s')
    await world.crash()
    const two = await world.node([failing])
    await world.standing(receipt, 'scheduled')
    const cancel = two.runs.cancel(receipt.runs[0]?.id ?? '', why)
    await expect(world.soon(cancel)).rejects.toMatchObject({ code: 'undo_unspecified' })
    await world.close()
  })

  it('forgets no step in doubt because a later try of it was not even sent (G4)', async () => {
    const undone: unknown[] = []
    let tries = 0
    const charging = handler('charging', { ...on, retry }, async (_event, run) => {
      await run.step('charge', {
        run: () => {
          if (++tries === 1) throw new Error('the connection was reset')
          throw new NotSent('no connection can be had')
        },
        undo: (result) => undone.push(result),
      })
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => tries === 2)
    await world.advance('100ms')
    await world.soon(world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', { ...why, undo: true }))
    // Whether there is anything to undo, a person has to find out.
    await world.standing(receipt, 'unknown')
    expect(undone).toEqual([])
    await world.close()
  })

  it('asks what becomes of the undo also in the moment in which an attempt opens', async () => {
    let validations = 0
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: unknown) => {
          if (++validations === 2) await gate
          return { value }
        },
      },
    } as const
    const charging = handler('charging', { ...on, retry, schema }, async (_event, run) => {
      await run.step('charge', { run: () => 'ch_1', undo: () => {} })
      throw new TypeError('down')
    })
    const world = await testWorld({ handlers: [charging], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => validations === 2)
    const cancel = world.hapax.runs.cancel(receipt.runs[0]?.id ?? '', why)
    await expect(world.soon(cancel)).rejects.toMatchObject({ code: 'undo_unspecified' })
    open()
    await world.close()
  })

  it('undoes what came after a step whose failure the handler caught', async () => {
    const undone: string[] = []
    const booking = handler('booking', { ...on, undoOnDeath: true }, async (_event, run) => {
      await run
        .step('first choice', () => {
          throw new RangeError('sold out')
        })
        .catch((error: Error) => expect(error.name).toBe('RangeError'))
      await run.step('second choice', { run: () => 'b', undo: (result) => undone.push(result) })
      throw new Fatal('the card was refused')
    })
    const world = await testWorld({ handlers: [booking], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'dead', state: { error: { code: 'Fatal' } } })
    expect(undone).toEqual(['b'])
    await world.close()
  })

  it('runs an undo once at a time, waits for one that straggles, and is over with its key after `keyTtl`', async () => {
    let running = 0
    let most = 0
    let begun = 0
    const undo = async () => {
      begun++
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => world.clock.setTimer(25_000, resolve))
      running--
      throw new TypeError('no')
    }
    const options = { ...on, undoOnDeath: true, retry: { ...retry, attempts: 9 } }
    const booking = handler('booking', options, async (_event, run) => {
      await run.step('book', { run: () => 'b', undo, timeout: '5s', keyTtl: '1m' })
      throw new Fatal('no')
    })
    const world = await testWorld({ handlers: [booking], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(async () => (await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).status === 'unknown', '10m')
    expect({ most, begun }).toEqual({ most: 1, begun: 3 })
    const view = await world.hapax.runs.get(receipt.runs[0]?.id ?? '')
    expect(view.state?.error).toMatchObject({ code: 'step_in_doubt', cause: { code: 'Fatal' } })
    await world.close()
  })

  it('is resolved by a person with what became of the undo itself', async () => {
    let undos = 0
    const booking = handler('booking', { ...on, undoOnDeath: true, retry: { attempts: 1 } }, async (_event, run) => {
      await run.step('book', {
        run: () => 'b',
        undo: () => {
          undos++
          throw new TypeError('connection reset')
        },
      })
      throw new Fatal('no')
    })
    const world = await testWorld({ handlers: [booking], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.standing(receipt, 'unknown')
    const resolved = world.hapax.runs.resolve(id, { ...why, step: 'book', result: 'by hand' })
    expect(await world.soon(resolved)).toMatchObject({ outcome: 'applied' })
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'dead', state: { error: { code: 'Fatal' } } })
    expect(undos).toBe(1)
    await world.close()
  })

  it('aborts its signal when the node stops, and is handed back', async () => {
    let aborted = false
    const booking = handler('booking', { ...on, undoOnDeath: true }, async (_event, run) => {
      await run.step('book', {
        run: () => 'b',
        undo: (_result, _key, signal) =>
          new Promise<void>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              aborted = true
              reject(new TypeError('aborted'))
            })
          }),
        timeout: '1h',
      })
      throw new Fatal('no')
    })
    const world = await testWorld({ handlers: [booking], shards: 1, grace: '5s' })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'undoing')
    await world.until(async () => (await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).status === 'running')
    await world.soon(world.hapax.stop())
    expect(aborted).toBe(true)
    const two = await world.node([handler('elsewhere', { ...on, source: 'elsewhere' }, () => {})])
    const view = await two.runs.get(receipt.runs[0]?.id ?? '')
    expect(view).toMatchObject({ state: { failures: 0 } })
    await world.close()
  })

  it('refuses a second cancel by saying that undoing has begun', async () => {
    const booking = handler('booking', { ...on, retry: { ...retry, min: '1h' } }, async (_event, run) => {
      await run.step('book', { run: () => 'b', undo: never, timeout: '1h' })
      throw new TypeError('no')
    })
    const world = await testWorld({ handlers: [booking], shards: 1, grace: '1s' })
    const receipt = await world.hapax.accept(order('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.standing(receipt, 'scheduled')
    await world.soon(world.hapax.runs.cancel(id, { ...why, undo: true }))
    await world.standing(receipt, 'running')
    const again = world.hapax.runs.cancel(id, { ...why, undo: true })
    expect(await world.soon(again)).toMatchObject({ outcome: 'refused', reason: 'undo_begun' })
    await world.close()
  })
})

describe('a person who resolves a run that is unknown', () => {
  it('lets it die of a failed step, with its undo where its handler says so', async () => {
    const undone: string[] = []
    const options = { ...on, undoOnDeath: true, retry: { ...retry, attempts: 1 } }
    const booking = handler('booking', options, async (_event, run) => {
      await run.step('book', { run: () => 'b', undo: (result) => undone.push(result) })
      await run.step('charge', {
        once: true,
        run: () => {
          throw new TypeError('connection reset')
        },
      })
    })
    const world = await testWorld({ handlers: [booking], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'unknown')
    await world.soon(world.hapax.runs.resolve(receipt.runs[0]?.id ?? '', { ...why, step: 'charge', fail: true }))
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'dead', state: { reason: 'undone' } })
    expect(undone).toEqual(['b'])
    await world.close()
  })
})

onEitherStore((open) => {
  describe('undo', () => {
    it('goes in reverse order of checkpoints, each once, and ends as cancelled', async () => {
      const undone: string[] = []
      const world = await open({
        handlers: [
          handler('saga', { ...on, undoOnDeath: true }, async (_event, run) => {
            await run.step('hold', { run: () => 'h1', undo: (result) => undone.push(`hold ${result}`) })
            await run.step('charge', { run: () => 'c1', undo: (result) => undone.push(`charge ${result}`) })
            throw new Fatal('sold out')
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({
        status: 'dead',
        state: { reason: 'undone', error: { code: 'Fatal' } },
      })
      expect(undone).toEqual(['charge c1', 'hold h1'])
      await world.close()
    })

    it('must be said by a cancel of a run that has steps to undo', async () => {
      const undone: string[] = []
      const world = await open({
        handlers: [
          handler('saga', on, async (_event, run) => {
            await run.step('hold', { run: () => 'h1', undo: (result) => undone.push(`hold ${result}`) })
            await run.waitFor('go')
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      await world.standing(receipt, 'waiting')
      const id = receipt.runs[0]?.id ?? ''
      await expect(world.soon(world.hapax.runs.cancel(id, { reason: 'changed mind' }))).rejects.toMatchObject({
        code: 'undo_unspecified',
      })
      expect(await world.soon(world.hapax.runs.cancel(id, { reason: 'changed mind', undo: true }))).toMatchObject({
        outcome: 'applied',
      })
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'cancelled' })
      expect(undone).toEqual(['hold h1'])
      await world.close()
    })

    it('retries an undo by the whole policy, however many attempts its death has cost', async () => {
      let undos = 0
      const world = await open({
        handlers: [
          handler(
            'saga',
            { ...on, undoOnDeath: true, retry: { attempts: 3, min: '1s', jitter: 'none' } },
            async (_event, run) => {
              await run.step('hold', {
                run: () => 'held',
                undo: () => {
                  if (++undos < 3) throw new Error('not now')
                },
              })
              throw new Error('no')
            },
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'dead', state: { reason: 'undone' } })
      expect(undos).toBe(3)
      await world.close()
    })
  })
})
