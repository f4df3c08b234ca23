import assert from 'node:assert/strict'
import { contractCases, manyNodes } from './contract-case.ts'
import { defined } from './scene.ts'

const handles = 4

/** Several nodes at once. */
export const raceCases = contractCases(
  'race',
  {
    'of accepts of one identity from many nodes exactly one is accepted (G2)': async (scene) => {
      const stores = await Promise.all(Array.from({ length: handles }, () => scene.world.open()))
      for (let round = 0; round < 10; round++) {
        const item = scene.item()
        const answers = await Promise.all(
          stores.flatMap((store) => [0, 1].map(() => scene.tryAccept(scene.again(item), store))),
        )
        const outcomes = answers.map((answer) => answer.outcome).sort()
        assert.deepEqual(outcomes, ['accepted', ...Array.from({ length: handles * 2 - 1 }, () => 'duplicate')])
        const originals = new Set(answers.flatMap((one) => (one.outcome === 'duplicate' ? one.original : [])))
        assert.equal(originals.size, 1)
      }
    },
    'many nodes with many identities in batches of different orders agree on every original (G2)': async (scene) => {
      const stores = await Promise.all(Array.from({ length: handles }, () => scene.world.open()))
      const items = Array.from({ length: 40 }, () => scene.item())
      const batches = stores.map(() =>
        items
          .map((item) => ({ item: scene.again(item), weight: scene.random.fraction() }))
          .sort((one, another) => one.weight - another.weight)
          .map(({ item }) => item),
      )
      const results = await Promise.all(stores.map((store, index) => store.commit({ accept: batches[index] ?? [] })))
      const winners = new Map<string, string>()
      const named = new Map<string, Set<string>>()
      for (const [batch, { accept }] of results.entries()) {
        for (const [index, answer] of accept.entries()) {
          const item = defined(batches[batch]?.[index])
          assert.notEqual(answer.outcome, 'conflict')
          if (answer.outcome === 'accepted') {
            assert.equal(winners.has(item.id), false, `${item.id} was accepted twice`)
            winners.set(item.id, item.key)
          }
          if (answer.outcome === 'duplicate') named.set(item.id, (named.get(item.id) ?? new Set()).add(answer.original))
        }
      }
      assert.equal(winners.size, items.length)
      for (const [id, originals] of named) assert.deepEqual([...originals], [winners.get(id)])
      assert.equal((await scene.store.counts()).events, items.length)
    },
    'a receipt before another is sent decides: the later one is never accepted (G2)': async (scene) => {
      const [one, other] = [await scene.world.open(), await scene.world.open()]
      for (let round = 0; round < 10; round++) {
        const item = scene.item()
        assert.equal((await scene.tryAccept(item, round % 2 ? one : other)).outcome, 'accepted')
        assert.equal((await scene.tryAccept(scene.again(item), round % 2 ? other : one)).outcome, 'duplicate')
      }
    },
    'the same commit asked again by another handle, at the same time, counts once (G6)': async (scene) => {
      const other = await scene.world.open()
      const event = await scene.accept()
      const batch = {
        accept: [scene.item()],
        begin: [scene.begun(event)],
        checkpoint: [scene.result(event, 'charge')],
        settle: [scene.settlement(event)],
      }
      const [first, second] = await Promise.all([scene.store.commit(batch), other.commit(batch)])
      assert.deepEqual(second, first)
      assert.equal((await scene.store.history(event.key)).length, 4)
    },
    'of two settlements of one turn one is settled': async (scene) => {
      const other = await scene.world.open()
      const event = await scene.accept()
      const answers = await Promise.all([
        scene.settle(scene.settlement(event, { result: '1' })),
        scene.settle(scene.settlement(event, { result: '2' }), other),
      ])
      assert.deepEqual(answers.sort(), ['finished', 'settled'])
    },
    'of two checkpoints of one step one is written, and the other gets it (G3)': async (scene) => {
      const other = await scene.world.open()
      const event = await scene.accept()
      const answers = await Promise.all([
        scene.checkpoint(scene.result(event, 'charge', { value: '1' })),
        scene.checkpoint(scene.result(event, 'charge', { value: '2', attempt: 2 }), other),
      ])
      assert.deepEqual(answers.map(({ outcome }) => outcome).sort(), ['refused', 'written'])
      const [kept] = (await scene.record(event)).checkpoints
      const refused = answers.find((answer) => answer.outcome === 'refused')
      assert.equal(refused?.outcome === 'refused' && refused.checkpoint.value, kept?.value)
    },
    'nodes that beat at once never own one pair together (G6)': async (scene) => {
      await scene.world.advance(scene.world.leaseMs + 1)
      const names = ['a', 'b', 'c', 'd']
      const stores = await Promise.all(names.map(() => scene.world.open()))
      const answers = await Promise.all(names.map((name, index) => scene.beat(name, {}, stores[index])))
      const granted = answers.flatMap((answer) => answer.owned.map((grant) => `${grant.shard}/${grant.epoch}`))
      assert.equal(new Set(granted).size, granted.length)
    },
    'one secret is kept of candidates that race': async (scene) => {
      const other = await scene.world.open()
      const [one, two] = await Promise.all([
        scene.store.secret('key', new Uint8Array([1])),
        other.secret('key', new Uint8Array([2])),
      ])
      assert.deepEqual([...one], [...two])
    },
    'what one node committed another sees at once': async (scene) => {
      const other = await scene.world.open()
      const event = await scene.accept()
      await scene.settle(scene.settlement(event))
      assert.equal((await scene.record(event, other)).state?.status, 'completed')
    },
  },
  manyNodes,
)
