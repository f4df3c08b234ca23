import type { Mutation } from './mutation.ts'

const gatherer = 'src/flow/gatherer.ts'

/** In what goes together into one call. */
export const ofBatches: readonly Mutation[] = [
  {
    name: 'a batch with one event too many',
    file: gatherer,
    find: '.length >= size) this.#flush()',
    replace: '.length > size) this.#flush()',
    killedBy: 'G8.batch',
    ofFlow: true,
    seed: 50_005,
  },
  {
    name: 'the first result of a batch for all of it',
    file: gatherer,
    find: 'const result = results[index]',
    replace: 'const result = index >= 0 ? results[0] : undefined',
    killedBy: 'G8.batch',
    ofFlow: true,
    seed: 50_005,
  },
  {
    name: 'batches that know no tenants',
    file: 'src/engine/batch-handler.ts',
    find: 'const { dependencies, tenant } = runContext(name)',
    replace: "const { dependencies } = runContext(name)\n    const tenant = ''",
    killedBy: 'G8.batch',
    ofFlow: true,
    seed: 50_005,
  },
]
