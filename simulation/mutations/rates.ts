import type { Mutation } from './mutation.ts'

/** In how often runs begin. */
export const ofRates: readonly Mutation[] = [
  {
    name: 'a begin that takes no place of its rate',
    file: 'src/flow/dispatch-limit.ts',
    find: '    this.#lent.rate.tryTake()\n',
    replace: '',
    killedBy: 'G8.rate',
    ofFlow: true,
    seed: 40_020,
  },
  {
    name: 'a source whose rate nobody waits for',
    file: 'src/engine/node-dependencies.ts',
    find: 'const gates = ofSource ? [ofSource, ...own] : own',
    replace: 'const gates = own',
    killedBy: 'G8.rate',
    ofFlow: true,
    seed: 40_032,
  },
  {
    name: 'a rate that each node has for itself',
    file: 'src/flow/lent-limits.ts',
    find: 'Math.min(rate, this.#rateShare)',
    replace: 'rate',
    killedBy: 'G8.rate',
    ofFlow: true,
    seed: 40_367,
  },
]
