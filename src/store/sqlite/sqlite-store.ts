import type { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord, Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import type { Clock, Instant } from '../../kit/clock.ts'
import type { Log } from '../../kit/log.ts'
import type { CircuitTurn, CircuitTurned } from '../circuits.ts'
import type { Finding } from '../finding.ts'
import type {
  AcceptAnswer,
  AcceptedWithin,
  AcceptItem,
  CheckpointAnswer,
  CheckpointItem,
  Commit,
  CommitResult,
  DuePage,
  DuePlace,
  EventQuery,
  EventSummary,
  HistoryEntry,
  LedgerEntry,
  NodeBeat,
  Owned,
  Ownership,
  PurgeRequest,
  PurgeResult,
  RunQuery,
  RunRecord,
  RunSummary,
  SettingChange,
  Settings,
  Store,
  StoreCounts,
  TailPage,
  TailRequest,
  TransactionBegin,
  TransactionBody,
} from '../store.ts'
import type { VersionScope } from '../version-scope.ts'
import { foldLog, storeError } from './connection.ts'
import { diagnose } from './diagnose.ts'
import { Hints } from './hints.ts'
import { packCommit } from './items.ts'
import { type CommitAnswers, settleAnswers, type WriterStart } from './messages.ts'
import type { Moment } from './own.ts'
import { Reads } from './read.ts'
import { RegistryReads } from './registry.ts'
import { Searches } from './search.ts'
import { Seen } from './seen.ts'
import { Tails } from './tail.ts'
import { Transactions } from './transact.ts'
import { VersionReads } from './versions.ts'
import { WriterLink } from './writer-link.ts'

/** What {@link SqliteStore} is made of. */
export interface SqliteStoreParts {
  readonly start: WriterStart
  readonly reader: DatabaseSync
  readonly clock: Clock
  readonly log: Log
  readonly boot: string
  /** Nothing is written, and nothing is tidied at the end. */
  readonly lookOnly?: boolean
}

const lookedAt = 'it was opened to be looked at, not written'
const ownAlone = 'transactions of SQLite are its own: leave `begin` out'

/** The store on one file: writes go to the writer's thread, reads by key to a reading connection here. */
export class SqliteStore implements Store {
  readonly kind = 'sqlite'
  readonly abilities = {
    acceptSpans: true,
    transaction: true,
    manyNodes: true,
    survivesRestart: true,
    retention: 'exact',
  } as const
  readonly durability = 'local-fsync'
  readonly shards: number
  readonly #clock: Clock
  readonly #boot: string
  readonly #path: string
  readonly #lookOnly: boolean
  readonly #reader: DatabaseSync
  readonly #writer: WriterLink
  readonly #reads: Reads
  readonly #tails: Tails
  readonly #searches: Searches
  readonly #registers: RegistryReads
  readonly #versions: VersionReads
  readonly #transactions: Transactions
  readonly #seen: Seen
  readonly #hints: Hints
  readonly #underWay = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: SqliteStoreParts) {
    const { start, reader, clock } = parts
    this.shards = start.shards
    this.#clock = clock
    this.#boot = parts.boot
    this.#path = start.path
    this.#lookOnly = parts.lookOnly ?? false
    this.#reader = reader
    this.#writer = new WriterLink(start, clock, parts.log)
    if (this.#lookOnly) this.#writer.refuse(lookedAt)
    this.#reads = new Reads(reader)
    this.#tails = new Tails(reader, this.#reads)
    this.#searches = new Searches(reader, clock)
    this.#registers = new RegistryReads(reader)
    this.#versions = new VersionReads(reader)
    this.#transactions = new Transactions(start.path, reader, clock)
    this.#seen = new Seen(start.shards, this.#tails.lastSeq())
    this.#hints = new Hints(clock, () => this.#foreign())
  }

  /** The file is brought to the schema when it is opened. */
  async migrate(): Promise<void> {}

  commit(batch: Commit): Promise<CommitResult> {
    const wire = packCommit(batch)
    const answered = this.#writer
      .call('commit', [wire, this.#moment()], [wire.bytes.buffer])
      .then((answers) => this.#learn(batch, answers))
    this.#underWay.add(answered)
    const done = () => this.#underWay.delete(answered)
    answered.then(done, done)
    return answered
  }

  own(beat: NodeBeat): Promise<Ownership> {
    return this.#writer.call('own', [beat, this.#moment()])
  }

  async tail(request: TailRequest): Promise<TailPage[]> {
    const head = this.#tails.lastSeq()
    // What this process is committing now may be committed already and not yet answered: it would look like another's.
    while (this.#seen.upTo < head && this.#underWay.size > 0) await Promise.allSettled([...this.#underWay])
    this.#noteForeign(head)
    return this.#read(() => this.#tails.pages(request, this.#seen, head))
  }

  async due(owned: readonly Owned[], until: Instant, limit: number, after?: DuePlace): Promise<DuePage> {
    return this.#read(() => this.#tails.due(owned, until, limit, after))
  }

  register(group: string, node: string, handlers: readonly HandlerDeclaration[]): Promise<Registry> {
    return this.#writer.call('register', [group, node, handlers, this.#moment()])
  }

  async registry(): Promise<Registry> {
    return this.#read(() => this.#tails.registry())
  }

  async secret(name: string, candidate: Uint8Array): Promise<Uint8Array> {
    return this.#read(() => this.#registers.secret(name)) ?? this.#writer.call('secret', [name, candidate])
  }

  async settings(): Promise<Settings> {
    return this.#read(() => this.#registers.settings())
  }

  changeSetting(change: SettingChange): Promise<Settings> {
    return this.#writer.call('changeSetting', [change, this.#moment()])
  }

  turnCircuit(turn: CircuitTurn): Promise<CircuitTurned> {
    return this.#writer.call('turnCircuit', [turn, this.#moment()])
  }

  async newestVersion(scope: VersionScope): Promise<string | undefined> {
    return this.#read(() => this.#versions.newest(scope))
  }

  raiseVersion(scope: VersionScope, version: string): Promise<string> {
    return this.#writer.call('raiseVersion', [scope, version, this.#moment()])
  }

  async event(key: EventKey): Promise<EventRecord | undefined> {
    return this.#read(() => this.#reads.event(key))
  }

  async run(event: EventKey, tag: string): Promise<RunRecord | undefined> {
    return this.#read(() => this.#reads.run(event, tag))
  }

  async identity(identity: Identity): Promise<LedgerEntry | undefined> {
    return this.#read(() => this.#reads.identity(identity))
  }

  async history(key: EventKey): Promise<HistoryEntry[]> {
    return this.#read(() => this.#reads.history(key))
  }

  searchEvents(query: EventQuery): Promise<{ events: EventSummary[]; next: string | undefined }> {
    return this.#searches.events(query).catch(rethrow)
  }

  searchRuns(query: RunQuery): Promise<{ runs: RunSummary[]; next: string | undefined }> {
    return this.#searches.runs(query).catch(rethrow)
  }

  counts(): Promise<StoreCounts> {
    return this.#searches.counts().catch(rethrow)
  }

  purge(request: PurgeRequest): Promise<PurgeResult> {
    return this.#writer.call('purge', [request])
  }

  diagnose(): Promise<Finding[]> {
    return diagnose(this.#path).catch(rethrow)
  }

  onWork(listener: () => void): () => void {
    return this.#hints.listen(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  transact(
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
    begin?: TransactionBegin,
  ): Promise<CheckpointAnswer> {
    const refusal = this.#lookOnly ? lookedAt : begin && ownAlone
    if (refusal !== undefined) return Promise.reject(new HapaxError('store_refused', { reason: refusal }))
    let thrown: { error: unknown } | undefined
    const guarded = (transaction: unknown) => {
      try {
        return body(transaction)
      } catch (error) {
        thrown = { error }
        throw error
      }
    }
    return this.#transactions.transact(item, guarded).catch((error: unknown) => {
      // The body's own error is the caller's, whatever it is.
      throw thrown?.error === error ? error : storeError(error)
    })
  }

  acceptWithin(transaction: unknown, item: AcceptItem): AcceptedWithin {
    if (this.#lookOnly) throw new HapaxError('store_refused', { reason: lookedAt })
    return this.#read(() => this.#transactions.acceptWithin(transaction, item))
  }

  async #close(): Promise<void> {
    this.#hints.stop()
    await Promise.allSettled([...this.#underWay])
    this.#transactions.close()
    this.#reader.close()
    await this.#writer.close()
    if (!this.#lookOnly) foldLog(this.#path)
  }

  /** The last number that another process committed; what this one is committing may be answered yet. */
  #foreign(): number | undefined {
    if (this.#underWay.size > 0) return undefined
    try {
      const head = this.#tails.lastSeq()
      return head > this.#seen.upTo ? head : undefined
    } catch {
      // A hint alone: whoever reads next is told what is wrong.
      return undefined
    }
  }

  #moment(): Moment {
    return { now: this.#clock.now(), monotonicMs: this.#clock.monotonicMs(), boot: this.#boot }
  }

  #read<Result>(read: () => Result): Result {
    try {
      return read()
    } catch (error) {
      throw storeError(error)
    }
  }

  /** Other processes wrote up to this number. Whether there may be work in it. */
  #noteForeign(to: number): boolean {
    const { upTo } = this.#seen
    if (to <= upTo) return false
    const stirred = this.#lookAt(upTo + 1, to)
    this.#seen.foreign(to, stirred?.shards)
    return !stirred || stirred.isAsked || stirred.shards.size > 0
  }

  #lookAt(from: number, to: number): ReturnType<Tails['stirred']> {
    try {
      return this.#tails.stirred(from, to)
    } catch {
      // What was committed is no error of whoever learns of it: each page looks for itself.
      return undefined
    }
  }

  /** Reads the writer's answers, and notes which events need no tail. */
  #learn(batch: Commit, answers: CommitAnswers): CommitResult {
    let work = this.#noteForeign(answers.before) || answers.intervene.length > 0
    let lastAccepted = answers.before
    const accept: AcceptAnswer[] = []
    for (const [index, position] of answers.accept.entries()) {
      const item = batch.accept?.[index]
      if (position === 0 || !item) {
        accept.push({ outcome: 'in_flight' })
        continue
      }
      accept.push({ outcome: 'accepted', acceptedAt: answers.now, position })
      // Asked again within the same millisecond, it may be an earlier commit's.
      if (position <= lastAccepted) continue
      this.#seen.add(item.shard, position, position, item.handedTo)
      lastAccepted = position
      if (!item.handedTo) work = true
    }
    for (const { index, outcome, key, acceptedAt, position, reason } of answers.others) {
      if (outcome === 'accepted') accept[index] = { outcome, acceptedAt, position }
      else accept[index] = { outcome, original: key, acceptedAt, ...(reason ? { reason } : {}) }
    }
    for (const { emits } of batch.checkpoint ?? []) {
      for (const { shard } of emits ?? []) {
        // Behind the accepts of the same commit.
        this.#seen.add(shard, lastAccepted + 1, answers.after, undefined)
        work = true
      }
    }
    if (answers.after > this.#seen.upTo) this.#seen.upTo = answers.after
    if (work) this.#hints.tell()
    return {
      accept,
      intervene: answers.intervene,
      begin: answers.begin,
      checkpoint: answers.checkpoint.map((answer) => (answer === 0 ? { outcome: 'written' } : answer)),
      settle: answers.settle.map((number) => settleAnswers[number] ?? 'stale'),
      answer: answers.answer,
    }
  }
}

function rethrow(error: unknown): never {
  throw storeError(error)
}
