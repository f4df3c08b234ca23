import { expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import { silentLog } from '../kit/log.ts'
import { type CircuitRecord, type CircuitTurn, turned } from '../store/circuits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { Circuit } from './circuit.ts'

const policy = { failures: 3, withinMs: 10_000, cooldownMs: 5_000, timeoutMs: 1_000 }

function bank() {
  const clock = new FakeClock()
  const hurried: string[] = []
  const store = { record: undefined as CircuitRecord | undefined, isDown: false, turns: [] as CircuitTurn[] }
  const node = (name: string, isWaitedFor = false) =>
    new Circuit('bank', policy, {
      clock,
      log: silentLog,
      node: name,
      now: () => clock.now(),
      async turn(turn) {
        if (store.isDown) throw new Error('the store is down')
        store.turns.push(turn)
        const after = turned(store.record, turn, clock.now())
        store.record = after ?? store.record
        return { applied: after !== undefined, circuit: store.record }
      },
      isWaitedFor: () => isWaitedFor,
      changed: () => {},
      hurry: () => void hurried.push(name),
      turned: () => {},
    })
  const one = node('one')
  const fail = async (circuit: Circuit, times: number) => {
    for (let time = 0; time < times; time++) circuit.failed('plain', 'transient')
    await clock.settle()
  }
  return { clock, store, node, one, fail, hurried }
}

it('opens by failures in a row, within a span', async () => {
  const { clock, one, fail } = bank()
  await fail(one, 2)
  one.answered('plain')
  await fail(one, 2)
  expect(one.isOpen).toBe(false)
  await clock.advance(policy.withinMs + 1)
  await fail(one, 2)
  expect(one.isOpen).toBe(false)
  await fail(one, 1)
  expect([one.isOpen, one.record]).toMatchObject([true, { state: 'open', reason: 'failures', actor: 'one' }])
})

it('stops calls before the store has answered', () => {
  const { one } = bank()
  for (let time = 0; time < 3; time++) one.failed('plain', 'transient')
  expect(one.isOpen).toBe(true)
})

it('opens at once where the other side refuses us', async () => {
  const { one, clock } = bank()
  one.failed('plain', 'configuration')
  await clock.settle()
  expect(one.record).toMatchObject({ state: 'open', reason: 'configuration' })
})

it('lets one probe through after the cooldown, of one node', async () => {
  const { clock, store, node, one, fail } = bank()
  const two = node('two')
  await fail(one, 3)
  two.learn(store.record)
  expect([await one.enter(), await two.enter()]).toEqual([undefined, undefined])
  await clock.advance(policy.cooldownMs)
  expect([await one.enter(), await two.enter()]).toEqual(['probe', undefined])
  // The one that has it is under way.
  expect(await one.enter()).toBeUndefined()
})

it('a probe that fails opens it again, one that is answered closes it', async () => {
  const { clock, one, fail, store } = bank()
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  expect(await one.enter()).toBe('probe')
  one.failed('probe', 'transient')
  await clock.settle()
  expect(one.record).toMatchObject({ state: 'open', reason: 'probe', version: 3 })
  await clock.advance(policy.cooldownMs)
  expect(await one.enter()).toBe('probe')
  one.answered('probe')
  await clock.settle()
  expect([store.record?.state, one.isOpen, await one.enter()]).toEqual(['closed', false, 'plain'])
})

it('a probe that was not made after all may be made by the next', async () => {
  const { clock, one, fail } = bank()
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  await one.enter()
  one.forgo('probe')
  expect(await one.enter()).toBe('probe')
})

it('a probe whose node was lost is made by another', async () => {
  const { clock, store, node, one, fail } = bank()
  const two = node('two')
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  await one.enter()
  two.learn(store.record)
  await clock.advance(policy.timeoutMs + limits.probeGraceMs - 1)
  expect(await two.enter()).toBeUndefined()
  await clock.advance(1)
  expect(await two.enter()).toBe('probe')
  // The one that was lost lives after all, and is too late.
  one.answered('probe')
  await clock.settle()
  expect(store.record).toMatchObject({ state: 'probing', actor: 'two' })
})

it('asks by itself for the probe where runs wait', async () => {
  const { clock, store, node, one, fail } = bank()
  const waiting = node('two', true)
  await fail(one, 3)
  waiting.learn(store.record)
  await clock.advance(policy.cooldownMs + 1)
  expect(store.record).toMatchObject({ state: 'probing', actor: 'two' })
  expect([waiting.hasRoom(0), waiting.hasRoom(1)]).toEqual([true, false])
})

it('asks again for the probe where the store could not be heard, whether to ask for it or to say how it went', async () => {
  const { clock, store, node, one, fail } = bank()
  const waiting = node('two', true)
  await fail(one, 3)
  waiting.learn(store.record)
  store.isDown = true
  await clock.advance(policy.cooldownMs + 5_000)
  expect(store.record?.state).toBe('open')
  store.isDown = false
  await clock.advance(limits.pollMaxMs)
  expect(store.record).toMatchObject({ state: 'probing', actor: 'two', version: 2 })
  expect(await waiting.enter()).toBe('probe')
  store.isDown = true
  waiting.answered('probe')
  await clock.advance(policy.timeoutMs)
  store.isDown = false
  await clock.advance(limits.probeGraceMs + limits.pollMaxMs)
  expect(store.record).toMatchObject({ state: 'probing', actor: 'two', version: 3 })
  expect(await waiting.enter()).toBe('probe')
})

it('a probe that waited for its turn until another has the right to it does not go', async () => {
  const { clock, store, node, one, fail } = bank()
  const two = node('two')
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  const passage = await one.enter()
  expect(passage && one.mayGo(passage)).toBe(true)
  two.learn(store.record)
  await clock.advance(policy.timeoutMs + limits.probeGraceMs)
  expect(await two.enter()).toBe('probe')
  one.learn(store.record)
  expect(passage && one.mayGo(passage)).toBe(false)
  expect(one.mayGo('plain')).toBe(false)
})

it('comes back in waves, each twice the one before; a failure halves them', async () => {
  const { clock, one, fail } = bank()
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  await one.enter()
  one.answered('probe')
  await clock.settle()
  const waves: (number | undefined)[] = []
  for (let wave = 0; wave < 4; wave++) {
    waves.push(one.wave)
    for (let call = one.wave ?? 0; call > 0; call--) one.answered('plain')
  }
  expect(waves).toEqual([1, 2, 4, 8])
  one.failed('plain', 'transient')
  expect(one.wave).toBe(8)
  for (let call = 0; call < limits.waveEnd; call++) one.answered('plain')
  expect([one.wave, one.hasRoom(10_000)]).toEqual([undefined, true])
})

it('held open by an operator it is not probed', async () => {
  const { clock, one } = bank()
  const held = turned(
    undefined,
    { dependency: 'bank', seen: 0, state: 'open', reason: 'no', actor: 'ann' },
    clock.now(),
  )
  one.learn(held)
  await clock.advance('1h')
  expect([one.isOpen, await one.enter()]).toEqual([true, undefined])
})

it('where the store cannot be heard, goes on and counts anew', async () => {
  const { clock, store, one, fail } = bank()
  store.isDown = true
  await fail(one, 3)
  await clock.settle()
  expect(one.isOpen).toBe(false)
  store.isDown = false
  await fail(one, 3)
  expect(one.isOpen).toBe(true)
})

it('a probe that has not gone in time does not go: its right could end while it is under way, and another begin', async () => {
  const { clock, node, one, store, fail } = bank()
  const waiting = node('two', true)
  await fail(one, 3)
  waiting.learn(store.record)
  await clock.advance(policy.cooldownMs + 1)
  expect(await waiting.enter()).toBe('probe')
  await clock.advance(limits.probeGraceMs - 1)
  expect(waiting.mayGo('probe')).toBe(true)
  await clock.advance(2)
  expect(waiting.mayGo('probe')).toBe(false)
  waiting.forgo('probe')
  expect([waiting.hasRoom(0), await waiting.enter()]).toEqual([false, undefined])
  await clock.advance(policy.timeoutMs)
  expect([waiting.hasRoom(0), await waiting.enter()]).toEqual([true, 'probe'])
})

it('asks how the probe of another went before its next beat, as long as runs wait and it is under way', async () => {
  const { clock, store, node, one, fail, hurried } = bank()
  const waiting = node('two', true)
  await fail(one, 3)
  await clock.advance(policy.cooldownMs)
  await one.enter()
  waiting.learn(store.record)
  await clock.advance(2 * limits.probeLookMs)
  expect(hurried).toEqual(['two', 'two'])
  one.answered('probe')
  await clock.settle()
  waiting.learn(store.record)
  expect(waiting.isOpen).toBe(false)
  await clock.advance('1m')
  expect(hurried).toEqual(['two', 'two'])
})
