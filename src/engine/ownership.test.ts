import { expect, it, vi } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'
import { silentLog } from '../kit/log.ts'
import { memoryStore } from '../store/memory/index.ts'
import type { LimitClaim } from '../store/shared-limits.ts'
import type { Grant, NodeBeat, Ownership as OwnershipAnswer, Store } from '../store/store.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { handler } from './handler.ts'
import { Ownership } from './ownership.ts'

/** A clock whose process can be frozen: time has passed, and no timer has fired yet. */
class FreezableClock extends FakeClock {
  frozenMs = 0

  override monotonicMs(): number {
    return super.monotonicMs() + this.frozenMs
  }
}

function unused(claim: LimitClaim): LimitClaim {
  return { ...claim, held: 0, eager: true }
}

/** One node with one shard, whose beats the test may answer late. */
async function node(shards = 1) {
  const clock = new FreezableClock()
  const store = memoryStore({ clock, shards })
  await store.register('shop', 'one', [{ name: 'pay', formerly: [], sources: ['*'], types: ['*'] }])
  const beats: NodeBeat[] = []
  let isSlow = false
  let release: (() => void) | undefined
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
      restingCursors: () => undefined,
      beaten: () => {},
      claims: () => [{ name: 'slots:pay', amount: 1, whole: true, held: 1, eager: false }],
      lent: () => {},
      lapsed: () => {},
    },
  )
  await ownership.start(await store.registry(), ['pay'])
  /** A beat that the store has judged, and whose answer comes when `answer` is called. */
  const beatUnderWay = async () => {
    isSlow = true
    const beat = ownership.beat()
    await vi.waitFor(() => expect(release).toBeDefined())
    return async () => {
      isSlow = false
      release?.()
      await beat
    }
  }
  return { clock, store, ownership, told, beats, beatUnderWay }
}

it('takes nothing up again under the epoch of a lease that a run found to have run out (G6)', async () => {
  const { clock, ownership, told, beats, beatUnderWay } = await node()
  expect(told).toEqual(['granted 0/1'])
  const answer = await beatUnderWay()
  // The event loop stood still: what a run wants to begin comes before the timer that fences the node, and before the answer.
  clock.frozenMs = 9_000
  const owned = { group: 'shop', shard: 0, epoch: 1 }
  expect(ownership.holds(owned)).toBe(false)
  ownership.lose(owned)
  await answer()
  // Under the same epoch what the lost run has under way would still count beside the run that begins now.
  expect(told).toEqual(['granted 0/1', 'lost 0/1'])
  await clock.advance('20s')
  expect(told).toEqual(['granted 0/1', 'lost 0/1', 'granted 0/2'])
  expect(new Set(beats.map(({ node }) => node))).toEqual(new Set(['one', 'one.1']))
  await ownership.stop(() => false)
})

it("keeps the store's time where an answer is found late", async () => {
  const { clock, ownership, beatUnderWay } = await node()
  const before = ownership.now()
  const answer = await beatUnderWay()
  clock.frozenMs = 7_000
  expect(ownership.now()).toBe(before + 7_000)
  await answer()
  expect(ownership.now()).toBe(before + 7_000)
  await ownership.stop(() => false)
})

it('gives a shard some events in a row, then the next: a commit touches few of them', async () => {
  const { ownership } = await node(3)
  const picked = Array.from({ length: limits.shardPicks * 6 }, () => ownership.pickShard())
  const turns = picked.filter((shard, index) => index === 0 || shard !== picked[index - 1])
  expect(turns).toHaveLength(6)
  expect(new Set(turns)).toEqual(new Set([0, 1, 2]))
  await ownership.stop(() => false)
})

it('leaves its share of a limit to the end of its lease where a run has not ended when it stops (G8)', async () => {
  const shareAfterStop = async (executes: boolean) => {
    const { ownership, beats, store } = await node()
    await ownership.stop(() => executes)
    const [first] = beats
    const answer = first && (await store.own({ ...first, node: 'two', limits: first.limits?.map(unused) ?? [] }))
    return answer?.limits
  }
  expect(await shareAfterStop(true)).toEqual([{ name: 'slots:pay', share: 0 }])
  expect(await shareAfterStop(false)).toEqual([{ name: 'slots:pay', share: 1 }])
})

onEitherStore((open) => {
  it('keeps its times by the store’s clock: a wall that jumps brings nothing forward', async () => {
    const entered: number[] = []
    const world = await open({
      handlers: [
        handler('nap', on, async (_event, run) => {
          entered.push(world.clock.monotonicMs())
          await run.sleep('long', '10s')
        }),
      ],
      // The store of this world has the same wall: between two beats it is the node's alone that jumps.
      lease: '80s',
      beat: '20s',
    })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'scheduled')
    world.clock.jump(3_600_000)
    await world.ended(receipt, '1m')
    expect((entered[1] ?? 0) - (entered[0] ?? 0)).toBeGreaterThanOrEqual(10_000)
    await world.close()
  })

  it('takes a pair again only under a new epoch, once it has fenced itself (G6)', async () => {
    let deaf = false
    let entered = 0
    const world = await open({
      handlers: [handler('slow', on, () => (++entered === 1 ? new Promise(() => {}) : 'done'))],
      lease: '8s',
      beat: '2s',
      wrapStore: between({
        own: async (go) => {
          const answer = await go()
          if (deaf) throw new HapaxError('store_unavailable', { reason: 'the answer was lost' })
          return answer
        },
      }),
    })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => entered === 1)
    // The store hears every beat: to it the lease never ran out.
    deaf = true
    await world.advance('10s')
    deaf = false
    await world.ended(receipt, '1m')
    const history = await world.hapax.events.history(receipt.event.key)
    const settled = history.find((entry) => entry.kind === 'settled')
    expect(settled?.epoch).toBeGreaterThan(1)
    await world.close()
  })
})
