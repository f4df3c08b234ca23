import type { Mutation } from './mutation.ts'

const interventions = 'src/engine/interventions.ts'

/** In what people and callers ask of a run. */
export const ofVerbs: readonly Mutation[] = [
  {
    name: 'a cancel that should undo does not',
    file: interventions,
    find: 'const undo = undoable && detail.undo === true',
    replace: 'const undo = undoable && detail.undo === false',
    killedBy: 'G4.undo',
    seed: 13,
  },
  {
    name: 'an early signal dropped',
    file: 'src/engine/attempt-signals.ts',
    find: 'filter(isDeliverable)',
    replace: 'filter((one) => isDeliverable(one) && record.state !== undefined)',
    killedBy: 'G5.signal',
    seed: 33,
  },
  {
    name: 'a lost wake-up',
    file: interventions,
    find: "if (state.status !== 'waiting' || state.reason === 'no_handler') return { outcome: 'noted' }",
    replace: "if (state.status !== 'scheduled' || state.reason === 'no_handler') return { outcome: 'noted' }",
    killedBy: 'G5.signal',
    seed: 3,
  },
  {
    name: 'a verb forgotten when its run cannot be read',
    file: 'src/engine/intervener.ts',
    find: 'await sleep(this.#host.clock, againMs)\n        }',
    replace: 'return\n        }',
    killedBy: 'G5.answered',
    seed: 1703,
  },
  {
    name: 'a cancel answered before it is settled',
    file: 'src/engine/intervener.ts',
    find: "else entry.cancelled = outcome\n    return 'ending'",
    replace: 'else entry.cancelled = outcome\n    return undefined',
    killedBy: 'G5.answered',
    seed: 19,
  },
  {
    name: 'a verb that is let go when the lease ran out while it was judged',
    file: 'src/engine/intervener.ts',
    find: 'this.#host.lose(owned)\n    }\n    const chain',
    replace: '}\n    const chain',
    killedBy: 'G5.answered',
    seed: 2789494,
  },
]
