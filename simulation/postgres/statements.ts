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
