import { describe, expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'
import { silentLog } from '../kit/log.ts'
import { memoryStore } from '../store/memory/index.ts'
import type { Commit, CommitResult, RejectItem, Store } from '../store/store.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { Committer } from './committer.ts'
import { handler } from './handler.ts'

/** A store whose commits are answered when the test says so. */
function held() {
  const clock = new FakeClock()
  const commits: { batch: Commit; land: () => void; fail: () => void }[] = []
  const empty: CommitResult = { accept: [], intervene: [], begin: [], checkpoint: [], settle: [], answer: [] }
  const store: Store = {
    ...memoryStore({ clock }),
    commit: (batch) =>
      new Promise((resolve, reject) => {
        commits.push({
          batch,
          land: () => resolve({ ...empty, begin: (batch.begin ?? []).map(() => 'written' as const) }),
          fail: () => reject(new HapaxError('store_unavailable', { reason: 'test' })),
        })
      }),
  }
  return { clock, commits, committer: new Committer(store, clock, silentLog) }
}

const begin = (attempt: number) => ({
  owned: { group: 'g', shard: 0, epoch: 1 },
  run: { event: 'e', position: 1, tag: 't' },
  generation: 1,
  attempt,
  at: 0,
})

describe('committer', () => {
  it('gathers what comes while a commit is under way into the next', async () => {
    const { clock, commits, committer } = held()
    const first = committer.begin(begin(1))
    await clock.settle()
    const rest = [2, 3, 4].map((attempt) => committer.begin(begin(attempt)))
    await clock.settle()
    expect(commits.map(({ batch }) => batch.begin?.length)).toEqual([1])
    commits[0]?.land()
    await first
    await clock.settle()
    expect(commits.map(({ batch }) => batch.begin?.length)).toEqual([1, 3])
    commits[1]?.land()
    expect(await Promise.all(rest)).toEqual(['written', 'written', 'written'])
    await committer.drained()
  })

  it('asks a decision again until it is answered, in its order', async () => {
    const { clock, commits, committer } = held()
    const answer = committer.begin(begin(1))
    await clock.settle()
    commits[0]?.fail()
    await clock.advance('1s')
    expect(commits).toHaveLength(2)
    commits[1]?.land()
    expect(await answer).toBe('written')
  })

  it('never commits more at once than the limit', async () => {
    const { clock, commits, committer } = held()
    const all = Array.from({ length: 3 * limits.commitItems }, (_, index) => committer.begin(begin(index)))
    await clock.settle()
    for (let landed = 0; landed < commits.length; landed++) {
      commits[landed]?.land()
      await clock.settle()
    }
    expect(await Promise.all(all)).toHaveLength(3 * limits.commitItems)
    for (const { batch } of commits) expect(batch.begin?.length).toBeLessThanOrEqual(limits.commitItems)
  })

  it('counts rejections by source and code', async () => {
    const { clock, commits, committer } = held()
    for (let times = 0; times < 5; times++) committer.reject('stripe', 'signature_invalid')
    committer.reject('stripe', 'malformed_json')
    await clock.settle()
    const counted: readonly RejectItem[] = commits[0]?.batch.reject ?? []
    expect(counted.map(({ code, count }) => [code, count])).toEqual([
      ['signature_invalid', 5],
      ['malformed_json', 1],
    ])
  })
})

it('commits what alone is larger than a commit may be', async () => {
  const world = await testWorld({ handlers: [handler('any', on, () => {})], shards: 1 })
  const body = new Uint8Array(9_000_000)
  const big = world.hapax.accept(order('big', { data: undefined, body, contentType: 'application/octet-stream' }))
  expect(await world.soon(big)).toMatchObject({ outcome: 'accepted' })
  await world.close()
})
