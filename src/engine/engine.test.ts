import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'
import type { Receipt } from '../event/receipt.ts'
import type { Commit, Store } from '../store/store.ts'
import { type TestWorldOptions, testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const on = { source: 'shop', on: 'order.*' } as const
const order = (id: string, data: unknown = { total: 5 }) => ({ source: 'shop', id, type: 'order.paid', data })

// A clustered store hands an event over to its shard after the receipt: the engine keeps its promises there too.
describe.each([{ acceptSpans: true }, { acceptSpans: false }])('acceptSpans: $acceptSpans', ({ acceptSpans }) => {
  const open = (options: TestWorldOptions) => testWorld({ ...options, acceptSpans })

  describe('a run', () => {
    it('is handled once, and its result is kept', async () => {
      const seen: string[] = []
      const world = await open({
        handlers: [
          handler('greet', on, (event) => {
            seen.push(event.id)
            return { hello: event.id }
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(receipt).toMatchObject({ outcome: 'accepted', runs: [{ handler: 'greet', status: 'ready' }] })
      expect(await world.ended(receipt)).toMatchObject({
        status: 'completed',
        state: { result: '{"hello":"1"}', attempt: 1 },
      })
      const again = await world.hapax.accept(order('1'))
      expect(again).toMatchObject({ outcome: 'duplicate', event: receipt.event, runs: [{ status: 'completed' }] })
      expect(await world.hapax.accept(order('1', { total: 6 }))).toMatchObject({
        outcome: 'conflict',
        event: receipt.event,
      })
      expect(seen).toEqual(['1'])
      await world.close()
    })

    it('gives every handler that takes it a run of its own', async () => {
      const world = await open({
        handlers: [handler('one', on, () => 1), handler('two', { source: '*', on: 'order.paid' }, () => 2)],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(receipt.runs.map((run) => run.handler)).toEqual(['one', 'two'])
      for (const run of receipt.runs) expect(await world.endedRun(run.id)).toMatchObject({ status: 'completed' })
      await world.close()
    })

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
      const later = await world.hapax.accept({ ...order('1'), type: 'order.later' })
      const fatal = await world.hapax.accept({ ...order('2'), type: 'order.fatal' })
      expect(await world.ended(fatal)).toMatchObject({ status: 'dead', state: { reason: 'Fatal' } })
      expect(await world.ended(later, '10m')).toMatchObject({ status: 'completed', state: { result: '5' } })
      await world.close()
    })

    it('sleeps without a slot, and goes on after the sleep', async () => {
      const times: number[] = []
      const world = await open({
        concurrency: 1,
        handlers: [
          handler('sleepy', on, async (_event, run) => {
            times.push(run.attempt)
            await run.sleep('cool down', '10m')
            return 'woke'
          }),
        ],
      })
      const one = await world.hapax.accept(order('1'))
      const two = await world.hapax.accept(order('2'))
      await world.standing(one, 'scheduled')
      await world.standing(two, 'scheduled')
      expect(await world.ended(one, '11m')).toMatchObject({ status: 'completed', state: { result: '"woke"' } })
      expect(await world.ended(two, '1m')).toMatchObject({ status: 'completed' })
      await world.close()
    })

    it('waits for a signal, also one that came early, and times out the same way for ever', async () => {
      const world = await open({
        handlers: [
          handler('approve', on, async (_event, run) => {
            await run.sleep('first', '5m')
            const by = await run.waitFor('approved', { timeout: '1h' })
            const never = await run.waitFor('never', { timeout: '1h' }).catch((error: Error) => error.name)
            return { by, never }
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      await world.standing(receipt, 'scheduled')
      const id = receipt.runs[0]?.id ?? ''
      expect(await world.soon(world.hapax.runs.signal(id, 'approved', { by: 'ann' }, { id: 's1' }))).toMatchObject({
        outcome: 'applied',
      })
      expect(await world.ended(receipt, '3h')).toMatchObject({
        state: { result: '{"by":{"by":"ann"},"never":"WaitTimeout"}' },
      })
      await world.close()
    })

    it('emits follow-up events once, with its tenant', async () => {
      const seen: unknown[] = []
      const world = await open({
        handlers: [
          handler('first', { ...on, retry: { attempts: 5, min: '1s', jitter: 'none' } }, async (_event, run) => {
            await run.emit({ type: 'invoice.due', data: { n: 1 } })
            if (run.attempt < 3) throw new Error('again')
          }),
          handler('second', { source: 'default', on: 'invoice.due' }, (event) => {
            seen.push([event.tenant, event.data])
          }),
        ],
      })
      const receipt = await world.hapax.accept({ ...order('1'), tenant: 'acme' })
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { attempt: 3 } })
      await world.advance('5s')
      expect(seen).toEqual([['acme', { n: 1 }]])
      await world.close()
    })

    it('refuses a step name used twice, and a result that is not JSON, at the first attempt', async () => {
      const world = await open({
        handlers: [
          handler('twice', { source: 'shop', on: 'order.twice' }, async (_event, run) => {
            await run.step('pay', () => 1)
            await run.step('pay', () => 2)
          }),
          handler('dated', { source: 'shop', on: 'order.dated' }, async (_event, run) => {
            await run.step('when', () => new Date(0))
          }),
        ],
      })
      const twice = await world.hapax.accept({ ...order('1'), type: 'order.twice' })
      const dated = await world.hapax.accept({ ...order('2'), type: 'order.dated' })
      expect(await world.ended(twice)).toMatchObject({
        status: 'dead',
        state: { reason: 'step_name_repeated', attempt: 1 },
      })
      expect(await world.ended(dated)).toMatchObject({
        status: 'dead',
        state: { reason: 'result_not_json', attempt: 1 },
      })
      await world.close()
    })
  })

  describe('a step in doubt', () => {
    const doubtful = { ...on, retry: { attempts: 3, min: '1s', jitter: 'none' } } as const

    it('is confirmed before it is repeated (G4)', async () => {
      const asked: string[] = []
      let ran = 0
      const world = await open({
        handlers: [
          handler('pay', doubtful, (_event, run) =>
            run.step('capture', {
              run: () => {
                ran++
                throw new Error('connection reset')
              },
              confirm: (key) => {
                asked.push(key)
                return { result: 'captured' }
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"captured"' } })
      expect(ran).toBe(1)
      expect(asked).toHaveLength(1)
      await world.close()
    })

    it('marked once is never repeated: its run is unknown until a person decides', async () => {
      let ran = 0
      const world = await open({
        handlers: [
          handler('mail', doubtful, (_event, run) =>
            run.step('send', {
              once: true,
              run: () => {
                ran++
                throw new Error('timeout')
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      await world.standing(receipt, 'unknown')
      await world.advance('1d')
      expect(ran).toBe(1)
      const id = receipt.runs[0]?.id ?? ''
      const answer = await world.soon(
        world.hapax.runs.resolve(id, { reason: 'it is in the outbox', step: 'send', result: 'sent' }),
      )
      expect(answer).toMatchObject({ outcome: 'applied' })
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"sent"' } })
      expect(ran).toBe(1)
      await world.close()
    })

    it('is not in doubt where nothing left the house', async () => {
      let ran = 0
      const world = await open({
        handlers: [
          handler('mail', doubtful, (_event, run) =>
            run.step('send', {
              once: true,
              run: () => {
                if (++ran < 3) throw new NotSent('no connection')
                return 'sent'
              },
            }),
          ),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { result: '"sent"' } })
      expect(ran).toBe(3)
      await world.close()
    })

    it('is known after a crash: begun, neither returned nor refused', async () => {
      let ran = 0
      const hang = handler('mail', doubtful, (_event, run) =>
        run.step('send', {
          once: true,
          run: () => {
            ran++
            return new Promise(() => {})
          },
        }),
      )
      const world = await open({ handlers: [hang] })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => ran === 1)
      await world.crash()
      const next = await world.node()
      await world.advance('30s')
      expect((await next.runs.get(receipt.runs[0]?.id ?? '')).status).toBe('unknown')
      expect(ran).toBe(1)
      await world.close()
    })
  })

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

  describe('order', () => {
    it('goes one at a time per key in the order of accepts, and does not hold up other keys (G7)', async () => {
      const seen: string[] = []
      let release: (() => void) | undefined
      const world = await open({
        handlers: [
          handler(
            'ledger',
            { ...on, order: true, retry: { attempts: 3, min: '10s', jitter: 'none' } },
            async (event, run) => {
              if (event.id === 'a1' && run.attempt === 1) throw new Error('first fails')
              if (event.id === 'a2') await new Promise<void>((resolve) => (release = resolve))
              seen.push(event.id)
            },
          ),
        ],
      })
      for (const id of ['a1', 'a2', 'a3', 'b1']) await world.hapax.accept({ ...order(id), orderKey: id.charAt(0) })
      await world.until(() => seen.includes('b1'))
      expect(seen).toEqual(['b1'])
      await world.advance('11s')
      await world.until(() => release !== undefined)
      expect(seen).toEqual(['b1', 'a1'])
      release?.()
      await world.until(() => seen.length === 4)
      expect(seen).toEqual(['b1', 'a1', 'a2', 'a3'])
      await world.close()
    })

    it('is blocked by a dead head until it is released, and skips it where told', async () => {
      const seen: string[] = []
      const fails = (name: string, onDead: 'block' | 'skip') =>
        handler(name, { source: 'shop', on: `order.${onDead}`, order: { onDead } }, (event) => {
          if (event.id.endsWith('1')) throw new Fatal('no')
          seen.push(event.id)
        })
      const world = await open({ handlers: [fails('blocking', 'block'), fails('skipping', 'skip')] })
      const head = await world.hapax.accept({ ...order('block-1'), type: 'order.block', orderKey: 'k' })
      await world.hapax.accept({ ...order('block-2'), type: 'order.block', orderKey: 'k' })
      await world.hapax.accept({ ...order('skip-1'), type: 'order.skip', orderKey: 'k' })
      await world.hapax.accept({ ...order('skip-2'), type: 'order.skip', orderKey: 'k' })
      await world.until(() => seen.includes('skip-2'))
      await world.advance('1m')
      expect(seen).toEqual(['skip-2'])
      await world.soon(world.hapax.runs.cancel(head.runs[0]?.id ?? '', { reason: 'written off' }))
      await world.until(() => seen.includes('block-2'))
      expect((await world.hapax.runs.get(head.runs[0]?.id ?? '')).status).toBe('dead')
      await world.close()
    })
  })

  describe('generations', () => {
    it('redrive keeps checkpoints and keys; replay starts empty, with new keys when asked', async () => {
      const keys: string[] = []
      let broken = true
      const world = await open({
        handlers: [
          handler('pay', on, async (_event, run) => {
            await run.step('pay', (key) => keys.push(key))
            await run.step('book', () => {
              if (broken) throw new Fatal('no such account')
              return 'booked'
            })
          }),
        ],
      })
      const receipt = await world.hapax.accept(order('1'))
      const id = receipt.runs[0]?.id ?? ''
      await world.ended(receipt)
      broken = false
      expect(await world.soon(world.hapax.runs.retry(id, { reason: 'account made' }))).toMatchObject({
        outcome: 'applied',
      })
      await world.until(async () => (await world.hapax.runs.get(id)).status === 'completed')
      expect(keys).toHaveLength(1)
      expect((await world.hapax.runs.get(id)).state?.generation).toBe(2)
      expect(await world.soon(world.hapax.runs.replay(id, { reason: 'test' }))).toMatchObject({ outcome: 'applied' })
      await world.until(async () => (await world.hapax.runs.get(id)).state?.generation === 3)
      await world.until(async () => (await world.hapax.runs.get(id)).status === 'completed')
      expect(keys).toHaveLength(2)
      expect(keys[1]).toBe(keys[0])
      await world.soon(world.hapax.runs.replay(id, { reason: 'test', newKeys: true }))
      await world.until(() => keys.length === 3)
      expect(keys[2]).not.toBe(keys[0])
      await world.close()
    })
  })

  describe('takeover', () => {
    it('resumes a crashed node’s run after its last checkpoint, and no attempt begun later runs that step again (G3)', async () => {
      const ran: string[] = []
      let hang = true
      const three = handler('three', on, async (_event, run) => {
        await run.step('one', () => ran.push('one'))
        await run.step('two', () => {
          ran.push('two')
          return hang ? new Promise<never>(() => {}) : 2
        })
        await run.step('three', () => ran.push('three'))
      })
      const world = await open({ handlers: [three] })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => ran.includes('two'))
      await world.crash()
      hang = false
      await world.node()
      await world.advance('30s')
      expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
      expect(ran).toEqual(['one', 'two', 'two', 'three'])
      const { steps } = await world.newest().runs.get(receipt.runs[0]?.id ?? '')
      // Attempts are told apart, also where nothing but a checkpoint says that the first one had begun.
      expect(new Set(steps.map((step) => step.attempt)).size).toBe(2)
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

    it('gives shards to a node that joins, with all that waits in them (G5)', async () => {
      let release = () => {}
      const gate = new Promise<void>((resolve) => {
        release = resolve
      })
      const world = await open({ handlers: [handler('queue', { ...on, order: true }, () => gate)] })
      const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`)
      const receipts: Receipt[] = []
      for (const turn of [1, 2, 3]) {
        for (const orderKey of keys)
          receipts.push(await world.hapax.accept({ ...order(`${orderKey} ${turn}`), orderKey }))
      }
      await world.node()
      // The first of each key executes when its shard is asked for; the others are ready behind it.
      await world.advance('10s')
      release()
      for (const receipt of receipts) expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
      await world.close()
    })

    it('hands back what outlives the grace of a stop, at no cost of an attempt (G10)', async () => {
      let ran = 0
      const slow = handler('slow', { ...on, timeout: '10m', retry: { attempts: 1 } }, async () => {
        if (++ran === 1) await new Promise(() => {})
        return ran
      })
      const world = await open({ handlers: [slow] })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => ran === 1)
      await world.soon(world.hapax.stop(), '1m')
      await world.node()
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { failures: 0, losses: 0 } })
      await world.close()
    })
  })

  describe('unclaimed events', () => {
    it('are given to a handler that appears while they are young, and stay listed when they are old', async () => {
      const world = await open({ handlers: [] })
      const old = await world.hapax.accept(order('old'))
      await world.advance('2h')
      const young = await world.hapax.accept(order('young'))
      expect(old.runs).toEqual([])
      const seen: string[] = []
      const late = await world.node([
        handler('late', on, (event) => {
          seen.push(event.id)
        }),
      ])
      await world.advance('30s')
      await world.until(() => seen.includes('young'))
      expect(seen).toEqual(['young'])
      expect((await late.events.list({ unclaimed: true })).events.map((event) => event.id)).toEqual(['old'])
      await world.soon(late.runs.redrive({ unclaimed: true }, { reason: 'wanted after all' }))
      await world.until(() => seen.includes('old'))
      expect(young.outcome).toBe('accepted')
      await world.close()
    })
  })

  it('keeps its times by the store’s clock: a wall that jumps brings nothing forward', async () => {
    const entered: number[] = []
    const world = await open({
      handlers: [
        handler('nap', on, async (_event, run) => {
          entered.push(world.clock.monotonicMs())
          await run.sleep('long', '10s')
        }),
      ],
      // The store of this world has the same wall: between two beats it is the node's alone that jumps.
      lease: '80s',
      beat: '20s',
    })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'scheduled')
    world.clock.jump(3_600_000)
    await world.ended(receipt, '1m')
    expect((entered[1] ?? 0) - (entered[0] ?? 0)).toBeGreaterThanOrEqual(10_000)
    await world.close()
  })

  describe('answers that are lost or late', () => {
    /** The store, with its commits in the hands of a test. */
    const commits =
      (between: (batch: Commit, go: () => ReturnType<Store['commit']>) => ReturnType<Store['commit']>) =>
      (store: Store): Store =>
        new Proxy(store, {
          get(target, name) {
            if (name === 'commit') return (batch: Commit) => between(batch, () => target.commit(batch))
            const member: unknown = Reflect.get(target, name, target)
            return typeof member === 'function' ? member.bind(target) : member
          },
        })

    it('does not begin again what a page says that was read before the run’s settlement', async () => {
      const entered: number[] = []
      const slowDue = (store: Store): Store =>
        new Proxy(store, {
          get(target, name) {
            const member: unknown = Reflect.get(target, name, target)
            if (typeof member !== 'function') return member
            if (name !== 'due') return member.bind(target)
            return async (...args: Parameters<Store['due']>) => {
              const page = await target.due(...args)
              await new Promise<void>((resolve) => world.clock.setTimer(1_000, resolve))
              return page
            }
          },
        })
      const world = await open({
        handlers: [
          handler('flaky', { ...on, retry: { attempts: 3, min: '10s', factor: 1, jitter: 'none' } }, async () => {
            entered.push(world.clock.monotonicMs())
            await new Promise<void>((resolve) => world.clock.setTimer(1_500, resolve))
            throw new Error('no')
          }),
        ],
        wrapStore: slowDue,
      })
      await world.ended(await world.hapax.accept(order('1')), '1m')
      expect(entered).toHaveLength(3)
      expect((entered[2] ?? 0) - (entered[1] ?? 0)).toBeGreaterThanOrEqual(10_000)
      await world.close()
    })

    it('hears a signal that comes between the end of an attempt and its settlement (G5)', async () => {
      const late: (() => void)[] = []
      let hold = false
      const world = await open({
        handlers: [handler('wait', on, async (_event, run) => run.waitFor('go'))],
        wrapStore: commits(async (batch, go) => {
          const answer = await go()
          if (hold && batch.settle?.length) await new Promise<void>((resolve) => late.push(resolve))
          return answer
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

    it('begins no ordered run before it has read who holds its key (G7)', async () => {
      let slow = false
      let fails = true
      const entered: string[] = []
      const world = await open({
        handlers: [
          handler('ledger', { ...on, order: true }, (event, run) => {
            entered.push(`${event.id} ${run.generation}`)
            if (event.id === '2' && fails) throw new Fatal('no')
          }),
        ],
        wrapStore: (store) =>
          new Proxy(store, {
            get(target, name) {
              const member: unknown = Reflect.get(target, name, target)
              if (typeof member !== 'function') return member
              if (name !== 'tail' || !slow) return member.bind(target)
              return async (...args: Parameters<Store['tail']>) => {
                await new Promise<void>((resolve) => world.clock.setTimer(3_000, resolve))
                return target.tail(...args)
              }
            },
          }),
      })
      const first = await world.hapax.accept({ ...order('1'), orderKey: 'k' })
      const second = await world.hapax.accept({ ...order('2'), orderKey: 'k' })
      await world.ended(second)
      await world.soon(world.hapax.runs.replay(first.runs[0]?.id ?? '', { reason: 'test' }))
      await world.crash()
      slow = true
      await world.node()
      await world.advance('30s')
      // The second is dead and blocks its key, the replay of the first waits.
      expect(entered).toEqual(['1 1', '2 1'])
      fails = false
      const [run] = second.runs
      await world.soon(world.newest().runs.retry(run?.id ?? '', { reason: 'mended' }))
      await world.until(() => entered.length === 4, '1m')
      expect(entered).toEqual(['1 1', '2 1', '2 2', '1 2'])
      await world.close()
    })

    it('judges a verb though another one, which it has not seen, waits behind it (G5)', async () => {
      const late: (() => void)[] = []
      let holds = false
      const world = await open({
        handlers: [handler('feed', { ...on, order: true }, async (_event, run) => run.waitFor('go'))],
        wrapStore: commits(async (batch, go) => {
          if (holds && batch.settle?.length) await new Promise<void>((resolve) => late.push(resolve))
          return go()
        }),
      })
      const door = await world.node([])
      await world.soon(world.hapax.accept({ ...order('head'), orderKey: 'k' }))
      const behind = await world.soon(world.hapax.accept({ ...order('behind'), orderKey: 'k' }))
      const id = behind.runs[0]?.id ?? ''
      await world.advance('1s')
      holds = true
      const cancelled = door.runs.cancel(id, { reason: 'test' })
      await world.until(() => late.length > 0)
      const signalled = door.runs.signal(id, 'go')
      await world.advance('1s')
      holds = false
      for (const go of late) go()
      expect(await world.soon(cancelled)).toMatchObject({ outcome: 'applied' })
      expect(await world.soon(signalled)).toMatchObject({ outcome: 'refused' })
      await world.close()
    })

    it('keeps nothing that a step brings after its attempt’s time was up (G3)', async () => {
      const pass = (delayMs: number) => new Promise<void>((resolve) => world.clock.setTimer(delayMs, resolve))
      const woke: number[] = []
      const world = await open({
        handlers: [
          handler(
            'slow',
            { ...on, timeout: '5s', retry: { attempts: 2, min: '10s', jitter: 'none' } },
            async (_event, run) => {
              if (run.attempt === 1) await pass(4_500)
              await run.step('late', () => pass(1_000))
            },
          ),
          handler(
            'nap',
            { ...on, timeout: '5s', retry: { attempts: 2, min: '10s', jitter: 'none' } },
            async (_event, run) => {
              if (run.attempt === 1) await pass(4_999)
              await run.sleep('long', '1m')
              woke.push(run.attempt)
            },
          ),
        ],
        wrapStore: commits(async (batch, go) => {
          const answer = await go()
          if (batch.checkpoint?.length) await pass(50)
          return answer
        }),
      })
      const receipt = await world.hapax.accept(order('1'))
      for (const run of receipt.runs) expect(await world.endedRun(run.id, '5m')).toMatchObject({ status: 'completed' })
      const [late] = (await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).steps
      expect(late?.attempt).toBe(2)
      // The sleep was kept in time; the attempt that was over did not go on after it.
      expect(woke).toHaveLength(1)
      expect(woke[0]).toBeGreaterThan(1)
      await world.close()
    })

    it('forgets neither a run nor a verb while the store cannot be read (G5)', async () => {
      let blind = true
      let failures = 0
      let release = () => {}
      const world = await open({
        handlers: [
          handler('gate', on, async (_event, run) => {
            if (run.attempt === 1) await new Promise<void>((resolve) => (release = resolve))
            return run.waitFor('go')
          }),
        ],
        wrapStore: (store) =>
          new Proxy(store, {
            get(target, name) {
              const member: unknown = Reflect.get(target, name, target)
              if (typeof member !== 'function') return member
              return (...args: unknown[]) => {
                if (!blind || (name !== 'run' && name !== 'tail')) return member.apply(target, args)
                if (name === 'run') failures++
                return Promise.reject(new HapaxError('store_unavailable', { reason: 'down' }))
              }
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

    it('takes a pair again only under a new epoch, once it has fenced itself (G6)', async () => {
      let deaf = false
      let entered = 0
      const world = await open({
        handlers: [handler('slow', on, () => (++entered === 1 ? new Promise(() => {}) : 'done'))],
        lease: '8s',
        beat: '2s',
        wrapStore: (store) =>
          new Proxy(store, {
            get(target, name) {
              const member: unknown = Reflect.get(target, name, target)
              if (typeof member !== 'function') return member
              if (name !== 'own') return member.bind(target)
              return async (...args: Parameters<Store['own']>) => {
                const answer = await target.own(...args)
                if (deaf) throw new HapaxError('store_unavailable', { reason: 'the answer was lost' })
                return answer
              }
            },
          }),
      })
      const receipt = await world.hapax.accept(order('1'))
      await world.until(() => entered === 1)
      // The store hears every beat: to it the lease never ran out.
      deaf = true
      await world.advance('10s')
      deaf = false
      await world.ended(receipt, '1m')
      const history = await world.hapax.events.history(receipt.event.key)
      const settled = history.find((entry) => entry.kind === 'settled')
      expect(settled?.epoch).toBeGreaterThan(1)
      await world.close()
    })

    it('enters no handler whose begin was answered after the lease had run out (G6)', async () => {
      const entered: number[] = []
      let late = 0
      const world = await open({
        handlers: [handler('ledger', { ...on, order: true }, () => void entered.push(world.clock.monotonicMs()))],
        lease: '8s',
        beat: '20s',
        wrapStore: commits(async (batch, go) => {
          const answer = await go()
          if (batch.begin?.length && late++ === 0)
            await new Promise<void>((resolve) => world.clock.setTimer(9_000, resolve))
          return answer
        }),
      })
      const startedMs = world.clock.monotonicMs()
      await world.hapax.accept({ ...order('1'), orderKey: 'k' })
      await world.until(() => entered.length > 0, '1m')
      // The lease ended at 8 s, the begin was answered after 9 s, the next beat comes at 20 s.
      expect((entered[0] ?? 0) - startedMs).toBeGreaterThan(19_000)
      await world.close()
    })

    it('runs an event whose accept was committed and not answered, here or on the next owner (G5)', async () => {
      for (const stops of [false, true]) {
        let lost = 0
        const seen: string[] = []
        const greet = handler('greet', on, (event) => {
          seen.push(event.id)
        })
        const world = await open({
          handlers: [greet],
          wrapStore: commits(async (batch, go) => {
            const answer = await go()
            if (lost++ > 0 || !batch.accept?.length) return answer
            throw new HapaxError('store_unavailable', { reason: 'the answer was lost' })
          }),
        })
        const accepted = world.hapax.accept(order('1'))
        await expect(world.soon(accepted)).rejects.toMatchObject({ code: 'store_unavailable' })
        if (stops) {
          await world.soon(world.hapax.stop())
          await world.node()
        }
        await world.until(() => seen.length > 0)
        await world.advance('30s')
        expect(seen).toEqual(['1'])
        await world.close()
      }
    })
  })
})

describe('stop', () => {
  it('hands a run back that outlives its grace and does not even listen, its step in doubt (G4, G10)', async () => {
    let charged = 0
    const charging = handler('charging', { ...on, timeout: '1h' }, (_event, run) =>
      run.step('charge', { once: true, timeout: '1h', run: () => ++charged > 0 && new Promise<never>(() => {}) }),
    )
    const world = await testWorld({ handlers: [charging], shards: 1, grace: '2s' })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => charged === 1)
    await world.soon(world.hapax.stop(), '5s')
    await world.node()
    await world.standing(receipt, 'unknown')
    const history = await world.newest().events.history(receipt.event.key)
    expect(history.filter((entry) => entry.kind === 'settled')).toMatchObject([
      { state: { reason: 'handed_back', failures: 0, losses: 0 } },
      { state: { reason: 'step_in_doubt' } },
    ])
    expect(charged).toBe(1)
    await world.close()
  })

  it('ends though the store does not answer, and what comes after it is refused (G10)', async () => {
    let isDown = false
    const slow = handler('slow', on, () => gate)
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const wrapStore = (store: Store): Store =>
      new Proxy(store, {
        get(target, name) {
          if (isDown && (name === 'commit' || name === 'own'))
            return () => Promise.reject(new HapaxError('store_unavailable', { reason: 'a test' }))
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      })
    const world = await testWorld({ handlers: [slow], shards: 1, grace: '2s', wrapStore })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'running')
    isDown = true
    const stopped = world.hapax.stop()
    expect(world.hapax.stop()).toBe(stopped)
    await world.advance('1s')
    open()
    await world.soon(stopped, '10s')
    await expect(world.hapax.accept(order('2'))).rejects.toMatchObject({ code: 'engine_stopped' })
    isDown = false
    await world.node()
    expect(await world.ended(receipt, '20s')).toMatchObject({ status: 'completed' })
    await world.close()
  })
})
