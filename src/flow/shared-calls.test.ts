import { describe, expect, it } from 'vitest'
import { callers } from '../../test/support/calls.ts'
import type { RunContext } from './run-context.ts'
import { SharedCalls } from './shared-calls.ts'

class Refused extends Error {}

/** A call that is under way until it is told how it ends. */
function world() {
  const { caller } = callers()
  const calls = new SharedCalls<string>()
  const made: { readonly context: RunContext; readonly end: PromiseWithResolvers<string> }[] = []
  const join = (run: RunContext, signal = run.signal) =>
    calls.join('key', run, signal, (context) => {
      const end = Promise.withResolvers<string>()
      made.push({ context, end })
      return end.promise
    })
  return { caller, made, join }
}

describe('a shared call', () => {
  it('is made once for all who ask while it is under way', async () => {
    const { caller, made, join } = world()
    const all = [join(caller()), join(caller()), join(caller())]
    made[0]?.end.resolve('answer')
    expect(await Promise.all(all)).toEqual(['answer', 'answer', 'answer'])
    void join(caller())
    expect(made.length).toBe(2)
  })

  it('fails for all of them, and is made anew for the next', async () => {
    const { caller, made, join } = world()
    const all = Promise.allSettled([join(caller()), join(caller())])
    made[0]?.end.reject(new Refused())
    expect(await all).toMatchObject([{ reason: expect.any(Refused) }, { reason: expect.any(Refused) }])
    const next = join(caller())
    made[1]?.end.resolve('answer')
    expect(await next).toBe('answer')
  })

  it('goes on where the run that began it has ended', async () => {
    const { caller, made, join } = world()
    const [first, second] = [caller(), caller()]
    const [ended, waiting] = [join(first), join(second)]
    first.end()
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' })
    expect(made[0]?.context.signal.aborted).toBe(false)
    expect(made[0]?.context.mayCall()).toBe(true)
    made[0]?.end.resolve('answer')
    expect(await waiting).toBe('answer')
  })

  it('is aborted once nobody waits for it, and shared no more', async () => {
    const { caller, made, join } = world()
    const [first, second, third] = [caller(), caller(), caller()]
    const both = Promise.allSettled([join(first), join(second)])
    first.end()
    second.end()
    await both
    expect(made[0]?.context.signal.aborted).toBe(true)
    expect(made[0]?.context.mayCall()).toBe(false)
    const next = join(third)
    // The end of the call before takes nothing from the one that stands now.
    made[0]?.end.reject(new Refused())
    await Promise.allSettled([made[0]?.end.promise])
    const other = join(caller())
    expect(made.length).toBe(2)
    made[1]?.end.resolve('answer')
    expect([await next, await other]).toEqual(['answer', 'answer'])
  })

  it('is not waited for by who gives up, or had given up before', async () => {
    const { caller, made, join } = world()
    const controller = new AbortController()
    const given = join(caller(), controller.signal)
    const stays = join(caller())
    controller.abort(new Refused())
    await expect(given).rejects.toBeInstanceOf(Refused)
    await expect(join(caller(), AbortSignal.abort(new Refused()))).rejects.toBeInstanceOf(Refused)
    made[0]?.end.resolve('answer')
    expect(await stays).toBe('answer')
  })

  it('tells all who share it how long it waited for its turn', () => {
    const { caller, made, join } = world()
    const waited: number[] = []
    const waiting = (): RunContext => ({ ...caller(), waited: (ms) => waited.push(ms) })
    void join(waiting())
    void join(waiting())
    made[0]?.context.waited(70)
    expect(waited).toEqual([70, 70])
  })
})
