import type { CircuitTurn, CircuitTurned } from '../../src/store/circuits.ts'
import { circuitOf } from '../../src/store/sql/lists.ts'
import type { Row } from '../../src/store/sql/rows.ts'
import type { NodeBeat, Ownership } from '../../src/store/store.ts'
import { type Group, nameOf } from './protocol.ts'

/** What a statement is to the faults. */
type Sort = 'commit' | 'beat' | 'read' | 'other'

const sorts: Readonly<Record<string, Sort>> = {
  commit: 'commit',
  beat: 'beat',
  grant: 'beat',
  tail: 'read',
  events: 'read',
  records: 'read',
  standing: 'read',
}

/** Which faults a statement is for. */
export function sortOf(group: Group): Sort {
  // What is due is a statement of its own.
  return sorts[nameOf(group)] ?? (group.text.includes('.standing d') ? 'read' : 'other')
}

/** A beat as its statement says it. */
export function beatOf({ text, params }: Group): NodeBeat {
  const [, node, group, owns, , leaseMs, release] = params.map(String)
  return {
    node: node ?? '',
    group: group ?? '',
    owns: owns === 'true',
    handlers: [],
    leaseMs: Number(leaseMs),
    release: JSON.parse(release ?? '[]'),
    lowMarks: [],
    ...(text.includes('exists (') && { cursors: [] }),
  }
}

/** The turn of a circuit as its statement asks for it, and what became of it. */
export function turnOf({ params }: Group, row: Record<string, unknown>): readonly [CircuitTurn, CircuitTurned] {
  const [, dependency, seen, state, probeInMs, reason, actor] = params
  const turn: CircuitTurn = {
    dependency: String(dependency),
    seen: Number(seen),
    state: state === 'closed' || state === 'probing' ? state : 'open',
    probeInMs: probeInMs === null || probeInMs === undefined ? undefined : Number(probeInMs),
    reason: String(reason),
    actor: String(actor),
  }
  const { applied, circuit } = row.turned as { readonly applied: boolean; readonly circuit: Row | null }
  return [turn, { applied, circuit: circuit ? circuitOf(circuit) : undefined }]
}

/** What the server says of a group's pairs, as its node learns it. */
export function ownershipOf({ params }: Group, { standing, came }: Record<string, unknown>): Ownership {
  const node = params[1]
  const { now, pairs } = standing as {
    now: number
    pairs: readonly { shard: number; epoch: number; node: string | null; graceful: boolean }[]
  }
  return {
    now,
    owned: pairs
      .filter((pair) => pair.node === node)
      .map(({ shard, epoch, graceful }) => ({ group: 'pay', shard, epoch, graceful })),
    asked: [],
    nodes: 0,
    lapsesInMs: undefined,
    registryVersion: 0,
    settingsVersion: 0,
    quiet: came === false,
  }
}
