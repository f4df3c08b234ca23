import type { Mutation } from './mutation.ts'

const superseding = 'src/engine/superseding.ts'

/** In which run is let go since a newer one was processed. */
export const ofVersions: readonly Mutation[] = [
  {
    name: 'a run that is superseded by its own version',
    file: superseding,
    find: 'const isSuperseded = order > 0 &&',
    replace: 'const isSuperseded = order >= 0 &&',
    killedBy: 'G5.superseded',
    ofFlow: true,
    seed: 20_005,
  },
  {
    name: 'versions that know no tenants',
    file: superseding,
    find: 'tenant: event.tenant, key }',
    replace: "tenant: '', key }",
    killedBy: 'G5.superseded',
    ofFlow: true,
    seed: 20_002,
  },
  {
    name: 'a run superseded with a step in doubt',
    file: superseding,
    find: ' && !doubtsOf(record).some(({ doubt }) => doubt)',
    replace: '',
    killedBy: 'G5.superseded',
    ofFlow: true,
    seed: 20_030,
  },
  {
    name: 'a version that is raised when its run is settled already',
    file: 'src/engine/runner.ts',
    find: '!(await this.#superseding.raise(standing, entry.owned))',
    replace: '!this.#superseding.raise(standing, entry.owned)',
    killedBy: 'G5.superseded',
    ofFlow: true,
    seed: 20_630,
  },
  {
    name: 'a version that is lowered by an older one',
    file: 'src/store/memory/versions.ts',
    find: 'if (known && compareBytes(version, known.version) <= 0)',
    replace: 'if (known && compareBytes(version, known.version) === 0)',
    killedBy: 'G5.superseded',
    ofFlow: true,
    seed: 20_337,
  },
]
