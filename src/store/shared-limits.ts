import type { Instant } from '../kit/clock.ts'

/**
 * What a node may use of a limit that all nodes share, and whether it could use more: said with each beat, whose answer lends it
 * a share for as long as its lease lasts.
 */
export interface LimitClaim {
  /** The same on every node: `rate:acquirer`. */
  readonly name: string
  /** The whole of it, as this node knows it: calls a second, or slots. */
  readonly amount: number
  /** Slots, which cannot be divided; false: a rate, which can. */
  readonly whole: boolean
  /** What the node may use until it has the answer: its share, or what it still uses of a larger one. */
  readonly held: number
  /** It could use more than it has. */
  readonly eager: boolean
}

/** What a node may use of a limit from now on, until its lease ends. */
export interface LimitShare {
  readonly name: string
  readonly share: number
}

/** A live node's part of a limit. */
export interface LentShare {
  readonly node: string
  /** The most that it may be using now. */
  readonly share: number
  readonly eager: boolean
}

/** Of an even share, what a node that has little to do keeps: so that what comes to it need not wait for a beat. */
export const idlePart = 32

/** Where slots do not come out even, those that are left go round among the nodes, so long each. */
export const remainderTurnMs = 5_000

/**
 * What a node gets of a limit: an even part of what the eager ones share, never more than the others leave. So the shares of all
 * live nodes together never exceed the whole, whatever beats are lost: who gets less is counted with what it had until it
 * says that it has it no more, who gets more has it when the answer comes.
 *
 * @param others the same limit's shares of all other live nodes
 * @param now the store's clock
 */
export function lend(node: string, claim: LimitClaim, others: readonly LentShare[], now: Instant): number {
  const lent = others.reduce((sum, { share }) => sum + share, 0)
  const part = claim.whole ? wholePart(node, claim, others, now) : ratePart(claim, others)
  return Math.max(0, Math.min(part, claim.amount - lent))
}

function ratePart({ amount, eager }: LimitClaim, others: readonly LentShare[]): number {
  const nodes = others.length + 1
  const eagers = others.filter((one) => one.eager).length + (eager ? 1 : 0)
  if (eagers === 0) return amount / nodes
  const idle = amount / (idlePart * nodes)
  return eager ? (amount - (nodes - eagers) * idle) / eagers : idle
}

function wholePart(node: string, { amount, eager }: LimitClaim, others: readonly LentShare[], now: Instant): number {
  const nodes = others.length + 1
  const eagers = others.filter((one) => one.eager).length + (eager ? 1 : 0)
  const idle = eagers > 0 && amount >= 8 * nodes ? Math.max(1, Math.floor(amount / (idlePart * nodes))) : 0
  if (eagers > 0 && !eager) return idle
  const sharers = eagers === 0 ? nodes : eagers
  const pool = eagers === 0 ? amount : amount - (nodes - eagers) * idle
  const rank = others.filter((one) => (eagers === 0 || one.eager) && one.node < node).length
  const turn = (rank + Math.floor(now / remainderTurnMs)) % sharers
  return Math.floor(pool / sharers) + (turn < pool % sharers ? 1 : 0)
}
