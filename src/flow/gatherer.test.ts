import { expect, it } from 'vitest'
import { NotSent } from '../event/outcome.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { Gatherer } from './gatherer.ts'

function gathering(execute: (items: readonly number[], signal: AbortSignal) => unknown = (items) => items.map(String)) {
  const clock = new FakeClock()
  const calls: (readonly number[])[] = []
  const gatherer = new Gatherer<number, unknown>(clock, { size: 3, withinMs: 100 }, (items, signal) => {
    calls.push(items)
    return execute(items, signal)
  })
  const add = (item: number, signal = new AbortController().signal, mayGo = () => true) =>
    gatherer.add(item, signal, mayGo)
  return { clock, calls, add }
}

it('calls as soon as there are enough, and gives each its own result', async () => {
  const { calls, add } = gathering()
  expect(await Promise.all([add(1), add(2), add(3)])).toEqual(['1', '2', '3'])
  expect(calls).toEqual([[1, 2, 3]])
})

it('calls with those that there are once the first has waited long enough', async () => {
  const { clock, calls, add } = gathering()
  const first = add(1)
  await clock.advance(60)
  const second = add(2)
  await clock.advance(40)
  expect([await first, await second, calls]).toEqual(['1', '2', [[1, 2]]])
  const third = add(3)
  await clock.advance(99)
  expect(calls).toHaveLength(1)
  await clock.advance(1)
  expect(await third).toBe('3')
})

it('fails all of a call that throws, and one alone whose result is an error', async () => {
  const broken = gathering(() => Promise.reject(new Error('down')))
  const both = Promise.allSettled([broken.add(1), broken.add(2), broken.add(3)])
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  const partly = gathering((items) => items.map((item) => (item === 2 ? new Error('refused') : item)))
  const some = await Promise.allSettled([partly.add(1), partly.add(2), partly.add(3)])
  expect(some.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

it.each([[['only one']], [7]])('says so where it is not answered one result for each: %j', async (answer) => {
  const { add } = gathering(() => answer)
  await expect(Promise.all([add(1), add(2), add(3)])).rejects.toMatchObject({ code: 'batch_invalid' })
})

it('nothing answered is nothing for each', async () => {
  const { add } = gathering(() => undefined)
  expect(await Promise.all([add(1), add(2), add(3)])).toEqual([undefined, undefined, undefined])
})

it('leaves out who may not go any more when the call is made, though nothing has told them yet', async () => {
  const { clock, calls, add } = gathering()
  let holds = true
  const lost = add(1, undefined, () => holds)
  const refused = expect(lost).rejects.toBeInstanceOf(NotSent)
  const second = add(2)
  holds = false
  await clock.advance(100)
  await refused
  expect([await second, calls]).toEqual(['2', [[2]]])
})

it('leaves out who gave up, and goes on as long as one of those in it does', async () => {
  let signal: AbortSignal | undefined
  let answer = (_results: unknown) => {}
  const { clock, calls, add } = gathering((_items, given) => {
    signal = given
    return new Promise((resolve) => {
      answer = resolve
    })
  })
  const [gone, one, two] = [new AbortController(), new AbortController(), new AbortController()]
  const left = add(0, gone.signal)
  left.catch(() => {})
  gone.abort()
  const results = [add(1, one.signal), add(2, two.signal)]
  await clock.advance(100)
  await expect(left).rejects.toBe(gone.signal.reason)
  expect(calls).toEqual([[1, 2]])
  one.abort()
  expect(signal?.aborted).toBe(false)
  two.abort()
  expect(signal?.aborted).toBe(true)
  answer(['a', 'b'])
  expect(await Promise.all(results)).toEqual(['a', 'b'])
})
