import assert from 'node:assert/strict'
import type { LimitClaim } from '../../store/shared-limits.ts'
import { contractCases } from './contract-case.ts'
import { defined, only, type Scene } from './scene.ts'

/** A rate of 100 calls a second, of which the node has nothing yet and wants all. */
function claim(over: Partial<LimitClaim> = {}): LimitClaim {
  return { name: 'rate:bank', amount: 100, whole: false, held: 0, eager: true, ...over }
}

async function shareOf(scene: Scene, node: string, over: Partial<LimitClaim> = {}): Promise<number> {
  const { limits } = await scene.beat(node, { limits: [claim(over)] })
  const { name, share } = only(limits ?? [])
  assert.equal(name, over.name ?? 'rate:bank')
  return share
}

/** Limits that all nodes share (G8). */
export const limitCases = contractCases('limits', {
  'a beat that names no limit is lent none': async (scene) => {
    assert.deepEqual((await scene.beat('one')).limits ?? [], [])
  },
  'a node alone has all of a limit': async (scene) => {
    assert.equal(await shareOf(scene, 'one'), 100)
  },
  'what another node may still be using is lent to nobody; in the end all have the same (G8)': async (scene) => {
    assert.equal(await shareOf(scene, 'one'), 100)
    assert.equal(await shareOf(scene, 'two'), 0)
    // It is told to use half, and may use all until it has heard that.
    assert.equal(await shareOf(scene, 'one', { held: 100 }), 50)
    assert.equal(await shareOf(scene, 'two'), 0)
    assert.equal(await shareOf(scene, 'one', { held: 50 }), 50)
    assert.equal(await shareOf(scene, 'two'), 50)
  },
  'a reply that was lost is mended: what the node says that it has counts': async (scene) => {
    await shareOf(scene, 'one')
    await shareOf(scene, 'one', { held: 0, eager: false })
    assert.equal(await shareOf(scene, 'two'), 0)
    await shareOf(scene, 'one', { held: 50 })
    assert.equal(await shareOf(scene, 'two'), 50)
  },
  'a node that has nothing to do leaves nearly all to those that have': async (scene) => {
    assert.equal(await shareOf(scene, 'one', { eager: false }), 100)
    await shareOf(scene, 'two')
    assert.equal(await shareOf(scene, 'one', { eager: false, held: 100 }), 100 / 64)
    await shareOf(scene, 'one', { eager: false, held: 100 / 64 })
    assert.equal(await shareOf(scene, 'two'), 100 - 100 / 64)
  },
  'slots are lent whole, and never more than there are': async (scene) => {
    const slots = { name: 'slots:bank', amount: 5, whole: true }
    assert.equal(await shareOf(scene, 'one', slots), 5)
    const held = { one: 5, two: 0, three: 0 }
    for (let round = 0; round < 6; round++) {
      for (const node of ['one', 'two', 'three'] as const) {
        held[node] = await shareOf(scene, node, { ...slots, held: held[node] })
        assert.equal(Number.isInteger(held[node]), true)
        assert.equal(held.one + held.two + held.three <= 5, true, JSON.stringify(held))
      }
    }
    const shares = Object.values(held).sort((a, b) => a - b)
    assert.deepEqual(shares, [1, 2, 2])
  },
  'however beats of many nodes meet, what they may use together is never more than the whole (G8)': async (scene) => {
    const stores = [scene.store, await scene.world.open()]
    const nodes = Array.from({ length: 6 }, (_, index) => `node-${index}`)
    for (let limit = 0; limit < 6; limit++) {
      // Of one that nobody has anything of yet, each might think that all is its own.
      const slots = { name: `slots:${limit}`, amount: 8, whole: true }
      const held = new Map(nodes.map((node) => [node, 0]))
      const sum = () => [...held.values()].reduce((all, one) => all + one, 0)
      for (let round = 0; round < 3; round++) {
        const beats = nodes.map(async (node, index) => {
          const eager = round === 2 || scene.random.fraction() < 0.6
          const limits = [claim({ ...slots, held: defined(held.get(node)), eager })]
          const { share } = only((await scene.beat(node, { limits }, defined(stores[index % 2]))).limits ?? [])
          held.set(node, share)
          assert.equal(sum() <= slots.amount, true, `${sum()} of ${slots.amount} in round ${round}`)
        })
        await Promise.all(beats)
      }
      assert.equal(sum() > 0, true)
    }
  },
  'limits of one name have nothing to do with those of another': async (scene) => {
    assert.equal(await shareOf(scene, 'one'), 100)
    assert.equal(await shareOf(scene, 'two', { name: 'rate:post' }), 100)
  },
  'a limit that a node names no more is given back': async (scene) => {
    await shareOf(scene, 'one')
    await scene.beat('one')
    assert.equal(await shareOf(scene, 'two'), 100)
  },
  'a node that stops gives back what it had': async (scene) => {
    await shareOf(scene, 'one')
    await scene.beat('one', { owns: false, handlers: [] })
    assert.equal(await shareOf(scene, 'two'), 100)
  },
  'the share of a node that is lost is free when its lease has run out, and not before (G8)': async (scene) => {
    await shareOf(scene, 'one')
    await scene.world.advance(scene.world.leaseMs / 4)
    assert.equal(await shareOf(scene, 'two'), 0)
    await scene.world.advance(scene.world.leaseMs)
    assert.equal(await shareOf(scene, 'two'), 100)
  },
  'nodes of other groups share the same limits': async (scene) => {
    await shareOf(scene, 'one')
    const { limits } = await scene.beat('mailer', { group: 'mail', limits: [claim()] })
    assert.deepEqual(limits, [{ name: 'rate:bank', share: 0 }])
  },
  'a limit that was lowered lends nothing until the others use less': async (scene) => {
    await shareOf(scene, 'one')
    assert.equal(await shareOf(scene, 'two', { amount: 50 }), 0)
    assert.equal(await shareOf(scene, 'one', { amount: 50, held: 100 }), 25)
    assert.equal(await shareOf(scene, 'one', { amount: 50, held: 25 }), 25)
    assert.equal(await shareOf(scene, 'two', { amount: 50 }), 25)
  },
})
