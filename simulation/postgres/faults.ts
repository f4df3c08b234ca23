import { Draw } from '../draw.ts'
import { withoutTurns } from '../flow.ts'
import type { Fault, Plan, Send } from '../plan.ts'
import { drawPlan } from '../workload.ts'

/** What a driver and a server cannot do: TCP delivers nothing twice, and a full disk needs a disk. */
const elsewhere: ReadonlySet<Fault['kind']> = new Set(['commit_twice', 'store_full'])

const kinds = ['commit_open', 'crash', 'statement_cancelled', 'connections_ended', 'lose_reply'] as const

/**
 * The plan of a seed, with what breaks below a driver, and with commits that meet; without turns, which are judged by what a node is
 * told to hand back: here it works that out by itself, and the model does not hear of it.
 */
export function drawDriverPlan(seed: number): Plan {
  const plan = withoutTurns(drawPlan(seed))
  const busyMs = plan.healsAtMs - 3_000
  const sends = [...plan.sends, ...drawBursts(seed, plan, busyMs)]
  const faults = [...plan.faults.filter(({ kind }) => !elsewhere.has(kind)), ...drawDriverFaults(seed, plan, busyMs)]
  return { ...plan, acceptSpans: true, sends, faults: faults.sort((one, other) => one.atMs - other.atMs) }
}

function drawDriverFaults(seed: number, plan: Plan, busyMs: number): Fault[] {
  const draw = new Draw(seed, 'faults below the driver')
  return kinds.flatMap((kind) => {
    if (!draw.chance(0.6)) return []
    return Array.from({ length: draw.whole(1, 5) }, (): Fault => {
      const at = { atMs: draw.whole(20, busyMs), node: draw.whole(0, plan.nodes.length - 1) }
      const calls = draw.whole(1, 3)
      const ms = Math.floor(draw.pick([20, 200, 400, plan.leaseMs * 0.6, plan.leaseMs * 1.3]))
      const downMs = draw.pick([500, plan.leaseMs])
      if (kind === 'crash') return { ...at, kind, when: 'open_commit', downMs }
      if (kind === 'commit_open') return { ...at, kind, calls, ms }
      return kind === 'connections_ended' ? { ...at, kind } : { ...at, kind, calls }
    })
  })
}

/** Events that come at once by several nodes, some of them the same. */
function drawBursts(seed: number, plan: Plan, busyMs: number): Send[] {
  const draw = new Draw(seed, 'bursts')
  const sends: Send[] = []
  for (let burst = draw.whole(0, 3); burst > 0; burst--) {
    const atMs = draw.whole(100, busyMs)
    for (let left = draw.whole(2, 5); left > 0; left--) {
      const before = sends.at(-1)
      const at = { atMs: atMs + draw.whole(0, 30), node: draw.whole(0, plan.nodes.length - 1) }
      if (before && draw.chance(0.3)) sends.push({ ...before, ...at })
      else {
        const type = draw.pick(['book.made', 'ledger.made'])
        const orderKey = type === 'ledger.made' ? { orderKey: 'hot' } : {}
        const id = `burst-${burst}-${left}`
        sends.push({ ...at, tenant: 'acme', source: 'shop', id, type, ...orderKey, deeds: [], nonce: 0 })
      }
    }
  }
  return sends
}
