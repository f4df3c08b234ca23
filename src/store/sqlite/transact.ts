import { realpathSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { HapaxError } from '../../errors/hapax-error.ts'
import { stepText } from '../../event/run.ts'
import type { Clock } from '../../kit/clock.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import { checkpointOf } from '../sql/rows.ts'
import type { AcceptedWithin, AcceptItem, CheckpointAnswer, CheckpointItem, TransactionBody } from '../store.ts'
import { Accepts, type Lookup } from './accept.ts'
import { busyMs, connect, isBusy, rollBack } from './connection.ts'
import { Epochs } from './epochs.ts'
import { acceptRow, checkpointRow } from './items.ts'
import { type Known, knownIn, Ledger } from './ledger.ts'
import { Progress } from './progress.ts'
import { Decisions } from './settle.ts'

/** How long one try for the write lock may hold the event loop. */
const tryMs = 2

/**
 * Transactions in the main thread: the user's own statements commit with a checkpoint (`run.transaction`), or an event
 * commits with them (the outbox).
 */
export class Transactions {
  readonly #path: string
  readonly #clock: Clock
  readonly #ledger: Ledger
  readonly #lastCommitted: StatementSync
  readonly #desks = new WeakMap<DatabaseSync, Desk>()
  #own: DatabaseSync | undefined
  #turn: Promise<unknown> = Promise.resolve()

  /** @param reader the connection that reads what is committed. */
  constructor(path: string, reader: DatabaseSync, clock: Clock) {
    this.#path = path
    this.#clock = clock
    this.#ledger = new Ledger(reader)
    this.#lastCommitted = reader.prepare('select last_seq from progress')
  }

  /** One after the other: one connection has one transaction. */
  transact(item: Omit<CheckpointItem, 'value'>, body: TransactionBody): Promise<CheckpointAnswer> {
    const result = this.#turn.then(() => this.#transact(item, body))
    this.#turn = result.catch(() => undefined)
    return result
  }

  /**
   * Writes an event in a transaction that the caller has open on a connection of their own to the same file.
   *
   * The first call after a start reads the identities above the watermark, at most some 130,000 rows (0.2 s); each later
   * one what was committed since the last.
   */
  acceptWithin(transaction: unknown, item: AcceptItem): AcceptedWithin {
    if (!(transaction instanceof DatabaseSync) || !transaction.isTransaction || !this.#isThisFile(transaction)) {
      throw new HapaxError('store_refused', {
        reason: 'a transactional accept needs a node:sqlite DatabaseSync on this file with an open transaction',
      })
    }
    const desk = this.#deskOf(transaction)
    desk.open()
    const answer = desk.accepts.accept(acceptRow(item), this.#clock.now())
    desk.progress.save()
    if (answer.outcome === 'accepted' || answer.outcome === 'in_flight') return { outcome: 'pending' }
    return { outcome: 'exists', key: answer.original }
  }

  close(): void {
    this.#own?.close()
    this.#own = undefined
  }

  async #transact(item: Omit<CheckpointItem, 'value'>, body: TransactionBody): Promise<CheckpointAnswer> {
    this.#own ??= connect({ path: this.#path, cacheKib: 8_192, waitMs: tryMs })
    const database = this.#own
    const desk = this.#deskOf(database)
    await this.#begin(database)
    try {
      desk.open()
      const before = desk.before(item)
      if (before) {
        database.exec('rollback')
        return before
      }
      const value = body(database)
      if (value instanceof Promise) {
        // What it does later is in no transaction; what it throws then is nobody's.
        value.catch(() => undefined)
        throw new HapaxError('transaction_async')
      }
      if (!database.isTransaction) {
        throw new HapaxError('store_unavailable', { reason: 'the function ended the transaction that it was given' })
      }
      // The function may have accepted events within it.
      desk.open()
      const answer = desk.decisions.checkpoint(
        checkpointRow(value === undefined ? item : { ...item, value }),
        this.#clock.now(),
      )
      desk.progress.save()
      database.exec('commit')
      return answer
    } catch (error) {
      rollBack(database)
      throw error
    }
  }

  /** Waits for the lock in turns of the event loop, not inside SQLite. */
  async #begin(database: DatabaseSync): Promise<void> {
    // One whose rollback failed: nothing of it may be committed with the next.
    rollBack(database)
    for (let tried = 0; ; tried++) {
      try {
        database.exec('begin immediate')
        return
      } catch (error) {
        if (!isBusy(error) || tried * tryMs > busyMs) throw error
      }
      await new Promise<void>((resolve) => this.#clock.turn(resolve))
    }
  }

  #deskOf(database: DatabaseSync): Desk {
    const known = this.#desks.get(database)
    if (known) return known
    const desk = new Desk(database, this.#ledger, this.#lastCommitted)
    this.#desks.set(database, desk)
    return desk
  }

  #isThisFile(database: DatabaseSync): boolean {
    const location = database.location()
    try {
      return location !== null && realpathSync(location) === realpathSync(this.#path)
    } catch {
      return false
    }
  }
}

/** The writing half of the store on one connection in the main thread. */
class Desk implements Lookup {
  readonly progress: Progress
  readonly accepts: Accepts
  readonly decisions: Decisions
  readonly #epochs: Epochs
  readonly #ledger: Ledger
  readonly #lastCommitted: StatementSync
  readonly #lock: StatementSync
  readonly #uncommitted: StatementSync
  readonly #event: StatementSync
  readonly #checkpoint: StatementSync
  readonly #own = new Map<string, number>()

  constructor(database: DatabaseSync, ledger: Ledger, lastCommitted: StatementSync) {
    this.progress = new Progress(database)
    this.#epochs = new Epochs(database)
    this.#ledger = ledger
    this.#lastCommitted = lastCommitted
    this.accepts = new Accepts(database, this.progress, this)
    this.decisions = new Decisions(database, this.progress, this.#epochs, this.accepts)
    this.#lock = database.prepare('update progress set last_seq = last_seq where one = 1')
    this.#uncommitted = database.prepare('select position, identity, content from event where position > ?')
    this.#event = database.prepare(
      'select position, key, accepted_at, fingerprint_key, fingerprint from event where position = ?',
    )
    this.#checkpoint = database.prepare(
      'select * from checkpoint where position = ? and tag = ? and generation = ? and step = ?',
    )
  }

  /** Takes the write lock, so that nobody else commits from here on, and reads what is committed and what is ours. */
  open(): void {
    this.#lock.run()
    this.progress.load()
    this.#epochs.refresh()
    this.#ledger.refresh()
    this.#own.clear()
    for (const row of this.#uncommitted.iterate(numberIn(this.#lastCommitted.get(), 'last_seq'))) {
      const position = numberIn(row, 'position')
      this.#own.set(textIn(row, 'identity'), position)
      if (row.content !== null) this.#own.set(textIn(row, 'content'), position)
    }
  }

  /** Why the body need not be called, if it need not. */
  before(item: Omit<CheckpointItem, 'value'>): CheckpointAnswer | undefined {
    if (!this.#epochs.holds(item.owned)) return { outcome: 'stale' }
    const row = this.#checkpoint.get(item.run.position, item.run.tag, item.generation, stepText(item.step))
    return row && { outcome: 'refused', checkpoint: checkpointOf(row) }
  }

  find(hash: string): Known | undefined {
    const position = this.#own.get(hash)
    const row = position === undefined ? undefined : this.#event.get(position)
    if (!row) return this.#ledger.find(hash)
    return knownIn(row, numberIn(row, 'position'), true)
  }

  remember(hash: string, position: number): void {
    this.#own.set(hash, position)
  }
}
