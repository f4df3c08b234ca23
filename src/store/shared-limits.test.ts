import { expect, test } from 'vitest'
import { seededRandom } from '../kit/random.ts'
import { idlePart, type LentShare, type LimitClaim, lend, remainderTurnMs } from './shared-limits.ts'

const rate: LimitClaim = { name: 'rate:bank', amount: 100, whole: false, held: 0, eager: true }
const slots: LimitClaim = { ...rate, name: 'slots:bank', amount: 3, whole: true }

test('G8: whatever beats are lost, all shares together never exceed the limit', () => {
  const seed = 20_261_127
  const random = seededRandom(seed)
  for (const whole of [false, true]) {
    const nodes = Array.from({ length: 5 }, (_, index) => ({ node: `n${index}`, uses: 0 }))
    const rows = new Map<string, LentShare>()
    for (let beat = 0; beat < 5_000; beat++) {
      const one = nodes[Math.floor(random.fraction() * nodes.length)]
      if (!one) continue
      const claim = { ...rate, amount: whole ? 7 : 100, whole, held: one.uses, eager: random.fraction() < 0.6 }
      const others = [...rows.values()].filter(({ node }) => node !== one.node)
      const share = lend(one.node, claim, others, beat * 700)
      rows.set(one.node, { node: one.node, share: Math.max(share, one.uses), eager: claim.eager })
      if (random.fraction() < 0.8) one.uses = share
      const used = nodes.reduce((sum, { uses }) => sum + uses, 0)
      expect(used, `seed ${seed}, beat ${beat}`).toBeLessThanOrEqual(claim.amount + 1e-9)
    }
  }
})

test('nodes that all have work have the same', () => {
  const others = ['b', 'c', 'd'].map((node) => ({ node, share: 25, eager: true }))
  expect(lend('a', rate, others, 0)).toBe(25)
})

test('idle nodes keep a small part, so that what comes to them need not wait', () => {
  const idle = { ...rate, eager: false }
  expect(lend('a', idle, [{ node: 'b', share: 50, eager: true }], 0)).toBe(100 / (2 * idlePart))
  expect(lend('a', idle, [{ node: 'b', share: 50, eager: false }], 0)).toBe(50)
})

test('slots that do not come out even go round', () => {
  const others = (node: string) =>
    ['a', 'b', 'c', 'd'].filter((one) => one !== node).map((one) => ({ node: one, share: 0, eager: true }))
  const turn = (number: number) =>
    ['a', 'b', 'c', 'd'].map((node) => lend(node, slots, others(node), number * remainderTurnMs))
  expect(turn(0)).toEqual([1, 1, 1, 0])
  expect(turn(1)).toEqual([1, 1, 0, 1])
  expect(turn(2)).toEqual([1, 0, 1, 1])
  expect(turn(3)).toEqual([0, 1, 1, 1])
})
