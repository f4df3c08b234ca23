import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { stepText } from '../../event/run.ts'
import { isTerminal, type RunStatus, runStatuses } from '../../event/run-status.ts'
import { numberIn, optionalNumberIn, optionalTextIn } from '../sql/columns.ts'
import type { SettleRest } from '../sql/rest.ts'
import { checkpointOf, type Row } from '../sql/rows.ts'
import type { CheckpointAnswer, FencedAnswer, SettleAnswer } from '../store.ts'
import type { Accepts } from './accept.ts'
import type { Epochs } from './epochs.ts'
import type { BeginRow, CheckpointRow, FencedRow, SettleRow } from './items.ts'
import type { Progress } from './progress.ts'

const deadStatus = runStatuses.indexOf('dead')
const terminal: readonly boolean[] = runStatuses.map((status: RunStatus) => isTerminal(status))

/** The writing of decisions: begins, checkpoints and settlements, each under its pair's epoch. */
export class Decisions {
  readonly #progress: Progress
  readonly #epochs: Epochs
  readonly #accepts: Accepts
  readonly #statements: ReturnType<typeof prepare>

  constructor(database: DatabaseSync, progress: Progress, epochs: Epochs, accepts: Accepts) {
    this.#progress = progress
    this.#epochs = epochs
    this.#accepts = accepts
    this.#statements = prepare(database)
  }

  begin(item: BeginRow): FencedAnswer {
    const { position, tag, generation, attempt, step, epoch } = item
    if (!this.#isCurrent(item)) {
      const before = this.#statements.beginEpoch.get(position, tag, generation, attempt, step)
      return before?.epoch === epoch ? 'written' : 'stale'
    }
    const seq = this.#progress.next()
    this.#statements.insertBegin.run(position, tag, generation, attempt, step, seq, epoch, item.at, item.address)
    return 'written'
  }

  checkpoint(item: CheckpointRow, now: number): CheckpointAnswer {
    const { position, tag, generation, step, attempt, epoch } = item
    const current = this.#isCurrent(item)
    if (current) {
      const seq = this.#progress.next()
      const { changes } = this.#statements.insertCheckpoint.run(
        position,
        tag,
        generation,
        step,
        seq,
        attempt,
        epoch,
        now,
        0,
        item.value,
        item.rest,
      )
      if (changes === 1) {
        for (const emit of item.emits) this.#accepts.accept(emit, now)
        return { outcome: 'written' }
      }
    }
    const before = this.#statements.checkpoint.get(position, tag, generation, step)
    if (before?.attempt === attempt && before.epoch === epoch && before.copied === 0) return { outcome: 'written' }
    return current && before ? { outcome: 'refused', checkpoint: checkpointOf(before) } : { outcome: 'stale' }
  }

  settle(item: SettleRow, now: number): SettleAnswer {
    const { position, tag, generation, turn } = item
    if (!this.#isCurrent(item)) return this.#isWritten(item) ? 'settled' : 'stale'
    const first = generation === 1 && turn === 1
    const asked = this.#hasNewIntervention(item)
    // The first settlement of a run finds its place taken by itself; any other looks first.
    const latest = first && !asked ? undefined : this.#statements.latest.get(position, tag)
    if (latest && isPassed(item, latest)) return this.#isWritten(item) ? 'settled' : 'finished'
    if (asked) return 'look_again'
    const seq = this.#progress.next()
    const { changes } = this.#statements.insertSettlement.run(
      seq,
      position,
      tag,
      generation,
      turn,
      item.epoch,
      now,
      item.status,
      item.since,
      item.attempt,
      item.attemptedAt,
      item.group,
      item.handler,
      item.handlerVersion,
      item.result,
      item.rest,
    )
    if (changes === 0) return this.#isWritten(item) ? 'settled' : 'finished'
    const from = optionalNumberIn(latest, 'generation') ?? 1
    if (generation > from) this.#carryCheckpoints(item, from)
    this.#stand(item, seq, first)
    if (position <= this.#progress.lastUnclaimed && position >= this.#progress.firstUnclaimed) {
      this.#statements.claim.run(position)
    }
    return 'settled'
  }

  /** Whether the pair is still under this epoch, and retention has not dropped the event. */
  #isCurrent(item: FencedRow): boolean {
    if (!this.#epochs.holds(item)) return false
    const { position } = item
    if (position > this.#progress.purgedTo && position <= this.#progress.lastSeq) return true
    return this.#statements.event.get(position) !== undefined
  }

  /** Whether this very settlement is there: asked again, it gets its answer again. */
  #isWritten(item: SettleRow): boolean {
    const row = this.#statements.settlement.get(item.position, item.tag, item.generation, item.turn)
    return (
      row !== undefined &&
      row.epoch === item.epoch &&
      row.status === item.status &&
      row.since === item.since &&
      row.attempt === item.attempt &&
      row.attempted_at === item.attemptedAt &&
      row.result === item.result &&
      row.rest === item.rest
    )
  }

  /** An intervention always lies above its event, so that a run younger than the last one needs no look. */
  #hasNewIntervention(item: SettleRow): boolean {
    const { position, tag, seenIntervention } = item
    const last = this.#progress.lastIntervention
    if (last <= seenIntervention || last <= position) return false
    const row = this.#statements.runIntervention.get(position, tag)
    return (optionalNumberIn(row, 'last') ?? 0) > seenIntervention
  }

  /** A new generation begins with the checkpoints that it keeps: the write-once check then looks at one generation alone. */
  #carryCheckpoints(item: SettleRow, from: number): void {
    const { position, tag, generation } = item
    const rest: SettleRest = item.rest === null ? {} : JSON.parse(item.rest)
    const keep = rest.keepCheckpoints ?? 'all'
    if (keep === 'none') return
    let below = Number.MAX_SAFE_INTEGER
    if (keep !== 'all') {
      const row = this.#statements.checkpoint.get(position, tag, from, stepText(keep.before))
      if (row) below = numberIn(row, 'seq')
    }
    this.#statements.carry.run(generation, position, tag, from, below)
  }

  /** Keeps the table of runs that need attention. A first settlement that ends well touches it never. */
  #stand(item: SettleRow, seq: number, first: boolean): void {
    const { position, tag, status } = item
    if (terminal[status] !== true || status === deadStatus) {
      const orderKey: SQLInputValue = optionalTextIn(this.#statements.orderKey.get(position), 'order_key') ?? null
      const dueAt = terminal[status] === true ? null : item.dueAt
      this.#statements.stand.run(position, tag, seq, item.group, item.shard, status, dueAt, orderKey)
    } else if (!first) this.#statements.unstand.run(position, tag)
  }
}

/** Whether the generation has ended, or another settlement has this turn or a later one. */
function isPassed(item: SettleRow, latest: Row): boolean {
  const generation = numberIn(latest, 'generation')
  if (generation !== item.generation) return generation > item.generation
  return terminal[numberIn(latest, 'status')] === true || numberIn(latest, 'turn') >= item.turn
}

function prepare(
  database: DatabaseSync,
): Record<
  | 'insertBegin'
  | 'beginEpoch'
  | 'insertCheckpoint'
  | 'checkpoint'
  | 'carry'
  | 'insertSettlement'
  | 'settlement'
  | 'latest'
  | 'runIntervention'
  | 'claim'
  | 'event'
  | 'orderKey'
  | 'stand'
  | 'unstand',
  StatementSync
> {
  return {
    insertBegin: database.prepare('insert into begin_record values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing'),
    beginEpoch: database.prepare(
      'select epoch from begin_record where position = ? and tag = ? and generation = ? and attempt = ? and step = ?',
    ),
    insertCheckpoint: database.prepare(
      'insert into checkpoint values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing',
    ),
    checkpoint: database.prepare(
      'select * from checkpoint where position = ? and tag = ? and generation = ? and step = ?',
    ),
    carry: database.prepare(
      `insert into checkpoint
       select position, tag, ?, step, seq, attempt, epoch, at, 1, value, rest from checkpoint
       where position = ? and tag = ? and generation = ? and seq < ? on conflict do nothing`,
    ),
    insertSettlement: database.prepare(
      'insert into settlement values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing',
    ),
    settlement: database.prepare(
      'select * from settlement where position = ? and tag = ? and generation = ? and turn = ?',
    ),
    latest: database.prepare(
      'select generation, turn, status from settlement where position = ? and tag = ? order by generation desc, turn desc limit 1',
    ),
    runIntervention: database.prepare(
      'select max(position) as last from intervention where event_position = ? and tag = ?',
    ),
    claim: database.prepare('delete from unclaimed where position = ?'),
    event: database.prepare('select 1 from event where position = ?'),
    orderKey: database.prepare('select order_key from event where position = ?'),
    stand: database.prepare(
      `insert into standing values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do update
       set seq = excluded.seq, group_name = excluded.group_name, shard = excluded.shard, status = excluded.status,
           due_at = excluded.due_at`,
    ),
    unstand: database.prepare('delete from standing where position = ? and tag = ?'),
  }
}
