import { Draw } from './draw.ts'
import type { Fault, StoreFault } from './plan.ts'

/** Fault kinds in groups: a seed has each group or has not. */
const groups: readonly (readonly StoreFault['kind'][])[] = [
  ['crash'],
  ['stall'],
  ['cut'],
  ['lose_request', 'lose_reply', 'reply_late'],
  ['commit_late', 'commit_twice', 'commit_torn'],
  ['lose_beat'],
  ['lose_read', 'slow_read'],
  ['store_down', 'store_full'],
  ['clock_jump'],
  ['hints_lost'],
]

/** What breaks in a seed: none to a dozen things, of the groups that it has. */
export function drawFaults(seed: number, busyMs: number, nodes: number, leaseMs: number): Fault[] {
  const draw = new Draw(seed, 'faults')
  const kinds = groups.filter(() => draw.chance(0.5)).flat()
  const [first, ...others] = kinds
  const faults = stallsInBeats(seed, busyMs, nodes, leaseMs)
  if (first !== undefined) {
    for (let left = draw.whole(0, 12); left > 0; left--)
      faults.push(drawFault(draw, draw.pick([first, ...others]), busyMs, nodes, leaseMs))
  }
  return faults.sort((one, other) => one.atMs - other.atMs)
}

/** Of a stream of their own, so that the other faults of a seed are as they were. */
function stallsInBeats(seed: number, busyMs: number, nodes: number, leaseMs: number): Fault[] {
  const draw = new Draw(seed, 'stalls in beats')
  if (!draw.chance(0.3)) return []
  return Array.from({ length: draw.whole(2, 6) }, () => drawFault(draw, 'stall_in_beat', busyMs, nodes, leaseMs))
}

function drawFault(draw: Draw, kind: StoreFault['kind'], busyMs: number, nodes: number, leaseMs: number): Fault {
  const at = { atMs: draw.whole(20, busyMs), node: draw.whole(0, nodes - 1) }
  switch (kind) {
    case 'crash': {
      const when = draw.pick(['now', 'before_commit', 'after_commit', 'torn_commit'])
      return { ...at, kind, when, downMs: draw.pick([50, 500, leaseMs, 2 * leaseMs]) }
    }
    case 'stall':
      return { ...at, kind, ms: Math.floor(leaseMs * draw.pick([0.1, 0.6, 1.1, 2, 3])) }
    case 'cut':
      return { ...at, kind, ms: Math.floor(leaseMs * draw.pick([0.3, 1.1, 2])), way: draw.pick(['both', 'replies']) }
    case 'lose_request':
    case 'lose_reply':
    case 'commit_late':
    case 'commit_twice':
    case 'commit_torn':
      return { ...at, kind, calls: draw.whole(1, 4) }
    case 'stall_in_beat':
      return { ...at, kind, calls: 1, ms: Math.floor(leaseMs * draw.pick([0.85, 0.9, 0.95])) }
    case 'lose_beat':
    case 'lose_read':
      return { ...at, kind, calls: draw.whole(1, 6) }
    case 'slow_read':
    case 'reply_late':
      return { ...at, kind, calls: draw.whole(1, 4), ms: draw.pick([100, 500, 1_500]) }
    case 'store_down':
    case 'store_full':
      return { ...at, kind, ms: draw.pick([200, 1_000, 3_000]) }
    case 'clock_jump':
      return { ...at, kind, ms: draw.pick([-3_600_000, -5_000, -700, 700, 5_000, 3_600_000]) }
    case 'hints_lost':
      return { ...at, kind, ms: draw.pick([500, 3_000]) }
  }
}
