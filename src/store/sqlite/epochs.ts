import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Owned } from '../store.ts'

/** The current epoch of every (group, shard) pair, in memory while nobody else writes. */
export class Epochs {
  readonly #groups = new Map<string, Map<number, number>>()
  readonly #load: StatementSync

  constructor(database: DatabaseSync) {
    this.#load = database.prepare('select group_name, shard, epoch from pair')
  }

  refresh(): void {
    this.#groups.clear()
    for (const row of this.#load.all()) {
      const group = textIn(row, 'group_name')
      const shards = this.#groups.get(group) ?? new Map<number, number>()
      this.#groups.set(group, shards)
      shards.set(numberIn(row, 'shard'), numberIn(row, 'epoch'))
    }
  }

  /** Whether a decision made under this epoch still counts (G6). */
  holds(owned: Owned): boolean {
    return this.#groups.get(owned.group)?.get(owned.shard) === owned.epoch
  }
}
