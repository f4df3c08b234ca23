import { describe, expect, it } from 'vitest'
import { limits } from '../kit/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import type { Answer } from './answer.ts'
import { AnswerCache } from './answer-cache.ts'

const answer = (bytes = 1): Answer => ({
  status: 200,
  statusText: 'OK',
  headers: new Headers(),
  url: 'http://bank/',
  redirected: false,
  body: new Uint8Array(bytes),
})

describe('the cache of answers', () => {
  it('gives an answer for as long as the one who asks will have it', async () => {
    const clock = new FakeClock()
    const cache = new AnswerCache(clock)
    const one = answer()
    cache.put('a', one)
    await clock.advance(59_999)
    expect([cache.get('a', 60_000), cache.get('a', 30_000), cache.get('b', 60_000)]).toEqual([
      one,
      undefined,
      undefined,
    ])
    await clock.advance(1)
    expect([cache.get('a', 60_000), cache.get('a', 90_000)]).toEqual([undefined, one])
  })

  it('does not age by a wall clock that jumps', () => {
    const clock = new FakeClock()
    const cache = new AnswerCache(clock)
    cache.put('a', 'too_large')
    clock.jump(3_600_000)
    expect(cache.get('a', 60_000)).toBe('too_large')
  })

  it('keeps so many, and lets those go that nobody asked for the longest', () => {
    const cache = new AnswerCache(new FakeClock())
    for (let index = 0; index < limits.cachedAnswers; index++) cache.put(`${index}`, answer())
    cache.get('0', 60_000)
    cache.put('one more', answer())
    expect(cache.count).toBe(limits.cachedAnswers)
    expect([cache.get('0', 60_000) === undefined, cache.get('1', 60_000)]).toEqual([false, undefined])
  })

  it('keeps so many bytes, and counts what it lets go and what it replaces', () => {
    const cache = new AnswerCache(new FakeClock())
    const large = limits.cachedBytes / 4
    for (let index = 0; index < 40; index++) cache.put(`${index % 10}`, answer(large))
    expect(cache.count).toBe(3)
    expect(cache.bytes).toBeGreaterThan(3 * large)
    expect(cache.bytes).toBeLessThan(limits.cachedBytes)
    const before = cache.bytes
    cache.put('9', answer(large))
    expect([cache.count, cache.bytes]).toEqual([3, before])
    cache.clear()
    expect([cache.count, cache.bytes, cache.get('9', 60_000)]).toEqual([0, 0, undefined])
  })
})
