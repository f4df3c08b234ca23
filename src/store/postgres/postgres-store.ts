import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord, Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import type { Instant } from '../../kit/clock.ts'
import type { Random } from '../../kit/random.ts'
import type { CircuitTurn, CircuitTurned } from '../circuits.ts'
import type { Finding } from '../finding.ts'
import { numberIn } from '../sql/columns.ts'
import type {
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
  LateFingerprint,
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
  Unfingerprinted,
} from '../store.ts'
import type { VersionScope } from '../version-scope.ts'
import { commitAnswer } from './commit-answer.ts'
import { type Connections, isPassing, isTypeGone, sqlState, storeError } from './connection.ts'
import { type DiagnosisHost, diagnose } from './diagnose.ts'
import type { Hints } from './hints.ts'
import { type ItemType, type ItemTypeOids, itemTypeOids } from './item-types.ts'
import { LateFingerprints } from './late-fingerprint.ts'
import { LedgerFilters } from './ledger-filters.ts'
import type { Now } from './now.ts'
import { Ownerships } from './own.ts'
import { commitParamCount, commitParams, type Judging, type Param } from './params.ts'
import { Purges, type UpkeepOptions } from './purge.ts'
import { Reads } from './read.ts'
import { Registers } from './registry.ts'
import { migrateSchema, type Naming } from './schema.ts'
import { Searches } from './search.ts'
import { Tails } from './tail.ts'
import { Transactions } from './transact.ts'
import { Versions } from './versions.ts'

/** What {@link PostgresStore} is made of. */
export interface PostgresStoreParts {
  readonly connections: Connections
  readonly naming: Naming
  readonly hints: Hints
  readonly now: Now
  readonly upkeep: UpkeepOptions
  readonly random: Random
  readonly shards: number
  /** Nothing is written. */
  readonly lookOnly: boolean
  /** What a diagnosis needs beside. */
  readonly diagnosis: Pick<DiagnosisHost, 'clock' | 'connect' | 'nodeConnections'>
}

/** Tries of a commit that another transaction was in the way of: each begins with nothing written. */
const mostTries = 8

/**
 * States after which a commit is asked again: a row that came meanwhile, and a generation of the ledger that is written since
 * the statement's plan was taken (23514).
 */
const again = new Set(['23505', '23514'])

/** The store in one schema of a PostgreSQL database. */
export class PostgresStore implements Store {
  readonly kind = 'postgres'
  readonly abilities = {
    acceptSpans: true,
    transaction: true,
    manyNodes: true,
    survivesRestart: true,
    retention: 'ranges',
  } as const
  readonly durability = 'local-fsync'
  readonly shards: number
  readonly #connections: Connections
  readonly #naming: Naming
  readonly #hints: Hints
  readonly #now: Now
  readonly #upkeep: UpkeepOptions
  readonly #lookOnly: boolean
  readonly #diagnosis: PostgresStoreParts['diagnosis']
  readonly #late: LateFingerprints
  readonly #reads: Reads
  readonly #tails: Tails
  readonly #searches: Searches
  readonly #registers: Registers
  readonly #versions: Versions
  readonly #ownerships: Ownerships
  readonly #purges: Purges
  readonly #transactions: Transactions
  readonly #filters: LedgerFilters
  readonly #commitSql: string
  readonly #typesSql: string
  #types: ItemTypeOids | undefined
  #isFiltering = false
  readonly #underWay = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: PostgresStoreParts) {
    const { connections, naming, now } = parts
    this.shards = parts.shards
    this.#connections = connections
    this.#naming = naming
    this.#hints = parts.hints
    this.#now = now
    this.#upkeep = parts.upkeep
    this.#lookOnly = parts.lookOnly
    this.#diagnosis = parts.diagnosis
    this.#late = new LateFingerprints(connections, naming)
    this.#reads = new Reads(connections, naming, this.#late)
    this.#registers = new Registers(connections, naming, now)
    this.#versions = new Versions(connections, naming, now)
    this.#tails = new Tails(connections, naming, this.#reads, this.#registers)
    this.#searches = new Searches(connections, naming, this.#late)
    this.#ownerships = new Ownerships(connections, naming, this.#tails.cursors, now, () => this.#hints.heard)
    this.#purges = new Purges(connections, naming, this.#registers, this.#versions, parts.upkeep)
    this.#transactions = new Transactions(connections, naming, parts.random, now)
    this.#filters = new LedgerFilters(connections, naming, parts.upkeep.log)
    this.#typesSql = naming.sql(itemTypeOids)
    const places = Array.from({ length: commitParamCount }, (_, index) => `$${index + 1}`)
    this.#commitSql = naming.sql(`select * from :s.commit_2(${places.join(', ')})`)
  }

  migrate(): Promise<void> {
    return this.#write(() => migrateSchema(this.#connections, this.#naming, this.shards, this.#upkeep))
  }

  commit(batch: Commit): Promise<CommitResult> {
    return this.#write(() => this.#commit(batch))
  }

  own(beat: NodeBeat): Promise<Ownership> {
    return this.#write(() => this.#ownerships.own(beat))
  }

  tail(request: TailRequest): Promise<TailPage[]> {
    return this.#ask(() => this.#tails.tail(request))
  }

  due(owned: readonly Owned[], until: Instant, limit: number, after?: DuePlace): Promise<DuePage> {
    return this.#ask(() => this.#tails.due(owned, until, limit, after))
  }

  register(group: string, node: string, handlers: readonly HandlerDeclaration[]): Promise<Registry> {
    return this.#write(() => this.#registers.register(group, node, handlers))
  }

  registry(): Promise<Registry> {
    return this.#ask(() => this.#registers.registry())
  }

  secret(name: string, candidate: Uint8Array): Promise<Uint8Array> {
    return this.#ask(() => this.#registers.secret(name, this.#lookOnly ? undefined : candidate))
  }

  settings(): Promise<Settings> {
    return this.#ask(() => this.#registers.settings())
  }

  changeSetting(change: SettingChange): Promise<Settings> {
    return this.#write(() => this.#registers.changeSetting(change))
  }

  turnCircuit(turn: CircuitTurn): Promise<CircuitTurned> {
    return this.#write(() => this.#registers.turnCircuit(turn))
  }

  newestVersion(scope: VersionScope): Promise<string | undefined> {
    return this.#ask(() => this.#versions.newest(scope))
  }

  raiseVersion(scope: VersionScope, version: string): Promise<string> {
    return this.#write(() => this.#versions.raise(scope, version))
  }

  event(key: EventKey): Promise<EventRecord | undefined> {
    return this.#ask(() => this.#reads.event(key))
  }

  run(event: EventKey, tag: string): Promise<RunRecord | undefined> {
    return this.#ask(() => this.#reads.run(event, tag))
  }

  identity(identity: Identity): Promise<LedgerEntry | undefined> {
    return this.#ask(() => this.#reads.identity(identity))
  }

  history(key: EventKey): Promise<HistoryEntry[]> {
    return this.#ask(() => this.#reads.history(key))
  }

  searchEvents(query: EventQuery): Promise<{ events: EventSummary[]; next: string | undefined }> {
    return this.#ask(() => this.#searches.events(query))
  }

  searchRuns(query: RunQuery): Promise<{ runs: RunSummary[]; next: string | undefined }> {
    return this.#ask(() => this.#searches.runs(query))
  }

  counts(): Promise<StoreCounts> {
    return this.#ask(() => this.#searches.counts())
  }

  purge(request: PurgeRequest): Promise<PurgeResult> {
    return this.#write(async () => {
      const purged = await this.#purges.purge(request)
      if (this.#isFiltering) await this.#filters.renew()
      return purged
    })
  }

  diagnose(kept: Omit<PurgeRequest, 'rows'>): Promise<Finding[]> {
    const [connections, naming, now] = [this.#connections, this.#naming, this.#now]
    return this.#ask(() => diagnose({ connections, naming, now, ...this.#diagnosis }, kept))
  }

  unfingerprinted(limit: number, after?: Unfingerprinted): Promise<Unfingerprinted[]> {
    return this.#write(() => this.#late.waiting(limit, after))
  }

  appendFingerprints(items: readonly LateFingerprint[]): Promise<void> {
    return this.#write(() => this.#late.append(items))
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
    return this.#write(() => this.#transactions.transact(item, body, begin))
  }

  acceptWithin(transaction: unknown, item: AcceptItem): Promise<AcceptedWithin> {
    return this.#write(() => this.#transactions.acceptWithin(transaction, item))
  }

  async #commit(batch: Commit): Promise<CommitResult> {
    let judging: Judging = { careful: false, contended: false }
    for (let tries = 1; ; tries++) {
      try {
        const types = this.#types ?? (await this.#findTypes())
        const row = await this.#connections.durable(this.#commitSql, this.#params(batch, judging, types))
        const result = commitAnswer(batch, row)
        this.#tails.cursors.committed(greatestOf(result))
        if (bringsWork(batch)) this.#hints.tell()
        return result
      } catch (error) {
        const state = sqlState(error)
        // The schema was made anew below this process: its types have other numbers now.
        const isStale = state === '42804' || isTypeGone(error)
        if (tries === mostTries || !(isStale || isPassing(error) || again.has(state ?? ''))) throw storeError(error)
        // A lock that was not had in time: the identity that is held elsewhere must not spoil the others.
        if (state === '55P03') judging = { ...judging, careful: true }
        if (state === '23505') judging = { ...judging, contended: true }
        if (isStale) this.#types = undefined
      }
    }
  }

  #params(batch: Commit, judging: Judging, types: ItemTypeOids): Param[] {
    const accepts = batch.accept !== undefined && batch.accept.length > 0
    // Who never accepts needs none of them in memory.
    if (accepts && !this.#isFiltering && !this.#closing) {
      this.#isFiltering = true
      void this.#ask(() => this.#filters.renew())
    }
    return commitParams(batch, this.#now(), judging, types, this.#filters.known)
  }

  async #findTypes(): Promise<ItemTypeOids> {
    const row = await this.#connections.row(this.#typesSql)
    const oid = (type: ItemType) => numberIn(row, type)
    this.#types = {
      accept_item_1: oid('accept_item_1'),
      begin_item_1: oid('begin_item_1'),
      checkpoint_item_1: oid('checkpoint_item_1'),
      settle_item_1: oid('settle_item_1'),
    }
    return this.#types
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#underWay])
    await this.#hints.close()
    await this.#connections.close()
  }

  #write<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#lookOnly) return this.#ask(work)
    return Promise.reject(new HapaxError('store_refused', { reason: 'it was opened to be looked at, not written' }))
  }

  /** Whatever is under way is waited for by a close. */
  #ask<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing) return Promise.reject(new HapaxError('store_unavailable', { reason: 'the store is closed' }))
    const answered = work()
    this.#underWay.add(answered)
    const done = () => this.#underWay.delete(answered)
    answered.then(done, done)
    return answered
  }
}

/** The number of the last record that a commit wrote and says of; 0: there is none. */
function greatestOf({ accept, intervene }: CommitResult): number {
  let greatest = 0
  for (const answer of accept) if (answer.outcome === 'accepted') greatest = Math.max(greatest, answer.position ?? 0)
  for (const answer of intervene) if (answer.outcome === 'written') greatest = Math.max(greatest, answer.position)
  return greatest
}

/** Whether others may have something to do: what was handed over has its owner already. */
function bringsWork({ accept, intervene, checkpoint }: Commit): boolean {
  return (
    (intervene?.length ?? 0) > 0 ||
    (accept?.some(({ handedTo }) => handedTo === undefined) ?? false) ||
    (checkpoint?.some(({ emits }) => (emits?.length ?? 0) > 0) ?? false)
  )
}
