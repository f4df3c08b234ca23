import type { Mutation } from '../mutations.ts'

const folder = 'src/store/postgres'
const commit = `${folder}/commit-function.ts`
const decisions = `${folder}/decision-functions.ts`
const beats = `${folder}/beat-functions.ts`
const cursors = `${folder}/cursors.ts`

/** Bugs of the PostgreSQL driver, in its SQL and its own code, that its simulation must catch. */
export const driverMutations: readonly Mutation[] = [
  {
    name: 'a commit that takes no lock of its pairs',
    file: commit,
    find: 'perform pg_advisory_xact_lock_shared(l.number) from (',
    replace: 'perform l.number from (',
    killedBy: 'G6.fence',
    seed: 4,
  },
  {
    name: 'a grant that raises no epoch',
    file: beats,
    find: 'set node = p_node, epoch = p.epoch + 1',
    replace: 'set node = p_node, epoch = greatest(p.epoch, 1)',
    killedBy: 'G6.fence',
    seed: 1,
  },
  {
    name: 'a lease that ends a second early',
    file: beats,
    find: 'delete from :s.node n where n.lease_until < p_at;',
    replace: 'delete from :s.node n where n.lease_until < p_at + 1000;',
    killedBy: 'G5.robbed',
    seed: 1,
  },
  {
    name: 'a tail that forgets what was open below its cursor',
    file: cursors,
    find: 'return this.open.filter(({ from }) => from <= number)',
    replace: 'return this.open.filter(({ from }) => from < 0 && from <= number)',
    killedBy: 'G5.ends',
    seed: 3,
  },
  {
    name: 'a cursor behind the first transaction that nobody has seen',
    file: cursors,
    find: 'this.seenTo = (Number(xmax) + firstXid) * numbersEach - 1',
    replace: 'this.seenTo = (Number(xmax) + 1 + firstXid) * numbersEach - 1',
    killedBy: 'G5.ends',
    seed: 246,
  },
  {
    name: 'a low mark above what may still be committed',
    file: cursors,
    find: 'return first ? Math.min(owned.position, first.from) : owned.position',
    replace: 'return first ? owned.position : owned.position',
    killedBy: 'G5.ends',
    seed: 4,
  },
  {
    name: 'a checkpoint asked again is refused',
    file: commit,
    find: 'found_row.attempt = one_checkpoint.attempt and',
    replace: 'found_row.attempt < 0 and',
    killedBy: 'G6.idempotent',
    seed: 1,
  },
  {
    name: 'a settlement asked again is refused',
    file: decisions,
    find: "if same then return 'settled'; end if;",
    replace: '',
    killedBy: 'G6.idempotent',
    seed: 23,
  },
]
