import { describe, expect } from 'vitest'
import { handler } from '../../src/index.ts'
import { file, inWorld, never, on, onFile, order, promise } from './promise.ts'

describe('G3', () => {
  promise('No attempt begun after the checkpoint was durable runs that step again', async () => {
    let called = 0
    const failing = handler('failing', { ...on, retry: { attempts: 3, min: '1s' } }, async (_event, run) => {
      await run.step('once', () => ++called)
      if (run.attempt < 3) throw new TypeError('later')
    })
    await inWorld({ handlers: [failing] }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
      expect(called).toBe(1)
    })
  })

  promise('The checkpoint is durable before the next step starts', async () => {
    const durable: string[][] = []
    const chain = handler('chain', on, async (_event, run) => {
      for (const name of ['one', 'two', 'three']) {
        await run.step(name, async () => {
          const { steps } = await world.hapax.runs.get(run.id)
          durable.push(steps.map(({ step }) => step.name))
        })
      }
    })
    const { testWorld } = await import('../../src/testing/index.ts')
    const world = await testWorld({ handlers: [chain] })
    await world.ended(await world.hapax.accept(order('1')))
    expect(durable).toEqual([[], ['one'], ['one', 'two']])
    await world.close()
  })
})

describe('G4', () => {
  promise(
    "In the store's own database (`run.transaction`) effect and checkpoint commit together: exactly once",
    async () => {
      const retry = { attempts: 3, min: '1ms', max: '1ms' } as const
      const writing = handler('writing', { ...on, retry }, async (_event, run) => {
        await run.transaction('ledger', (transaction) => {
          transaction.exec('create table if not exists booking (id text)')
          transaction.prepare('insert into booking values (?)').run('1')
          if (run.attempt === 1) throw new TypeError('rolled back')
        })
        if (run.attempt === 2) throw new TypeError('after the commit')
        return run.transaction('count', (transaction) => transaction.prepare('select count(*) as n from booking').get())
      })
      await onFile({ store: file(), handlers: [writing] }, async (hapax) => {
        await hapax.start()
        const receipt = await hapax.accept(order('1'))
        expect(await hapax.runs.result(receipt.runs[0]?.id ?? '', { timeout: '20s' })).toEqual({ n: 1 })
      })
    },
  )

  promise(
    [
      'Toward another service each step has a stable key (`run.key(step)`): once in effect while the service remembers the key',
      'else it repeats with the same key within `keyTtl`, `unknown` after it',
    ],
    async () => {
      const asked: string[] = []
      const retry = { attempts: 9, min: '2m', factor: 1, jitter: 'none' } as const
      const charging = (keyTtl: '1m' | '1h') =>
        handler('charging', { ...on, retry }, (_event, run) =>
          run.step('charge', {
            keyTtl,
            run: (key) => {
              expect(key).toBe(run.key('charge'))
              asked.push(key)
              if (asked.length < 3) throw new TypeError('connection reset')
            },
          }),
        )
      await inWorld({ handlers: [charging('1h')] }, async (world) => {
        expect(await world.ended(await world.hapax.accept(order('1')), '1h')).toMatchObject({ status: 'completed' })
        // Asked three times; a service that remembers the key did it once.
        expect([asked.length, new Set(asked).size]).toEqual([3, 1])
      })
      asked.length = 0
      await inWorld({ handlers: [charging('1m')] }, async (world) => {
        const receipt = await world.hapax.accept(order('1'))
        await world.advance('10m')
        await world.standing(receipt, 'unknown')
        expect(asked).toHaveLength(1)
      })
    },
  )

  promise(
    "A step in doubt: with `confirm` it is asked first, `{ result }`, `'absent'` or `'unsure'` (a throw or `'unsure'` asks again by the retry policy, then `unknown`)",
    async () => {
      const refuse = () => {
        throw new TypeError('the other side is down')
      }
      for (const { confirm, status, calls } of [
        { confirm: () => ({ result: 'found' }), status: 'completed', calls: ['run', 'confirm'] },
        { confirm: () => 'absent' as const, status: 'completed', calls: ['run', 'confirm', 'run'] },
        { confirm: () => 'unsure' as const, status: 'unknown', calls: ['run', 'confirm', 'confirm', 'confirm'] },
        { confirm: refuse, status: 'unknown', calls: ['run', 'confirm', 'confirm', 'confirm'] },
      ]) {
        const made: string[] = []
        const retry = { attempts: 4, min: '1s' } as const
        const paying = handler('paying', { ...on, retry }, (_event, run) =>
          run.step('pay', {
            run: () => {
              made.push('run')
              if (made.length === 1) throw new TypeError('connection reset')
              return 'paid'
            },
            confirm: () => {
              made.push('confirm')
              return confirm()
            },
          }),
        )
        await inWorld({ handlers: [paying] }, async (world) => {
          const receipt = await world.hapax.accept(order('1'))
          await world.advance('2m')
          expect(await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({ status })
          expect(made).toEqual(calls)
        })
      }
    },
  )

  promise('marked `once` it is never repeated by the engine, its run becomes `unknown`', async () => {
    let called = 0
    const charging = handler('charging', on, (_event, run) =>
      run.step('charge', {
        once: true,
        run: () => {
          called++
          return never()
        },
      }),
    )
    await inWorld({ handlers: [charging] }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      await world.crash()
      await world.node()
      await world.standing(receipt, 'unknown')
      expect(called).toBe(1)
    })
  })
})
