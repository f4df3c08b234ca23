import type { Grant, NodeBeat, Owned, Ownership, Released } from '../store.ts'
import type { MemoryState, NodeEntry, Pair } from './state.ts'

/** One node's beat: leases are judged by monotonic time, when others beat. */
export function own(state: MemoryState, beat: NodeBeat): Ownership {
  const { node, group } = beat
  dropLapsed(state)
  const takes = beat.owns && beat.handlers.length > 0
  const leaseUntilMs = state.clock.monotonicMs() + beat.leaseMs
  state.nodes.set(node, { group, takes, handlers: beat.handlers, leaseUntilMs })
  const pairs = Array.from({ length: state.shards }, (_, shard) => state.pair(group, shard))
  for (const released of beat.release) release(pairs[released.shard], node, released)
  for (const { shard, epoch, position } of beat.lowMarks) raiseLowMark(pairs[shard], node, epoch, position)

  const taking = [...state.nodes].filter(([, one]) => one.group === group && one.takes)
  const takers = taking.map(([name]) => name)
  if (takes) grantShare(pairs, beat, takers, new Set(taking.flatMap(([, one]) => one.handlers)))
  const held = pairs.filter((pair) => pair.owner === node)
  return {
    now: state.clock.now(),
    owned: held.map((pair): Grant => ({ ...ownedOf(pair), graceful: pair.graceful })),
    asked: (takes ? asked(pairs, held, taking) : held).map(ownedOf),
    nodes: [...state.nodes.values()].filter((one) => one.group === group).length,
    lapsesInMs: lapsesIn(
      taking.filter(([name]) => name !== node).map(([, one]) => one.leaseUntilMs - state.clock.monotonicMs()),
    ),
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

function lapsesIn(leftMs: readonly number[]): number | undefined {
  return leftMs.length === 0 ? undefined : Math.min(...leftMs)
}

function release(pair: Pair | undefined, node: string, { epoch, lacks }: Released): void {
  if (pair?.owner !== node || pair.epoch !== epoch) return
  pair.owner = undefined
  pair.graceful = true
  pair.lacks = lacks
}

function raiseLowMark(pair: Pair | undefined, node: string, epoch: number, position: number): void {
  if (pair?.owner === node && pair.epoch === epoch) pair.lowMark = Math.max(pair.lowMark, position)
}

/**
 * Free pairs go to the node up to its even share, rounded up; beyond the share rounded down only those that no other
 * lacks, or a node would take back at once what it just gave. What was given back for want of a handler goes to a node that
 * has it, whatever its share, and says so as long as it stays there. Each grant raises the epoch.
 */
function grantShare(
  pairs: readonly Pair[],
  { node, handlers }: NodeBeat,
  takers: readonly string[],
  living: ReadonlySet<string>,
): void {
  const { least, most } = sharesOf(pairs, takers)
  const lackedByOthers = lacked(
    pairs,
    takers.filter((taker) => taker !== node),
    least,
  )
  const unowned = pairs.filter((pair) => pair.owner === undefined)
  const wanted = unowned.filter(({ lacks }) => lacks !== undefined && handlers.includes(lacks))
  for (const pair of wanted) take(pair, node, pair.lacks)
  const open = unowned.filter(({ owner, lacks }) => owner === undefined && !(lacks !== undefined && living.has(lacks)))
  let held = heldBy(pairs, node)
  let free = open.length
  for (const pair of open) {
    if (held >= most || (held >= least && free <= lackedByOthers)) return
    take(pair, node, undefined)
    held++
    free--
  }
}

function take(pair: Pair, node: string, lacks: string | undefined): void {
  pair.owner = node
  pair.epoch++
  pair.lacks = lacks
}

/**
 * What the node must give so that each other reaches the even share, rounded down; never below it itself, and nothing that
 * would be given back for want of a handler.
 */
function asked(pairs: readonly Pair[], held: readonly Pair[], taking: readonly [string, NodeEntry][]): readonly Pair[] {
  const takers = taking.map(([name]) => name)
  const { least, most } = sharesOf(pairs, takers)
  const free = pairs.filter((pair) => pair.owner === undefined).length
  const extra = Math.min(held.length - least, Math.max(lacked(pairs, takers, least) - free, held.length - most))
  const isLacked = (handler: string) => taking.some(([, { handlers }]) => !handlers.includes(handler))
  const spare = held.filter(({ lacks }) => lacks === undefined || !isLacked(lacks))
  return extra > 0 ? spare.slice(-extra) : []
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
