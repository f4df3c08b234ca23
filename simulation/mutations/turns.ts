import type { Mutation } from './mutation.ts'

const queue = 'src/kit/fair-queue.ts'
const rank = 'src/engine/rank.ts'

/** In who goes first of those that may go. */
export const ofTurns: readonly Mutation[] = [
  {
    name: 'the less urgent first',
    file: queue,
    find: 'other.priority - one.priority',
    replace: 'one.priority - other.priority',
    killedBy: 'G8.priority',
    ofFlow: true,
    seed: 60_003,
  },
  {
    name: 'all as urgent as each other',
    file: rank,
    find: 'return { priority, owner',
    replace: 'return { priority: 0 * priority, owner',
    killedBy: 'G8.priority',
    ofFlow: true,
    seed: 60_003,
  },
  {
    name: 'a line whose turn it is goes before more urgent runs',
    file: 'src/engine/ready-queue.ts',
    find: 'priority === undefined || priority <= most',
    replace: 'priority === undefined || best !== undefined',
    killedBy: 'G8.priority',
    ofFlow: true,
    seed: 60_230,
  },
  {
    name: 'who has had its turn keeps it',
    file: queue,
    find: '    const name = this.#ring.shift()\n    if (name === undefined) return\n    if (more) this.#ring.push(name)\n    else if (this.#ring.length === 0) this.#last = name\n    else this.#children.delete(name)',
    replace:
      '    const name = more ? undefined : this.#ring.shift()\n    if (name === undefined) return\n    if (this.#ring.length === 0) this.#last = name\n    else this.#children.delete(name)',
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_036,
  },
  {
    name: 'tenants take no turns',
    file: rank,
    find: 'owner: event.tenant',
    replace: "owner: ''",
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_036,
  },
  {
    name: 'keys of a tenant take no turns',
    file: rank,
    find: "(event.orderKey ?? '')",
    replace: "''",
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_036,
  },
  {
    name: 'first come, first served',
    file: queue,
    find: 'push(item: Item, { priority, owner, key }: Rank): void {',
    replace: "push(item: Item, { priority }: Rank): void {\n    const owner = ''\n    const key = ''",
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_036,
  },
  {
    name: 'a turn of a tenant for each of its keys',
    file: queue,
    find: 'owners.turned(keys.current !== undefined)',
    replace: 'if (items.length === 0 || keys.current === undefined) owners.turned(keys.current !== undefined)',
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_036,
  },
  {
    name: 'what left its place costs its tenant a turn',
    file: 'src/engine/dispatcher.ts',
    find: 'else this.#ready.skip()',
    replace: 'else this.#ready.shift()',
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 60_293,
  },
  {
    name: 'what left its place costs its tenant a turn when pauses change',
    file: 'src/engine/ready-queue.ts',
    find: 'this.#free.drain(isQueued)',
    replace: 'this.#free.drain().filter(isQueued)',
    killedBy: 'G8.turns',
    ofFlow: true,
    seed: 30_005_794,
  },
]
