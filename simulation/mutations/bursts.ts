import type { Mutation } from './mutation.ts'

/** In which run of a burst goes, and which are settled in its stead. */
export const ofBursts: readonly Mutation[] = [
  {
    name: 'the first of a burst in the place of its latest',
    file: 'src/engine/bursts.ts',
    find: 'entry.position > other.position',
    replace: 'entry.position < other.position',
    killedBy: 'G5.coalesced',
    seed: 10_001,
  },
  {
    name: 'bursts that know no tenants',
    file: 'src/engine/burst-places.ts',
    find: '[record.tag, event.tenant,',
    replace: "[record.tag, '',",
    killedBy: 'G5.coalesced',
    seed: 10_001,
  },
  {
    name: 'a run of a burst that begins without a trace',
    file: 'src/engine/runner.ts',
    find: ' || handler.coalesce !== undefined',
    replace: '',
    killedBy: 'G5.coalesced',
    seed: 10_013,
  },
  {
    name: 'a line of bursts of which nothing stays in memory',
    file: 'src/engine/bursts.ts',
    find: '<= this.#host.room.bounds.perKey',
    replace: '< 0',
    killedBy: 'G5.ends',
    seed: 10_143,
  },
]
