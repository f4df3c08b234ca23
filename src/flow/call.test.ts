import { describe, expect, it } from 'vitest'
import { callers, errorOf } from '../../test/support/calls.ts'
import { CircuitOpen, NotGranted, RetryLater } from '../event/outcome.ts'
import { limits } from '../kit/limits.ts'
import { callFailureOf } from './call-failure.ts'
import { type DependencyOptions, dependency } from './dependency.ts'

/** Two dependencies that open at their first failure, and a run that calls them. */
function world(options: DependencyOptions = {}) {
  const node = callers()
  const caller = node.caller()
  const [bank, post] = ['bank', 'post'].map((name) => dependency(name, { circuit: { failures: 1 }, ...options }))
  if (!bank || !post) expect.unreachable()
  const call = (body: () => unknown) => errorOf(caller.run(() => bank.call(body)))
  return { ...node, bank, post, call, isOpen: (which = bank) => node.dependencies.of(which).circuit.isOpen }
}

const answered = (status: number, headers: Record<string, string> = {}) =>
  Object.assign(new RefusedError('refused'), { statusCode: status, headers })

class RefusedError extends Error {}

describe('a call', () => {
  it('waits as long as the other side asks, wherever its client puts the header', async () => {
    const { call, clock, dependencies, bank } = world()
    const refuse = () => {
      throw answered(429, { 'retry-after': '20' })
    }
    expect(callFailureOf(await call(refuse))).toMatchObject({ verdict: 'later', retryAt: clock.now() + 20_000 })
    expect(await call(refuse)).toMatchObject({ name: 'NotGranted', retryInMs: 20_000 })
    await clock.advance('20s')
    expect(dependencies.of(bank).hasRoom).toBe(true)
    expect(await call(() => 'there')).toBeUndefined()
  })

  it('that is put off by the code holds up no other', async () => {
    const { call, clock } = world()
    const error = await call(() => {
      throw new RetryLater('1h')
    })
    expect(callFailureOf(error)).toMatchObject({ verdict: 'later', retryAt: clock.now() + 3_600_000 })
    expect(await call(() => 'there')).toBeUndefined()
  })

  it('opens the circuit for as long as the other side asks to be left alone, within a limit', async () => {
    for (const [asked, restMs] of [
      ['60', 60_000],
      ['1', limits.circuitCooldownMs],
      ['99999', limits.retryAfterPauseMs],
    ] as const) {
      const { call, clock, dependencies, bank } = world()
      const from = clock.now()
      await call(() => {
        throw answered(503, { 'retry-after': asked })
      })
      await clock.settle()
      expect(dependencies.of(bank).circuit.record).toMatchObject({ state: 'open', probeAt: from + restMs })
    }
  })

  it('within a call that fails is what failed: the outer one is not blamed', async () => {
    const { bank, post, call, isOpen } = world()
    const error = await call(() =>
      post.call(() => {
        throw answered(500)
      }),
    )
    expect(callFailureOf(error)?.dependency).toBe('post')
    expect([isOpen(bank), isOpen(post)]).toEqual([false, true])
    expect(await call(() => post.call(() => 'never'))).toBeInstanceOf(CircuitOpen)
    expect(isOpen(bank)).toBe(false)
    expect(
      await call(() => {
        throw new NotGranted('post', 1_000)
      }),
    ).toBeInstanceOf(NotGranted)
    expect(isOpen(bank)).toBe(false)
  })

  it('that fails is told as it failed, whatever goes wrong in what judges it', async () => {
    const { call, isOpen } = world({
      classify: () => {
        throw new RangeError('a slip')
      },
    })
    const error = await call(() => {
      throw answered(500)
    })
    expect(error).toBeInstanceOf(RefusedError)
    expect(isOpen()).toBe(true)
  })
})
