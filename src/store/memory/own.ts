import { type LentShare, type LimitClaim, type LimitShare, lend } from '../shared-limits.ts'
import { askedOf, grantedTo, type Taker } from '../shares.ts'
import type { Grant, NodeBeat, Owned, OwnedCursor, Ownership, Released } from '../store.ts'
import type { MemoryState, Pair } from './state.ts'
import { tail } from './tail.ts'

/** One node's beat: leases are judged by monotonic time, when others beat. */
export function own(state: MemoryState, beat: NodeBeat): Ownership {
  const { node, group } = beat
  dropLapsed(state)
  const takes = beat.owns && beat.handlers.length > 0
  const leaseUntilMs = state.clock.monotonicMs() + beat.leaseMs
  state.nodes.set(node, { group, takes, handlers: beat.handlers, leaseUntilMs, lent: new Map() })
  const pairs = Array.from({ length: state.shards }, (_, shard) => state.pair(group, shard))
  for (const released of beat.release) release(pairs[released.shard], node, released)
  for (const { shard, epoch, position } of beat.lowMarks) raiseLowMark(pairs[shard], node, epoch, position)

  const taking = [...state.nodes].filter(([, one]) => one.group === group && one.takes)
  const takers = taking.map(([name, { handlers }]): Taker => ({ node: name, handlers }))
  if (takes) {
    for (const { pair, lacks } of grantedTo(beat, pairs, takers)) {
      pair.owner = node
      pair.epoch++
      pair.lacks = lacks
    }
  }
  const held = pairs.filter((pair) => pair.owner === node)
  return {
    now: state.clock.now(),
    owned: held.map((pair): Grant => ({ ...ownedOf(pair), graceful: pair.graceful })),
    asked: (takes ? askedOf(beat, pairs, takers) : held).map(ownedOf),
    nodes: [...state.nodes.values()].filter((one) => one.group === group).length,
    lapsesInMs: lapsesIn(
      taking.filter(([name]) => name !== node).map(([, one]) => one.leaseUntilMs - state.clock.monotonicMs()),
    ),
    registryVersion: state.registryVersion,
    settingsVersion: state.settingsVersion,
    ...(beat.cursors && { quiet: isQuiet(state, beat.cursors) }),
    ...(beat.limits && { limits: beat.limits.map((claim) => lendTo(state, node, claim)) }),
  }
}

/** A share that becomes smaller counts as it was until its node says that it has the smaller one. */
function lendTo(state: MemoryState, node: string, claim: LimitClaim): LimitShare {
  const others = [...state.nodes].flatMap(([name, { lent }]): LentShare[] => {
    const one = name === node ? undefined : lent.get(claim.name)
    return one ? [{ node: name, ...one }] : []
  })
  // Summed in one order, so that all stores come to the same to the last digit.
  others.sort((one, another) => (one.node < another.node ? -1 : 1))
  const share = lend(node, claim, others, state.clock.now())
  state.nodes.get(node)?.lent.set(claim.name, { share: Math.max(share, claim.held), eager: claim.eager })
  return { name: claim.name, share }
}

/** Hints of a store in one process are always heard. */
function isQuiet(state: MemoryState, cursors: readonly OwnedCursor[]): boolean {
  if (cursors.some(({ cursor }) => cursor === undefined)) return false
  return tail(state, { cursors, limit: 0 }).every(
    (page) => !page.stale && !page.more && page.interventions.length === 0,
  )
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

function ownedOf({ group, shard, epoch }: Pair): Owned {
  return { group, shard, epoch }
}
