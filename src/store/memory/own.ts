import type { Grant, NodeBeat, Owned, Ownership } from '../store.ts'
import type { MemoryState, Pair } from './state.ts'

/** One node's beat: leases are judged by monotonic time, when others beat. */
export function own(state: MemoryState, beat: NodeBeat): Ownership {
  const { node, group } = beat
  dropLapsed(state)
  const takes = beat.owns && beat.handlers.length > 0
  const leaseUntilMs = state.clock.monotonicMs() + beat.leaseMs
  state.nodes.set(node, { group, takes, handlers: beat.handlers, leaseUntilMs })
  const pairs = Array.from({ length: state.shards }, (_, shard) => state.pair(group, shard))
  for (const { shard, epoch } of beat.release) release(pairs[shard], node, epoch)
  for (const { shard, epoch, position } of beat.lowMarks) raiseLowMark(pairs[shard], node, epoch, position)

  const takers = [...state.nodes].filter(([, one]) => one.group === group && one.takes).map(([name]) => name)
  if (takes) grantShare(pairs, node, takers)
  const held = pairs.filter((pair) => pair.owner === node)
  return {
    now: state.clock.now(),
    owned: held.map((pair): Grant => ({ ...ownedOf(pair), graceful: pair.graceful })),
    asked: (takes ? asked(pairs, held, takers) : held).map(ownedOf),
    nodes: [...state.nodes.values()].filter((one) => one.group === group).length,
    registryVersion: state.registryVersion,
    settingsVersion: state.settingsVersion,
  }
}

/** Nodes that were not heard within their lease lose their pairs, to whoever beats next: themselves included. */
export function dropLapsed(state: MemoryState): void {
  for (const [name, node] of state.nodes) {
    if (state.clock.monotonicMs() <= node.leaseUntilMs) continue
    state.nodes.delete(name)
    for (const pair of state.pairs.values()) {
      if (pair.owner !== name) continue
      pair.owner = undefined
      pair.graceful = false
    }
  }
}

function release(pair: Pair | undefined, node: string, epoch: number): void {
  if (pair?.owner !== node || pair.epoch !== epoch) return
  pair.owner = undefined
  pair.graceful = true
}

function raiseLowMark(pair: Pair | undefined, node: string, epoch: number, position: number): void {
  if (pair?.owner === node && pair.epoch === epoch) pair.lowMark = Math.max(pair.lowMark, position)
}

/**
 * Free pairs go to the node up to its even share, rounded up; beyond the share rounded down only those that no other
 * lacks, or a node would take back at once what it just gave. Each grant raises the epoch.
 */
function grantShare(pairs: readonly Pair[], node: string, takers: readonly string[]): void {
  const { least, most } = sharesOf(pairs, takers)
  const lackedByOthers = lacked(
    pairs,
    takers.filter((taker) => taker !== node),
    least,
  )
  let held = heldBy(pairs, node)
  let free = pairs.filter((pair) => pair.owner === undefined).length
  for (const pair of pairs) {
    if (held >= most || (held >= least && free <= lackedByOthers)) return
    if (pair.owner !== undefined) continue
    pair.owner = node
    pair.epoch++
    held++
    free--
  }
}

/** What the node must give so that each other reaches the even share, rounded down; never below it itself. */
function asked(pairs: readonly Pair[], held: readonly Pair[], takers: readonly string[]): readonly Pair[] {
  const { least, most } = sharesOf(pairs, takers)
  const free = pairs.filter((pair) => pair.owner === undefined).length
  const extra = Math.min(held.length - least, Math.max(lacked(pairs, takers, least) - free, held.length - most))
  return extra > 0 ? held.slice(-extra) : []
}

function sharesOf(pairs: readonly Pair[], takers: readonly string[]): { least: number; most: number } {
  const even = pairs.length / takers.length
  return { least: Math.floor(even), most: Math.ceil(even) }
}

function lacked(pairs: readonly Pair[], takers: readonly string[], least: number): number {
  return takers.reduce((sum, taker) => sum + Math.max(0, least - heldBy(pairs, taker)), 0)
}

function heldBy(pairs: readonly Pair[], node: string): number {
  return pairs.filter((pair) => pair.owner === node).length
}

function ownedOf({ group, shard, epoch }: Pair): Owned {
  return { group, shard, epoch }
}
