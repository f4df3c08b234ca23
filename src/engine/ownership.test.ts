import { expect, it, vi } from 'vitest'
import { silentLog } from '../kit/log.ts'
import { memoryStore } from '../store/memory/index.ts'
import type { Grant, NodeBeat, Ownership as OwnershipAnswer, Store } from '../store/store.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { Ownership } from './ownership.ts'

/** A clock whose process can be frozen: time has passed, and no timer has fired yet. */
class FreezableClock extends FakeClock {
  frozenMs = 0

  override monotonicMs(): number {
    return super.monotonicMs() + this.frozenMs
  }
}

it('takes nothing up again under the epoch of a lease that a run found to have run out (G6)', async () => {
  const clock = new FreezableClock()
  const store = memoryStore({ clock, shards: 1 })
  await store.register('shop', 'one', [{ name: 'pay', formerly: [], sources: ['*'], types: ['*'] }])
  const beats: NodeBeat[] = []
  /** Lets the answer of the beat under way come. */
  let release: (() => void) | undefined
  let isSlow = false
  const own = async (beat: NodeBeat): Promise<OwnershipAnswer> => {
    beats.push(beat)
    const answer = await store.own(beat)
    if (isSlow) await new Promise<void>((resolve) => (release = resolve))
    return answer
  }
  const told: string[] = []
  const name = ({ shard, epoch }: Pick<Grant, 'shard' | 'epoch'>) => `${shard}/${epoch}`
  const ownership = new Ownership(
    new Proxy<Store>(store, {
      get: (target, member) => (member === 'own' ? own : Reflect.get(target, member, target)),
    }),
    clock,
    silentLog,
    { node: 'one', group: 'shop', leaseMs: 8_000, beatMs: 2_000 },
    {
      granted: (grant) => void told.push(`granted ${name(grant)}`),
      lost: (owned) => void told.push(`lost ${name(owned)}`),
      handBack: async () => {},
      lowMarks: () => [],
      registryChanged: async () => {},
      settingsChanged: async () => {},
      renewed: () => {},
    },
  )
  await ownership.start(await store.registry(), ['pay'])
  expect(told).toEqual(['granted 0/1'])
  isSlow = true
  const beat = ownership.beat()
  await vi.waitFor(() => expect(release).toBeDefined())
  // The event loop stood still: what a run wants to begin comes before the timer that fences the node, and before the answer.
  clock.frozenMs = 9_000
  const owned = { group: 'shop', shard: 0, epoch: 1 }
  expect(ownership.holds(owned)).toBe(false)
  ownership.lose(owned)
  isSlow = false
  release?.()
  await beat
  // Under the same epoch what the lost run has under way would still count beside the run that begins now.
  expect(told).toEqual(['granted 0/1', 'lost 0/1'])
  await clock.advance('20s')
  expect(told).toEqual(['granted 0/1', 'lost 0/1', 'granted 0/2'])
  expect(new Set(beats.map(({ node }) => node))).toEqual(new Set(['one', 'one.1']))
  await ownership.stop(() => false)
})
