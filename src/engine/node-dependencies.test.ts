import { describe, expect, it } from 'vitest'
import { accepted, mostWithin, quick, runOf, shop } from '../../test/support/bank.ts'
import { never, on, order, why } from '../../test/support/shop.ts'
import { dependency } from '../flow/dependency.ts'
import type { Instant } from '../kit/clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

describe('an outage', () => {
  it('G8: parks runs at no cost of attempts, probes, and brings them back in waves, the oldest first', async () => {
    const { world, there } = await shop({ circuit: quick }, { handler: { ...on, retry: { attempts: 2 } } })
    there.isUp = false
    const receipts = await accepted(world, 60, 0, '100ms')
    const whileDown = there.calls.length
    await world.advance('20s')
    // Three that opened it, what was under way with them, and probes: one each cooldown.
    expect(whileDown).toBeLessThan(8)
    expect(there.calls.length - whileDown).toBeLessThanOrEqual(4)
    expect(await world.hapax.runs.get(runOf(receipts[40]))).toMatchObject({
      status: 'parked',
      held: { reason: 'circuit_open', by: 'bank' },
      state: undefined,
    })
    there.isUp = true
    for (const receipt of receipts) {
      const view = await world.ended(receipt, '1m')
      expect(view).toMatchObject({ status: 'completed', state: { failures: 0, failuresInAll: 0 } })
    }
    // Those that failed before it opened wait out their retry; all others come in their order.
    const back = there.calls.filter(({ wasUp }) => wasUp).map(({ id }) => Number(id))
    expect(back.filter((id) => id >= 20)).toEqual(receipts.slice(20).map((_, index) => index + 20))
    await world.close()
  })

  it('G8: one node probes for all, and one that is lost while it does is followed by another', async () => {
    const { world, there, pay } = await shop({ circuit: quick, timeout: '1s' }, { world: { shards: 4 } })
    await world.node([pay])
    await world.node([pay])
    await world.advance('30s')
    there.isUp = false
    await accepted(world, 60, 0, '100ms')
    await world.advance('10s')
    const before = there.calls.length
    await world.advance('30s')
    // Three nodes, six cooldowns: a probe each, not three.
    expect(there.calls.length - before).toBeLessThanOrEqual(7)
    await world.crash()
    there.isUp = true
    await world.advance('1m')
    const { events } = await world.hapax.events.list({ limit: 100 })
    for (const { key } of events) {
      const { runs } = await world.hapax.events.get(key)
      expect(runs.map(({ status }) => status)).toEqual(['completed'])
    }
    await world.close()
  })

  it('parks a run in the middle, where its handler does not say what it uses', async () => {
    const { world, there } = await shop({ circuit: quick }, { handler: { ...on, uses: [], retry: { attempts: 2 } } })
    there.isUp = false
    const receipts = await accepted(world, 20, 0, '100ms')
    await world.advance('1s')
    expect(await world.hapax.runs.get(runOf(receipts[19]))).toMatchObject({
      status: 'parked',
      state: { reason: 'circuit_open', dependency: 'bank', failures: 0, attempt: 1, error: { code: 'CircuitOpen' } },
    })
    await world.advance('1m')
    // Parked once, and left in line.
    expect((await world.hapax.runs.get(runOf(receipts[19]))).state).toMatchObject({ turn: 1 })
    there.isUp = true
    for (const receipt of receipts)
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    await world.close()
  })

  it('ends what waited too long, though nothing of it was ever begun', async () => {
    const { world, there } = await shop({ circuit: quick }, { handler: { ...on, expires: '30s' } })
    await world.soon(world.hapax.controls.open('bank', why))
    const receipts = await accepted(world, 10, 0, '100ms')
    await world.advance('28s')
    expect(await world.hapax.runs.get(runOf(receipts[0]))).toMatchObject({ status: 'parked' })
    for (const receipt of receipts)
      expect(await world.ended(receipt, '20s')).toMatchObject({ status: 'dead', state: { reason: 'run_expired' } })
    expect(there.calls).toEqual([])
    await world.close()
  })

  it('does not end a run whose step is in doubt, however old: it is asked again first (G4)', async () => {
    const { world, there } = await shop(
      { circuit: { failures: 1, cooldown: '1h' } },
      { handler: { ...on, expires: '30s' } },
    )
    there.isUp = false
    const [receipt] = await accepted(world, 1)
    await world.advance('10m')
    const view = await world.hapax.runs.get(runOf(receipt))
    // It stands in line, and is not taken up again and again.
    expect(view).toMatchObject({ status: 'parked', state: { turn: 1, reason: 'circuit_open' } })
    there.isUp = true
    await world.advance('1h')
    expect(await world.hapax.runs.get(runOf(receipt))).toMatchObject({ status: 'completed' })
    await world.close()
  })

  it('keeps the order of each key', async () => {
    const { world, there } = await shop({ circuit: quick }, { handler: { ...on, order: true } })
    there.isUp = false
    const keys = ['a', 'b', 'c', 'd', 'e']
    for (let id = 0; id < 40; id++) {
      await world.hapax.accept(order(String(id), { orderKey: keys[id % keys.length] ?? 'a' }))
      await world.advance('50ms')
    }
    await world.advance('10s')
    there.isUp = true
    await world.until(() => there.calls.filter(({ wasUp }) => wasUp).length === 40, '2m')
    for (const [index] of keys.entries()) {
      const ids = there.calls.filter(({ wasUp, id }) => wasUp && Number(id) % keys.length === index)
      expect(ids.map(({ id }) => Number(id))).toEqual(Array.from({ length: 8 }, (_, n) => n * keys.length + index))
    }
    await world.close()
  })

  it('leaves runs of other handlers alone', async () => {
    const bank = dependency('bank', { circuit: quick })
    const seen: string[] = []
    const down = () => bank.call(() => Promise.reject(Object.assign(new Error('down'), { status: 500 })))
    const pay = handler('pay', { ...on, uses: [bank] }, (_event, run) => run.step('pay', down))
    const mail = handler('mail', { source: 'shop', on: 'mail' }, ({ id }) => seen.push(id))
    const world = await testWorld({ handlers: [pay, mail], concurrency: 2 })
    await accepted(world, 100)
    await world.advance('10s')
    await world.hapax.accept(order('letter', { type: 'mail' }))
    await world.until(() => seen.length === 1, '1s')
    await world.close()
  })

  it('counts what the code did wrong by itself neither for nor against it', async () => {
    const bank = dependency('bank', { circuit: { failures: 1 } })
    const pay = handler('pay', { ...on, uses: [bank], retry: { attempts: 1 } }, (_event, run) =>
      run.step('pay', () =>
        bank.call(() => {
          throw new ReferenceError('total is not defined')
        }),
      ),
    )
    const world = await testWorld({ handlers: [pay] })
    for (const receipt of await accepted(world, 3)) expect(await world.ended(receipt)).toMatchObject({ status: 'dead' })
    expect(await world.hapax.controls.dependency('bank')).toMatchObject({ circuit: 'closed', here: { failures: 0 } })
    await world.close()
  })
})

describe('shared limits', () => {
  it('G8: a rate of 100/s over four nodes is neither exceeded nor left unused', async () => {
    const { world, there, pay } = await shop({ rate: '100/s' }, { world: { shards: 8 } })
    for (let nodes = 1; nodes < 4; nodes++) await world.node([pay])
    await world.advance('30s')
    await accepted(world, 3_000)
    await world.advance('25s')
    const calls = there.calls.slice(100)
    expect(mostWithin(there.calls, 10_000)).toBeLessThanOrEqual(1_010)
    const [first, last] = [calls[0]?.at ?? 0, calls.at(-1)?.at ?? 0]
    expect((calls.length * 1_000) / (last - first)).toBeGreaterThanOrEqual(95)
    await world.close()
  })

  it('G8: a rate is used also where the service is slow now and then', async () => {
    const takesMs = (id: number) => (id % 200 < 50 ? 300 : 5)
    const { world, there } = await shop({ rate: '100/s' }, { takesMs })
    await world.advance('5s')
    await accepted(world, 1_500)
    await world.advance('10s')
    expect(there.calls.length).toBeGreaterThanOrEqual(950)
    expect(mostWithin(there.calls, 1_000)).toBeLessThanOrEqual(103)
    await world.close()
  })

  it('G8: so many calls at once over all nodes, also when one is lost', async () => {
    const { world, there, pay } = await shop(
      { concurrency: 5, timeout: '5s' },
      { takesMs: 300, world: { shards: 8, lease: '4s', beat: '1s' } },
    )
    await world.node([pay])
    await world.node([pay])
    await world.advance('15s')
    await accepted(world, 200)
    await world.advance('5s')
    // What a lost node was doing may go on until its lease has run out: nobody else has its slots until then.
    await world.crash()
    await world.until(() => there.calls.length >= 200, '1m')
    expect(there.most).toBe(5)
    await world.close()
  })

  it('an operator changes a limit for all nodes, and takes it back', async () => {
    const { world, there } = await shop({ rate: '100/s' })
    await world.advance('5s')
    const view = await world.soon(world.hapax.controls.limit('bank', { rate: '10/s' }, why))
    expect(view).toMatchObject({ declared: { rate: 100 }, limits: { rate: 10 }, setting: { rate: 10, actor: 'me' } })
    await world.advance('5s')
    await accepted(world, 2_000)
    await world.advance('10s')
    expect(there.calls.length).toBeGreaterThanOrEqual(95)
    expect(there.calls.length).toBeLessThanOrEqual(102)
    await world.soon(world.hapax.controls.limit('bank', {}, why))
    await world.advance('3s')
    const before = there.calls.length
    await world.advance('5s')
    expect(there.calls.length - before).toBeGreaterThanOrEqual(475)
    await world.close()
  })

  it('defers a run that gets no turn in time, at no cost of an attempt', async () => {
    const { world } = await shop({ concurrency: 1, wait: '1s' }, { takesMs: 9_000, handler: { ...on, uses: [] } })
    await world.advance('5s')
    const receipts = await accepted(world, 2)
    await world.advance('3s')
    const views = await Promise.all(receipts.map((receipt) => world.hapax.runs.get(runOf(receipt))))
    expect(views.map(({ status }) => status).sort()).toEqual(['running', 'scheduled'])
    const deferred = views.find(({ status }) => status === 'scheduled')
    expect(deferred?.state).toMatchObject({ reason: 'deferred', failures: 0, error: { code: 'NotGranted' } })
    for (const receipt of receipts) expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
    await world.close()
  })
})

describe('limits of handlers and sources', () => {
  const source = {
    name: 'shop',
    tenant: 'default',
    fingerprintWithout: [],
    identity: undefined,
    replayWindowMs: 0,
    orderKey: undefined,
  }

  it('G8: a handler’s rate and concurrency hold over all nodes, and hold up no other handler', async () => {
    const begun: { at: Instant }[] = []
    const mailed: string[] = []
    let inside = 0
    let most = 0
    const ship = handler('ship', { ...on, rate: '20/s', concurrency: 3 }, async () => {
      begun.push({ at: world.clock.now() })
      most = Math.max(most, ++inside)
      await new Promise<void>((resolve) => void world.clock.setTimer(100, resolve))
      inside--
    })
    const mail = handler('mail', { source: 'shop', on: 'mail' }, ({ id }) => mailed.push(id))
    const world = await testWorld({ handlers: [ship, mail], shards: 8 })
    await world.node()
    await world.node()
    await world.advance('20s')
    await accepted(world, 200)
    await world.hapax.accept(order('letter', { type: 'mail' }))
    await world.advance('1s')
    expect(mailed).toEqual(['letter'])
    await world.until(() => begun.length === 200, '1m')
    expect(most).toBeLessThanOrEqual(3)
    expect(mostWithin(begun, 5_000)).toBeLessThanOrEqual(100 + 3 * 2)
    const [first, last] = [begun[20]?.at ?? 0, begun.at(-1)?.at ?? 0]
    expect((180 * 1_000) / (last - first)).toBeGreaterThanOrEqual(18)
    await world.close()
  })

  it('leaves a part of a node’s slots to runs that use nothing, where there are such', async () => {
    const inside = { pay: 0, mail: 0 }
    let most = 0
    const bank = dependency('bank')
    const pay = handler('pay', { ...on, uses: [bank] }, async () => {
      most = Math.max(most, ++inside.pay)
      await never()
    })
    const mail = handler('mail', { source: 'shop', on: 'mail' }, () => void inside.mail++)
    const world = await testWorld({ handlers: [pay, mail], concurrency: 10 })
    await accepted(world, 30)
    await world.hapax.accept(order('letter', { type: 'mail' }))
    await world.until(() => inside.mail === 1, '1s')
    expect(most).toBe(9)
    await world.soon(world.hapax.stop(), '2m')
    const alone = await testWorld({ handlers: [pay], concurrency: 10 })
    inside.pay = 0
    await accepted(alone, 30)
    await alone.until(() => inside.pay === 10, '1s')
    await alone.soon(alone.hapax.stop(), '2m')
  })

  it('G8: a source’s rate bounds how often runs of its events begin, of any handler', async () => {
    const begun: { at: Instant }[] = []
    const note = () => void begun.push({ at: world.clock.now() })
    const handlers = [handler('one', on, note), handler('two', on, note)]
    const world = await testWorld({ handlers, sources: [{ ...source, rate: 10 }] })
    await world.advance('5s')
    await accepted(world, 50)
    await world.until(() => begun.length === 100, '1m')
    expect(mostWithin(begun, 5_000)).toBeLessThanOrEqual(52)
    await world.close()
  })
})

describe('a call', () => {
  it('outside a run is refused', async () => {
    const bank = dependency('bank')
    await expect(bank.call(() => 1)).rejects.toMatchObject({ code: 'no_run' })
  })

  it('of an attempt that has ended is not sent', async () => {
    const bank = dependency('bank')
    let calls = 0
    let later: Promise<unknown> | undefined
    const pay = handler('pay', { ...on, timeout: '1s', retry: { attempts: 1 } }, async () => {
      await new Promise<void>((resolve) => void world.clock.setTimer(2_000, resolve))
      later = bank.call(() => ++calls)
      later.catch(() => {})
      await never()
    })
    const world = await testWorld({ handlers: [pay] })
    const [receipt] = await accepted(world, 1)
    if (receipt) await world.ended(receipt)
    await world.advance('5s')
    await expect(later).rejects.toThrow('The attempt has ended')
    expect(calls).toBe(0)
    await world.close()
  })

  it('that takes too long is in doubt, and counts against the circuit', async () => {
    const bank = dependency('bank', { timeout: '1s', circuit: { failures: 1 } })
    const pay = handler('pay', { ...on, uses: [bank] }, (_event, run) => run.step('pay', () => bank.call(never)))
    const world = await testWorld({ handlers: [pay] })
    const [receipt] = await accepted(world, 1)
    await world.advance('3s')
    const { status, state } = await world.hapax.runs.get(runOf(receipt))
    expect([status, state?.error?.code]).toEqual(['parked', 'dependency_timeout'])
    expect(await world.hapax.controls.dependency('bank')).toMatchObject({ circuit: 'open', here: { failures: 1 } })
    await world.soon(world.hapax.stop())
  })
})

describe('a service that asks to be left alone', () => {
  it('G8: holds up the runs of this node until then, at no cost of attempts; they begin by themselves', async () => {
    const from = { isTired: true, calls: 0 }
    const bank = dependency('bank', {
      concurrency: 3,
      fetch: async () => {
        from.calls++
        return from.isTired ? new Response('', { status: 429, headers: { 'retry-after': '60' } }) : new Response('done')
      },
    })
    const pay = handler('pay', { ...on, uses: [bank], retry: { attempts: 1 } }, (_event, run) =>
      run.step('pay', async () => (await bank.fetch('https://bank.example/')).text()),
    )
    const world = await testWorld({ handlers: [pay], shards: 1 })
    const receipts = await accepted(world, 30)
    await world.advance('59s')
    // Those that were under way with the one that heard it.
    expect(from.calls).toBeLessThanOrEqual(3)
    expect((await world.hapax.runs.get(runOf(receipts[20]))).status).toBe('ready')
    from.isTired = false
    await world.advance('1050ms')
    expect(from.calls).toBeGreaterThan(3)
    await world.advance('5s')
    for (const receipt of receipts)
      expect(await world.ended(receipt)).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    expect(from.calls).toBeLessThanOrEqual(33)
    await world.close()
  })
})
