import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { adopted } from './interventions.ts'
import { RunNews } from './run-news.ts'

/** Whether it has resolved, with all that is woken now run to its end. */
async function hasResolved(clock: FakeClock, promise: Promise<unknown>): Promise<boolean> {
  let resolved = false
  void promise.then(() => {
    resolved = true
  })
  await clock.settle()
  return resolved
}

it('wakes who watches that run, at once', async () => {
  const clock = new FakeClock()
  const news = new RunNews(clock)
  const [one, other] = [news.watch('one').next(1_000), news.watch('other').next(1_000)]
  news.tell('one')
  expect(await hasResolved(clock, one)).toBe(true)
  expect(await hasResolved(clock, other)).toBe(false)
  await clock.advance('1s')
  expect(await hasResolved(clock, other)).toBe(true)
})

it('keeps what came between two calls, once, with the state that the run is in', async () => {
  const clock = new FakeClock()
  const news = new RunNews(clock)
  const watch = news.watch('one')
  const state = adopted(1, 'redrive', 1)
  news.tell('one', state)
  news.tell('one')
  expect(await watch.next(1_000)).toBe(state)
  expect(await hasResolved(clock, watch.next(1_000))).toBe(false)
})

it('leaves no timer behind, and nothing of a watch that was closed', async () => {
  const clock = new FakeClock()
  const news = new RunNews(clock)
  const watch = news.watch('one')
  const next = watch.next(1_000)
  news.tell('one')
  await next
  expect(clock.timers).toBe(0)
  watch.close()
  const again = news.watch('one')
  watch.close()
  news.tell('one')
  expect(await hasResolved(clock, again.next(1_000))).toBe(true)
})
