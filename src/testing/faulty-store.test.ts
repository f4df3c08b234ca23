import { describe, expect, it } from 'vitest'
import { memoryWorld } from '../store/memory/index.ts'
import { FakeClock } from './fake-clock.ts'
import { faultyStore, type Passage } from './faulty-store.ts'

/** A store of one shard whose calls all pass so, and how often it carried one out. */
function behind(passage: Passage) {
  const clock = new FakeClock()
  const carried: boolean[] = []
  const store = faultyStore(memoryWorld({ clock, shards: 1 }).connect(), {
    carrier: clock,
    node: clock,
    passage: () => passage,
    hintMs: () => undefined,
    carriedOut: (_call, _answer, again) => void carried.push(again),
  })
  const rejected = store.commit({ reject: [{ source: 'shop', code: 'malformed_json', count: 1 }] }).then(
    () => 'answered',
    (error: { code: string }) => error.code,
  )
  return { clock, carried, rejected, store }
}

describe('a faulty store', () => {
  it('answers after the way there and back', async () => {
    const { clock, carried, rejected, store } = behind({ kind: 'passes', requestMs: 5, replyMs: 5 })
    await clock.advance(9)
    expect(carried).toEqual([false])
    expect(await Promise.race([rejected, 'waits'])).toBe('waits')
    await clock.advance(1)
    expect(await rejected).toBe('answered')
    expect(store.shards).toBe(1)
  })

  it('tells the caller that it knows nothing, whether the store has carried the call out or not', async () => {
    const lost = behind({ kind: 'request_lost', afterMs: 10 })
    const deaf = behind({ kind: 'reply_lost', requestMs: 50, afterMs: 10 })
    for (const { clock } of [lost, deaf]) await clock.advance(100)
    expect([await lost.rejected, await deaf.rejected]).toEqual(['store_unavailable', 'store_unavailable'])
    expect([lost.carried, deaf.carried]).toEqual([[], [false]])
  })

  it('delivers twice, in part, or refuses', async () => {
    const twice = behind({ kind: 'repeated', requestMs: 1, replyMs: 1, againMs: 30 })
    const torn = behind({ kind: 'torn', requestMs: 1, afterMs: 2, keeps: () => false })
    const refused = behind({ kind: 'refused', replyMs: 1, reason: 'full' })
    for (const { clock } of [twice, torn, refused]) await clock.advance(100)
    expect([await twice.rejected, await torn.rejected, await refused.rejected]).toEqual([
      'answered',
      'store_unavailable',
      'store_unavailable',
    ])
    expect([twice.carried, torn.carried, refused.carried]).toEqual([[false, true], [false], []])
  })
})
