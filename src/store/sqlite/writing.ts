import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import { systemClock } from '../../kit/clock.ts'
import type { CircuitTurn, CircuitTurned } from '../circuits.ts'
import { numberIn } from '../sql/columns.ts'
import type { NodeBeat, Ownership, PurgeRequest, PurgeResult, SettingChange, Settings } from '../store.ts'
import type { VersionScope } from '../version-scope.ts'
import { Accepts } from './accept.ts'
import { Compaction } from './compaction.ts'
import { connect, ownCheckpoints, pauseThread, rollBack } from './connection.ts'
import { Epochs } from './epochs.ts'
import { Interventions } from './intervene.ts'
import { unpackCommit } from './items.ts'
import { Ledger } from './ledger.ts'
import { type CommitAnswers, type OtherAccept, settleAnswers, type WriterCalls, type WriterStart } from './messages.ts'
import { type Moment, Ownerships } from './own.ts'
import { Progress } from './progress.ts'
import { Purges } from './purge.ts'
import { Registers } from './registry.ts'
import { Decisions } from './settle.ts'
import { Versions } from './versions.ts'
import type { Wire } from './wire.ts'
import { WriteTurn } from './write-turn.ts'

/** A log this large is copied into the file even while work comes: some 60 ms, once in 40,000 events. */
const walMostBytes = 64 * 1_048_576

/**
 * A log of more is begun anew, which nobody does while others always read or write: two busy processes had one of 400 MB, and a
 * log that grows makes each sync a commit of the file system too.
 */
const walLongBytes = 32 * 1_048_576

/** How long others' readers and writers are waited for then, in milliseconds. */
const walAnewWaitMs = 20

/** In an idle moment a smaller one will do: reads are faster without it. */
const walIdleBytes = 1_048_576

/** How long a close waits to copy the log while another process has the file, in milliseconds. */
const closeWaitMs = 50

/** Page cache of the writer: the ends of all tables and the upper levels of their indexes, with room for a drain. */
const cacheKib = 65_536

/** All writing of one process: its own connection, in a thread of its own. Every call is one transaction. */
export class Writing implements WriterCalls {
  readonly #database: DatabaseSync
  readonly #pageBytes: number
  readonly #progress: Progress
  readonly #ledger: Ledger
  readonly #epochs: Epochs
  readonly #accepts: Accepts
  readonly #interventions: Interventions
  readonly #decisions: Decisions
  readonly #ownerships: Ownerships
  readonly #registers: Registers
  readonly #versions: Versions
  readonly #purges: Purges
  readonly #compaction: Compaction
  readonly #turn: WriteTurn
  readonly #commit: StatementSync
  readonly #dataVersion: StatementSync
  #seenVersion = -1
  #dirty = true
  #commits = 0
  #isLong = false

  constructor(start: WriterStart) {
    const database = connect({ path: start.path, cacheKib, waitMs: start.waitMs })
    // From here on who waits for the lock is decided by turns.
    database.exec('pragma busy_timeout = 0')
    if (start.maxPages !== undefined) database.exec(`pragma max_page_count = ${start.maxPages}`)
    this.#database = database
    this.#pageBytes = numberIn(database.prepare('pragma page_size').get(), 'page_size')
    this.#progress = new Progress(database)
    this.#ledger = new Ledger(database)
    this.#epochs = new Epochs(database)
    this.#accepts = new Accepts(database, this.#progress, this.#ledger)
    this.#interventions = new Interventions(database, this.#progress, this.#epochs)
    this.#decisions = new Decisions(database, this.#progress, this.#epochs, this.#accepts)
    this.#ownerships = new Ownerships(database, this.#progress, start.shards)
    this.#registers = new Registers(database, this.#progress, this.#ownerships)
    this.#versions = new Versions(database)
    this.#purges = new Purges(database, this.#progress, this.#versions)
    this.#compaction = new Compaction(database, this.#ledger, start.ledger)
    const begin = database.prepare('begin immediate')
    const { monotonicMs } = systemClock
    this.#turn = new WriteTurn({ begin: () => begin.run(), pause: pauseThread, monotonicMs }, start.waitMs)
    this.#commit = database.prepare('commit')
    this.#dataVersion = database.prepare('pragma data_version')
  }

  commit(wire: Wire, moment: Moment): CommitAnswers {
    const { now } = moment
    const rows = unpackCommit(wire)
    return this.#transact(() => {
      const before = this.#progress.lastSeq
      const eventsBefore = this.#progress.events
      const accept: number[] = []
      const others: OtherAccept[] = []
      for (const [index, item] of rows.accept.entries()) {
        const answer = this.#accepts.accept(item, now)
        if (answer.outcome === 'accepted' && answer.acceptedAt === now) accept.push(answer.position ?? 0)
        else {
          accept.push(0)
          if (answer.outcome !== 'in_flight') others.push(otherOf(index, item.key, answer))
        }
      }
      const intervene = rows.intervene.map((item) => this.#interventions.intervene(item, now))
      const begin = rows.begin.map((item) => this.#decisions.begin(item))
      const checkpoint = rows.checkpoint.map((item) => {
        const answer = this.#decisions.checkpoint(item, now)
        return answer.outcome === 'written' ? 0 : answer
      })
      const settle = rows.settle.map((item) => settleAnswers.indexOf(this.#decisions.settle(item, now)))
      const answer = rows.answer.map((item) => this.#interventions.answer(item, now))
      for (const item of rows.reject) this.#interventions.reject(item)
      this.#compaction.step(this.#progress.events - eventsBefore)
      const after = this.#progress.lastSeq
      return { before, after, now, accept, others, intervene, begin, checkpoint, settle, answer }
    })
  }

  own(beat: NodeBeat, moment: Moment): Ownership {
    return this.#transact(() => {
      const answer = this.#ownerships.own(beat, moment)
      this.#epochs.refresh()
      return answer
    })
  }

  register(group: string, node: string, handlers: readonly HandlerDeclaration[], moment: Moment): Registry {
    return this.#transact(() => this.#registers.register(group, node, handlers, moment))
  }

  secret(name: string, candidate: Uint8Array): Uint8Array {
    return this.#transact(() => this.#registers.secret(name, candidate))
  }

  changeSetting(change: SettingChange, moment: Moment): Settings {
    return this.#transact(() => this.#registers.changeSetting(change, moment))
  }

  turnCircuit(turn: CircuitTurn, moment: Moment): CircuitTurned {
    return this.#transact(() => this.#registers.turnCircuit(turn, moment))
  }

  raiseVersion(scope: VersionScope, version: string, { now }: Moment): string {
    return this.#transact(() => this.#versions.raise(scope, version, now))
  }

  purge(request: PurgeRequest): PurgeResult {
    return this.#transact(() => {
      const result = this.#purges.purge(request)
      this.#ledger.refreshGenerations()
      return result
    })
  }

  close(): void {
    rollBack(this.#database)
    try {
      this.#database.exec(`pragma busy_timeout = ${closeWaitMs}`)
      this.#database.exec('pragma wal_checkpoint(truncate)')
    } catch {
      // Held by another process, or the disk is full: all that was answered is in the log, for whoever opens the file next.
    }
    this.#database.close()
  }

  /** After an answer went out: copies the log into the file where it has grown large. */
  afterwards(): void {
    this.#commits++
    if (this.#commits % 32 !== 0) return
    if (this.#isLong || this.#uncopiedBytes() > walMostBytes) this.#checkpoint()
  }

  /** A slice of what can wait, in an idle moment. Answers whether there is more. */
  idle(): boolean {
    if (this.#compaction.hasWork) {
      this.#transact(() => this.#compaction.slice(256))
      return true
    }
    if (this.#uncopiedBytes() > walIdleBytes) this.#checkpoint()
    return false
  }

  #transact<Result>(body: () => Result): Result {
    // A rollback that failed left it open: nothing of it may be committed with the next one.
    rollBack(this.#database)
    this.#turn.take()
    try {
      this.#refresh()
      const result = body()
      this.#progress.save()
      this.#commit.run()
      return result
    } catch (error) {
      this.#dirty = true
      rollBack(this.#database)
      throw error
    } finally {
      this.#turn.left()
    }
  }

  /** With the write lock held: whatever another connection wrote is read before anything is judged. */
  #refresh(): void {
    const version = numberIn(this.#dataVersion.get(), 'data_version')
    if (version === this.#seenVersion && !this.#dirty) return
    if (this.#dirty) {
      this.#ledger.reset()
      this.#compaction.reset()
    }
    if (version !== this.#seenVersion) this.#turn.othersWrote()
    this.#progress.load()
    this.#epochs.refresh()
    this.#ledger.refresh()
    this.#seenVersion = version
    this.#dirty = false
  }

  /** What the log holds that the file does not: asked of SQLite, since the log's file keeps its size when it begins anew. */
  #uncopiedBytes(): number {
    if (!ownCheckpoints) return 0
    const row = this.#database.prepare('pragma wal_checkpoint(noop)').get()
    return (numberIn(row, 'log') - numberIn(row, 'checkpointed')) * this.#pageBytes
  }

  /** Most is copied with nobody waiting; what came meanwhile, and the new beginning, need the write lock for a moment. */
  #checkpoint(): void {
    const copied = this.#database.prepare('pragma wal_checkpoint(passive)').get()
    this.#isLong = numberIn(copied, 'log') * this.#pageBytes >= walLongBytes
    if (!this.#isLong) return
    this.#database.exec(`pragma busy_timeout = ${walAnewWaitMs}`)
    try {
      // Others that did not let go in time: it is tried again soon, not after as much has come once more.
      this.#isLong = numberIn(this.#database.prepare('pragma wal_checkpoint(restart)').get(), 'busy') === 1
    } finally {
      this.#database.exec('pragma busy_timeout = 0')
    }
  }
}

function otherOf(
  index: number,
  key: string,
  answer: Exclude<ReturnType<Accepts['accept']>, { readonly outcome: 'in_flight' }>,
): OtherAccept {
  if (answer.outcome === 'accepted') {
    const { acceptedAt, position = 0 } = answer
    return { index, outcome: 'accepted', key, acceptedAt, position, reason: undefined }
  }
  const { outcome, original, acceptedAt, reason } = answer
  return { index, outcome, key: original, acceptedAt, position: 0, reason }
}
