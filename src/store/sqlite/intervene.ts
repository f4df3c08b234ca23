import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { numberIn, textIn } from '../sql/columns.ts'
import type { FencedAnswer, InterveneAnswer, InterveneItem, RejectItem } from '../store.ts'
import type { Epochs } from './epochs.ts'
import type { AnswerRow } from './items.ts'
import type { Progress } from './progress.ts'

/** The writing of what people and callers ask, of its answers, and of what was turned away. */
export class Interventions {
  readonly #progress: Progress
  readonly #epochs: Epochs
  readonly #byKey: StatementSync
  readonly #byId: StatementSync
  readonly #event: StatementSync
  readonly #insert: StatementSync
  readonly #answer: StatementSync
  readonly #reject: StatementSync

  constructor(database: DatabaseSync, progress: Progress, epochs: Epochs) {
    this.#progress = progress
    this.#epochs = epochs
    this.#byKey = database.prepare('select position from intervention where key = ?')
    this.#byId = database.prepare(
      'select key from intervention where event_position = ? and tag is ? and verb = ? and id = ? order by position limit 1',
    )
    this.#event = database.prepare('select position, shard from event where key = ?')
    this.#insert = database.prepare(
      'insert into intervention values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, null, null)',
    )
    this.#answer = database.prepare(
      'update intervention set answer = ?, answer_reason = ?, answered_at = ? where key = ? and answer is null',
    )
    this.#reject = database.prepare(
      'insert into rejected values (?, ?, ?) on conflict do update set count = count + excluded.count',
    )
  }

  intervene(item: InterveneItem, now: number): InterveneAnswer {
    const before = this.#byKey.get(item.key)
    if (before) return { outcome: 'written', position: numberIn(before, 'position') }
    const event = this.#event.get(item.event)
    if (!event) return { outcome: 'not_found' }
    const eventPosition = numberIn(event, 'position')
    const tag = item.tag ?? null
    if (item.id !== undefined) {
      const twin = this.#byId.get(eventPosition, tag, item.verb, item.id)
      if (twin) return { outcome: 'duplicate', original: textIn(twin, 'key') }
    }
    const position = this.#progress.next()
    this.#progress.lastIntervention = position
    this.#insert.run(
      position,
      item.key,
      item.event,
      eventPosition,
      numberIn(event, 'shard'),
      tag,
      item.verb,
      item.name ?? null,
      item.id ?? null,
      item.detail,
      item.reason ?? null,
      item.actor,
      now,
    )
    return { outcome: 'written', position }
  }

  answer(item: AnswerRow, now: number): FencedAnswer {
    if (!this.#epochs.holds(item)) return 'stale'
    this.#answer.run(item.outcome, item.reason, now, item.intervention)
    return 'written'
  }

  reject(item: RejectItem): void {
    this.#reject.run(item.source, item.code, item.count)
  }
}
