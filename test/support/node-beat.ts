import type { NodeBeat } from '../../src/store/store.ts'

/** The beat of a node that takes what there is for one handler; what a test is about is given. */
export function nodeBeat(over: Partial<NodeBeat> = {}): NodeBeat {
  return {
    node: 'n1',
    group: 'g',
    owns: true,
    handlers: ['h'],
    leaseMs: 600_000,
    release: [],
    lowMarks: [],
    ...over,
  }
}
