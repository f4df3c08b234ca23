import assert from 'node:assert/strict'
import type { Grant, Ownership } from '../../store/store.ts'
import { contractCases, manyNodes } from './contract-case.ts'
import { defined } from './scene.ts'

const shardsOf = (answer: Ownership): number[] => answer.owned.map((grant) => grant.shard).sort((a, b) => a - b)
const pairOf = ({ group, shard, epoch }: Grant) => ({ group, shard, epoch })

/** Who owns which shards. */
export const ownershipCases = contractCases(
  'ownership',
  {
    'a node alone owns every shard': async (scene) => {
      const answer = await scene.beat('one')
      assert.deepEqual(
        shardsOf(answer),
        Array.from({ length: scene.world.shards }, (_, shard) => shard),
      )
      assert.equal(answer.nodes, 1)
      assert.deepEqual(answer.asked, [])
    },
    'a beat states all that the node owns, under the same epochs: a lost reply is mended': async (scene) => {
      const first = await scene.beat('one')
      assert.deepEqual((await scene.beat('one')).owned, first.owned)
    },
    'a newcomer takes nothing from a node that is heard; the holder is asked to give (G5)': async (scene) => {
      const newcomer = await scene.beat('two')
      assert.deepEqual(newcomer.owned, [])
      assert.equal(newcomer.nodes, 2)
      const holder = await scene.beat('one')
      assert.equal(holder.owned.length, scene.world.shards)
      assert.equal(holder.asked.length, Math.floor(scene.world.shards / 2))
    },
    'a beat says when the first of the others is lost, unless it is heard before': async (scene) => {
      assert.equal((await scene.beat('one')).lapsesInMs, undefined)
      await scene.beat('two')
      await scene.world.advance(scene.world.leaseMs / 4)
      const { lapsesInMs = Number.NaN } = await scene.beat('one')
      assert.equal(lapsesInMs > 0 && lapsesInMs <= scene.world.leaseMs, true)
      await scene.world.advance(lapsesInMs + 1)
      assert.equal((await scene.beat('one')).nodes, 1)
    },
    'what is asked for, released and taken shares the shards evenly, and then rests': async (scene) => {
      const nodes = ['one', 'two', 'three']
      const held = new Map<string, Ownership>()
      for (let round = 0; round < 8; round++) {
        for (const node of nodes) held.set(node, await scene.beat(node, { release: held.get(node)?.asked ?? [] }))
      }
      const sizes = nodes.map((node) => defined(held.get(node)).owned.length)
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        scene.world.shards,
      )
      assert.equal(Math.max(...sizes) <= Math.ceil(scene.world.shards / 3), true)
      assert.equal(Math.min(...sizes) >= Math.floor(scene.world.shards / 3), true)
      assert.deepEqual(
        nodes.flatMap((node) => defined(held.get(node)).asked),
        [],
      )
    },
    'a pair that was given back for want of a handler goes to a node that has it, while one lives': async (scene) => {
      const old = await scene.beat('one')
      const [given] = old.owned
      const lacking = { ...pairOf(defined(given)), lacks: 'fresh' }
      // Nobody has it: it may as well stay.
      const kept = await scene.beat('one', { release: [lacking] })
      assert.equal(kept.owned.length, scene.world.shards)
      const again = { ...pairOf(defined(kept.owned.find(({ shard }) => shard === given?.shard))), lacks: 'fresh' }
      await scene.beat('two', { handlers: ['settle', 'fresh'] })
      const without = await scene.beat('one', { release: [again] })
      assert.equal(shardsOf(without).includes(again.shard), false)
      const both = await scene.beat('two', { handlers: ['settle', 'fresh'] })
      assert.equal(shardsOf(both).includes(again.shard), true)
      assert.equal(
        both.asked.some(({ shard }) => shard === again.shard),
        false,
      )
    },
    'however many nodes share the shards, and however they beat, the shares become even and stay as they are': async (
      scene,
    ) => {
      await scene.world.advance(scene.world.leaseMs + 1)
      for (let count = 2; count <= 5; count++) {
        const group = `group-${count}`
        const nodes = Array.from({ length: count }, (_, index) => `node-${index}`)
        const held = new Map<string, Ownership>()
        const beatAll = async () => {
          for (const node of nodes) {
            const answer = await scene.beat(`${group}-${node}`, { group, release: held.get(node)?.asked ?? [] })
            held.set(node, answer)
          }
        }
        for (let round = 0; round < 8; round++) await beatAll()
        const sizes = nodes.map((node) => defined(held.get(node)).owned.length)
        assert.equal(
          sizes.reduce((sum, size) => sum + size, 0),
          scene.world.shards,
        )
        assert.equal(Math.max(...sizes) - Math.min(...sizes) <= 1, true, `${count} nodes have ${sizes}`)
        const grants = () => nodes.map((node) => defined(held.get(node)).owned)
        const settled = grants()
        for (let round = 0; round < 3; round++) {
          await beatAll()
          assert.deepEqual(grants(), settled)
          assert.deepEqual(
            nodes.flatMap((node) => defined(held.get(node)).asked),
            [],
          )
        }
      }
    },
    'a released pair is granted with its epoch raised by one, as graceful (G6)': async (scene) => {
      const [given] = (await scene.beat('one')).owned
      await scene.beat('two')
      await scene.beat('one', { release: [pairOf(defined(given))] })
      const granted = (await scene.beat('two')).owned.find((grant) => grant.shard === given?.shard)
      assert.equal(granted?.epoch, defined(given).epoch + 1)
      assert.equal(granted?.graceful, true)
    },
    'a node whose lease ran out loses its pairs to the next that beats, ungracefully (G5, G6)': async (scene) => {
      const before = (await scene.beat('one')).owned
      await scene.world.advance(scene.world.leaseMs + 1)
      const taken = (await scene.beat('two')).owned
      assert.equal(taken.length, before.length)
      for (const grant of taken) {
        assert.equal(grant.graceful, false)
        assert.equal(grant.epoch, defined(before.find((one) => one.shard === grant.shard)).epoch + 1)
      }
    },
    'a node heard within its lease is never robbed (G5)': async (scene) => {
      const before = (await scene.beat('one')).owned
      for (let beats = 0; beats < 5; beats++) {
        await scene.world.advance(scene.world.leaseMs / 2)
        assert.deepEqual((await scene.beat('two')).owned, [])
        assert.deepEqual((await scene.beat('one')).owned, before)
      }
    },
    'a node that comes back after its lease ran out gets its pairs as a takeover, even from itself (G6)': async (
      scene,
    ) => {
      const before = (await scene.beat('one')).owned
      await scene.world.advance(scene.world.leaseMs + 1)
      const after = (await scene.beat('one')).owned
      for (const grant of after) {
        assert.equal(grant.epoch, defined(before.find((one) => one.shard === grant.shard)).epoch + 1)
        assert.equal(grant.graceful, false)
      }
    },
    'a node that lost its pairs to another is told so by what it no longer owns': async (scene) => {
      await scene.takeover('two')
      assert.deepEqual((await scene.beat('one')).owned, [])
    },
    'a release under an old epoch gives nothing back': async (scene) => {
      const [old] = (await scene.beat('one')).owned
      await scene.world.advance(scene.world.leaseMs + 1)
      const held = (await scene.beat('one')).owned
      const answer = await scene.beat('one', { release: [pairOf(defined(old))] })
      assert.deepEqual(answer.owned, held)
    },
    'a release of what another owns takes nothing from it': async (scene) => {
      const { owned } = await scene.beat('one')
      await scene.beat('two', { release: owned.map(pairOf) })
      assert.deepEqual((await scene.beat('one')).owned, owned)
    },
    'a release asked twice counts once': async (scene) => {
      const [given] = (await scene.beat('one')).owned
      await scene.beat('two')
      const release = [pairOf(defined(given))]
      await scene.beat('one', { release })
      const taken = (await scene.beat('two')).owned
      await scene.beat('one', { release })
      assert.deepEqual((await scene.beat('two')).owned, taken)
    },
    'a node that does not own, or has no handlers, is granted nothing': async (scene) => {
      await scene.world.advance(scene.world.leaseMs + 1)
      assert.deepEqual((await scene.beat('accepts', { owns: false })).owned, [])
      assert.deepEqual((await scene.beat('bare', { handlers: [] })).owned, [])
      assert.equal((await scene.beat('two')).owned.length, scene.world.shards)
    },
    'a node that stops and releases all leaves them to the others at once': async (scene) => {
      const { owned } = await scene.beat('one')
      await scene.beat('two')
      const last = await scene.beat('one', { owns: false, release: owned.map(pairOf) })
      assert.deepEqual(last.owned, [])
      const taken = (await scene.beat('two')).owned
      assert.equal(taken.length, scene.world.shards)
      assert.equal(
        taken.every((grant) => grant.graceful),
        true,
      )
    },
    'groups own the same shards apart': async (scene) => {
      const other = await scene.beat('other-1', { group: 'mail', handlers: ['send'] })
      assert.equal(other.owned.length, scene.world.shards)
      assert.equal(other.nodes, 1)
      assert.equal((await scene.beat('one')).owned.length, scene.world.shards)
    },
    'tells the versions of registry and settings, so that a change is seen by the next beat': async (scene) => {
      const before = await scene.beat('one')
      await scene.store.changeSetting({ verb: 'pause', what: 'handler', name: 'settle', actor: 'ann' })
      await scene.store.register('mail', 'other', [{ name: 'send', formerly: [], sources: ['*'], types: ['*'] }])
      const after = await scene.beat('one')
      assert.equal(after.settingsVersion, before.settingsVersion + 1)
      assert.equal(after.registryVersion, before.registryVersion + 1)
    },
  },
  manyNodes,
)
