import { describe, expect } from 'vitest'
import { handler, RetryLater } from '../../src/index.ts'
import { limits } from '../../src/kit/limits.ts'
import type { Store } from '../../src/store/store.ts'
import { testWorld } from '../../src/testing/index.ts'
import { inWorld, never, on, order, promise, storeWith, why } from './promise.ts'

describe('G5', () => {
  promise(['or `ready` with reason `paused` or `behind` (the head is named)', 'with reason, since when'], async () => {
    const ordered = handler('ordered', { ...on, order: true }, (_event, run) => run.waitFor('go'))
    await inWorld({ handlers: [ordered] }, async (world) => {
      const head = await world.hapax.accept(order('1', { orderKey: 'key' }))
      const second = await world.hapax.accept(order('2', { orderKey: 'key' }))
      await world.standing(head, 'waiting')
      const [headRun = '', run = ''] = [head.runs[0]?.id, second.runs[0]?.id]
      const { state } = await world.hapax.runs.get(headRun)
      expect(state).toMatchObject({ reason: 'signal', waitingFor: ['go'], since: expect.any(Number) })
      expect(await world.hapax.runs.get(run)).toMatchObject({
        status: 'ready',
        held: { reason: 'behind', by: headRun },
      })
      await world.soon(world.hapax.controls.pause('handler', 'ordered', why))
      expect(await world.hapax.runs.get(run)).toMatchObject({ held: { reason: 'paused', by: 'handler ordered' } })
    })
  })

  promise('Orphans are taken over within lease + one poll', async () => {
    await inWorld({ handlers: [handler('running', on, never)], lease: '8s' }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      await world.crash()
      await world.node([handler('running', on, () => 'done')])
      expect(await world.ended(receipt, '10s')).toMatchObject({ status: 'completed' })
    })
  })

  promise('a node heard within its lease is never robbed', async () => {
    let called = 0
    const running = handler('running', { ...on, timeout: '1h' }, () => {
      called++
      return never()
    })
    await inWorld({ handlers: [running], lease: '8s' }, async (world) => {
      await world.hapax.accept(order('1'))
      await world.until(() => called === 1)
      await world.node()
      await world.advance('10m')
      expect(called).toBe(1)
    })
  })
})

describe('G6', () => {
  promise(
    [
      "Each takeover raises the pair's epoch",
      'A step has at most one result',
      'a stale attempt may still be executing, and its result is refused',
    ],
    async () => {
      const released: (() => void)[] = []
      const slow = handler('slow', { ...on, timeout: '1h' }, (_event, run) => {
        const who = released.length === 0 ? 'the stale owner' : 'the new owner'
        return run.step('slow', {
          timeout: '1h',
          run: () => new Promise<string>((resolve) => released.push(() => resolve(who))),
        })
      })
      let cut = false
      const silenced = (store: Store) => {
        const isFirst = !cut
        return storeWith(store, 'own', (target) => (beat) => (isFirst && cut ? never() : target.own(beat)))
      }
      await inWorld({ handlers: [slow], wrapStore: silenced }, async (world) => {
        const receipt = await world.hapax.accept(order('1'))
        await world.advance('1s')
        cut = true
        const second = await world.node()
        await world.until(() => released.length === 2, '1m')
        // The zombie's step ends first: its result is refused, the new owner's counts.
        for (const release of released) {
          release()
          await world.advance('1s')
        }
        const run = await second.runs.get(receipt.runs[0]?.id ?? '')
        expect(run).toMatchObject({ status: 'completed', steps: [{ value: '"the new owner"', epoch: 2 }] })
      })
    },
  )

  promise('Commits are idempotent: applied twice they count once and answer the same', async () => {
    const differing: unknown[] = []
    let twice = 0
    const repeated = (store: Store) =>
      storeWith(store, 'commit', (target) => async (batch) => {
        const first = await target.commit(batch)
        const again = await target.commit(batch)
        twice++
        if (JSON.stringify(first) !== JSON.stringify(again)) differing.push({ first, again })
        return again
      })
    const retry = { attempts: 3, min: '1s' } as const
    const busy = handler('busy', { ...on, order: true, retry }, async (_event, run) => {
      await run.step('one', () => 1)
      await run.step('two', { once: true, run: () => 2 })
      if (run.attempt === 1) throw new TypeError('later')
      return run.waitFor('go')
    })
    await inWorld({ handlers: [busy], wrapStore: repeated }, async (world) => {
      const receipt = await world.hapax.accept(order('1', { orderKey: 'key' }))
      await world.standing(receipt, 'waiting')
      const id = receipt.runs[0]?.id ?? ''
      await world.soon(world.hapax.runs.signal(id, 'go', 'went', { id: 's1' }))
      expect(await world.ended(receipt)).toMatchObject({
        status: 'completed',
        state: { result: '"went"', failuresInAll: 1 },
        steps: [{}, {}, {}],
        interventions: [{}],
      })
      expect((await world.hapax.events.list({})).events).toMatchObject([{ duplicates: 0 }])
      expect(differing).toEqual([])
      expect(twice).toBeGreaterThan(4)
    })
  })
})

describe('G8', () => {
  promise(['deferring, pausing and shutdown cost no attempt'], async () => {
    let attempts = 0
    const deferring = handler('deferring', { ...on, retry: { attempts: 1 }, timeout: '1h' }, (_event, run) => {
      attempts++
      if (run.attempt < 4) throw new RetryLater('1s')
      return attempts < 7 ? never() : run.attempt
    })
    const world = await testWorld({ handlers: [deferring], shards: 1, grace: '5s' })
    const receipt = await world.hapax.accept(order('1'))
    // Deferred three times, then paused and resumed while it executes; and stopped with it, three times.
    await world.until(() => attempts === 4)
    await world.soon(world.hapax.controls.pause('handler', 'deferring', why))
    await world.soon(world.hapax.controls.resume('handler', 'deferring', why))
    const state = { failuresInAll: 0, failures: 0, losses: 0 }
    for (const attempt of [5, 6, 7]) {
      await world.soon(world.newest().stop(), '1m')
      await world.crash()
      await world.node()
      await world.until(() => attempts === attempt, '1m')
      const run = await world.newest().runs.get(receipt.runs[0]?.id ?? '')
      if (attempt < 7) expect(run.state).toMatchObject({ ...state, reason: 'handed_back' })
    }
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state })
    await world.close()
  })

  promise(
    'a lost lease is counted apart, only for runs that had begun (default 5, then dead as `crash_loop`)',
    async () => {
      let begun = 0
      const poison = handler('poison', { source: 'poison', on: '*', retry: { attempts: 1 }, order: true }, () => {
        begun++
        return never()
      })
      let good = 0
      const waiting = handler('waiting', { ...on, order: true }, () => void good++)
      const world = await testWorld({ handlers: [poison, waiting], shards: 1, concurrency: 1 })
      const poisoned = await world.hapax.accept(order('p', { source: 'poison', orderKey: 'p' }))
      // Never begins while the only slot is taken: what it loses is not counted.
      const behind = await world.hapax.accept(order('b', { orderKey: 'b' }))
      for (let crash = 1; crash <= limits.lostLeases; crash++) {
        await world.until(() => begun === crash, '1m')
        const { state } = await world.newest().runs.get(poisoned.runs[0]?.id ?? '')
        expect(state?.failuresInAll ?? 0).toBe(0)
        await world.crash()
        await world.node()
      }
      expect(await world.ended(poisoned, '1m')).toMatchObject({
        status: 'dead',
        state: { reason: 'crash_loop', losses: limits.lostLeases, failuresInAll: 0 },
      })
      expect(begun).toBe(limits.lostLeases)
      expect(await world.ended(behind, '1m')).toMatchObject({ status: 'completed', state: { losses: 0 } })
      expect(good).toBe(1)
      await world.close()
    },
  )
})

describe('G10', () => {
  promise('take nothing new, finish or hand back within the grace period', async () => {
    const hanging = handler('hanging', { ...on, timeout: '1h' }, never)
    const short = handler('short', on, (_event, run) => run.sleep('a moment', '500ms'))
    await inWorld({ handlers: [hanging, short], grace: '5s' }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('100ms')
      const stopping = world.hapax.stop()
      await expect(world.hapax.accept(order('2'))).rejects.toMatchObject({ code: 'engine_stopped' })
      await world.soon(stopping, '10s')
      const next = await world.node([handler('hanging', on, () => 'done'), handler('short', on, never)])
      for (const { id } of receipt.runs) {
        expect(await world.endedRun(id, '1m')).toMatchObject({ status: 'completed', state: { losses: 0 } })
      }
      await next.stop()
    })
  })
})
