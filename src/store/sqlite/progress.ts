import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { numberIn, optionalNumberIn } from '../sql/columns.ts'

/** The one sequence of the file, and what is counted along with it: read and written once per transaction. */
export class Progress {
  lastSeq = 0
  events = 0
  registryVersion = 0
  settingsVersion = 0
  /** Highest position that retention has dropped: above it every event is there. */
  purgedTo = 0
  /** Highest position of any intervention: a run whose settlement saw it needs no look. */
  lastIntervention = 0
  /** Positions between which unclaimed events may lie. */
  firstUnclaimed = 0
  lastUnclaimed = -1
  readonly #load: StatementSync
  readonly #save: StatementSync
  readonly #marks: StatementSync

  constructor(database: DatabaseSync) {
    this.#load = database.prepare('select * from progress')
    this.#save = database.prepare(
      'update progress set last_seq = ?, events = ?, purged_to = ?, registry_version = ?, settings_version = ? where one = 1',
    )
    this.#marks = database.prepare(
      `select (select max(position) from intervention) as intervention,
              (select min(position) from unclaimed) as first, (select max(position) from unclaimed) as last`,
    )
  }

  load(): void {
    const row = this.#load.get()
    this.lastSeq = numberIn(row, 'last_seq')
    this.events = numberIn(row, 'events')
    this.purgedTo = numberIn(row, 'purged_to')
    this.registryVersion = numberIn(row, 'registry_version')
    this.settingsVersion = numberIn(row, 'settings_version')
    const marks = this.#marks.get()
    this.lastIntervention = optionalNumberIn(marks, 'intervention') ?? 0
    this.firstUnclaimed = optionalNumberIn(marks, 'first') ?? 0
    this.lastUnclaimed = optionalNumberIn(marks, 'last') ?? -1
  }

  /** The number of the next record. */
  next(): number {
    this.lastSeq++
    return this.lastSeq
  }

  /** The number of an unclaimed event that was just written. */
  addUnclaimed(position: number): void {
    if (this.lastUnclaimed < 0) this.firstUnclaimed = position
    this.lastUnclaimed = position
  }

  save(): void {
    this.#save.run(this.lastSeq, this.events, this.purgedTo, this.registryVersion, this.settingsVersion)
  }
}
