/** A (group, shard) pair as sharing out sees it. */
export interface Seat {
  /** The node that holds it; undefined: free. */
  readonly owner: string | undefined
  /** A handler that whoever takes it should have: it was given back for want of it. */
  readonly lacks: string | undefined
}

/** A live node that takes pairs. */
export interface Taker {
  readonly node: string
  readonly handlers: readonly string[]
}

/** A free pair that goes to a node. */
export interface Granted<Pair> {
  readonly pair: Pair
  /** Kept as long as the pair stays with a node that has it. */
  readonly lacks: string | undefined
}

/**
 * The free pairs that a node takes with its beat: up to its even share, rounded up; beyond the share rounded down only those
 * that no other lacks, or a node would take back at once what it just gave. What was given back for want of a handler goes
 * to a node that has it, whatever its share, and says so as long as it stays there; while such a node lives, to no other.
 *
 * @param taker who beats; one of `takers`
 */
export function grantedTo<Pair extends Seat>(
  taker: Taker,
  pairs: readonly Pair[],
  takers: readonly Taker[],
): Granted<Pair>[] {
  const { node, handlers } = taker
  const { least, most } = evenShare(pairs, takers)
  const unowned = pairs.filter(({ owner }) => owner === undefined)
  const isWanted = ({ lacks }: Pair) => lacks !== undefined && handlers.includes(lacks)
  const isSpokenFor = ({ lacks }: Pair) => lacks !== undefined && takers.some((one) => one.handlers.includes(lacks))
  const granted = unowned.filter(isWanted).map((pair): Granted<Pair> => ({ pair, lacks: pair.lacks }))
  const open = unowned.filter((pair) => !isSpokenFor(pair))
  const others = takers.filter((one) => one.node !== node)
  const lackedByOthers = lacked(pairs, others, least)
  let held = heldBy(pairs, node) + granted.length
  let free = open.length
  for (const pair of open) {
    if (held >= most || (held >= least && free <= lackedByOthers)) break
    granted.push({ pair, lacks: undefined })
    held++
    free--
  }
  return granted
}

/**
 * The pairs that a node must give so that each other reaches the even share, rounded down: never below it itself, and
 * nothing that would be given back for want of a handler.
 *
 * @param taker who beats; one of `takers`
 */
export function askedOf<Pair extends Seat>(
  taker: Taker,
  pairs: readonly Pair[],
  takers: readonly Taker[],
): readonly Pair[] {
  const held = pairs.filter(({ owner }) => owner === taker.node)
  const { least, most } = evenShare(pairs, takers)
  const free = pairs.filter(({ owner }) => owner === undefined).length
  const extra = Math.min(held.length - least, Math.max(lacked(pairs, takers, least) - free, held.length - most))
  const isLacked = (handler: string) => takers.some(({ handlers }) => !handlers.includes(handler))
  const spare = held.filter(({ lacks }) => lacks === undefined || !isLacked(lacks))
  return extra > 0 ? spare.slice(-extra) : []
}

function evenShare(pairs: readonly Seat[], takers: readonly Taker[]): { least: number; most: number } {
  const even = pairs.length / takers.length
  return { least: Math.floor(even), most: Math.ceil(even) }
}

function lacked(pairs: readonly Seat[], takers: readonly Taker[], least: number): number {
  return takers.reduce((sum, { node }) => sum + Math.max(0, least - heldBy(pairs, node)), 0)
}

function heldBy(pairs: readonly Seat[], node: string): number {
  return pairs.filter(({ owner }) => owner === node).length
}
