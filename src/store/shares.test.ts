import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askedOf, grantedTo, type Taker } from './shares.ts'

interface Pair {
  readonly shard: number
  owner: string | undefined
  lacks: string | undefined
}

const free = (count: number): Pair[] =>
  Array.from({ length: count }, (_, shard) => ({ shard, owner: undefined, lacks: undefined }))
const taker = (node: string, ...handlers: string[]): Taker => ({ node, handlers })
const shardsOf = (pairs: readonly Pair[], node: string) =>
  pairs.filter(({ owner }) => owner === node).map(({ shard }) => shard)

/** One beat: what was asked of the node is given, then it takes. Answers how many pairs changed hands. */
function beat(node: Taker, pairs: readonly Pair[], takers: readonly Taker[]): number {
  const given = askedOf(node, pairs, takers)
  for (const pair of given) pair.owner = undefined
  const granted = grantedTo(node, pairs, takers)
  for (const { pair, lacks } of granted) {
    pair.owner = node.node
    pair.lacks = lacks
  }
  return given.length + granted.length
}

describe('sharing out', () => {
  it('gives all to one alone', () => {
    const one = taker('a', 'pay')
    expect(grantedTo(one, free(5), [one])).toHaveLength(5)
  })

  it('comes to even shares whoever beats when, and then nothing changes hands any more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 40 }),
        (nodes, shards, owners) => {
          const takers = Array.from({ length: nodes }, (_, index) => taker(`node-${index}`, 'pay'))
          const pairs = free(shards)
          for (const pair of pairs) {
            const owner = owners[pair.shard]
            pair.owner = owner === undefined ? undefined : takers[owner % nodes]?.node
          }
          for (let round = 0; round < 4; round++) for (const one of takers) beat(one, pairs, takers)
          const held = takers.map(({ node }) => shardsOf(pairs, node).length)
          expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(1)
          expect(held.reduce((sum, count) => sum + count, 0)).toBe(shards)
          expect(takers.map((one) => beat(one, pairs, takers))).toEqual(takers.map(() => 0))
        },
      ),
    )
  })

  it('gives what lacks a handler to a node that has it, beyond its share, and leaves it there', () => {
    const [old, fresh] = [taker('old', 'pay'), taker('fresh', 'pay', 'refund')]
    const pairs = free(4).map((pair) => ({ ...pair, lacks: 'refund' }))
    expect(grantedTo(old, pairs, [old, fresh])).toEqual([])
    expect(beat(fresh, pairs, [old, fresh])).toBe(4)
    expect(askedOf(fresh, pairs, [old, fresh])).toEqual([])
  })

  it('gives it to anyone where nobody has the handler', () => {
    const old = taker('old', 'pay')
    const pairs = free(4).map((pair) => ({ ...pair, lacks: 'refund' }))
    expect(grantedTo(old, pairs, [old])).toHaveLength(4)
  })
})
