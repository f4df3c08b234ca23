import type { EventRecord, Fingerprint, Identity } from '../event/event.ts'
import type { EventKey } from '../event/event-key.ts'
import type { HandlerDeclaration, Registry } from '../event/handler-record.ts'
import type { Durability } from '../event/receipt.ts'
import type { RecordedError, RunAddress, RunState, StepAddress } from '../event/run.ts'
import type { RunStatus } from '../event/run-status.ts'
import type { Instant } from '../kit/clock.ts'
import type { Abilities } from './abilities.ts'
import type { CircuitRecord, CircuitTurn, CircuitTurned } from './circuits.ts'
import type { Finding } from './finding.ts'
import type { LimitClaim, LimitShare } from './shared-limits.ts'
import type { VersionScope } from './version-scope.ts'

/**
 * THE SEAM. Whole operations, not rows: lists in, one answer per item out, in the same order. Every store keeps these
 * promises in its own way; `testing/store-contract` holds them as cases, and the memory store is the specification that
 * one can run.
 *
 * Every method may reject with `store_unavailable`: then nothing is known of what was asked, and asking the same again
 * is safe and gives the same answer.
 */
export interface Store {
  /** The name of its kind: `memory`, `sqlite` … */
  readonly kind: string
  readonly abilities: Abilities
  /** What an answered commit got. */
  readonly durability: Durability
  /** How many shards there are: fixed when the store was made. Shards are numbered from 0. */
  readonly shards: number

  /** Makes or upgrades what the store keeps. Safe to call again, and from several nodes at once. */
  migrate(): Promise<void>

  /**
   * The one door for writes. All items are durable before it answers. Each is judged alone, in the order accept,
   * intervene, begin, checkpoint, settle, answer, reject, and is idempotent by its own name: the same item again gets
   * the same answer and counts once.
   */
  commit(batch: Commit): Promise<CommitResult>

  /**
   * A node's beat: renews its lease and says which (group, shard) pairs are its own now. The reply states all that it
   * owns, so that a lost reply is mended by the next beat. See {@link NodeBeat} and {@link Ownership}.
   */
  own(beat: NodeBeat): Promise<Ownership>

  /** What came to these pairs since their cursors; pairs whose epoch is no longer current come back `stale`. */
  tail(request: TailRequest): Promise<TailPage[]>

  /**
   * Standing runs whose time has come, oldest first, of pairs that are still owned under these epochs.
   *
   * @param after the last one of the page before; absent: from the oldest.
   */
  due(owned: readonly Owned[], until: Instant, limit: number, after?: DuePlace): Promise<DuePage>

  /**
   * Says which handlers this node has. A handler not seen before, or changed in what it takes, enters at the next
   * registry version; one that the group has and neither this list nor any other live node of the group names leaves
   * there. Answers the registry as it is afterwards.
   */
  register(group: string, node: string, handlers: readonly HandlerDeclaration[]): Promise<Registry>
  registry(): Promise<Registry>

  /** The secret of this name: the candidate where there was none, else the one that is there. Write-once. */
  secret(name: string, candidate: Uint8Array): Promise<Uint8Array>

  /** Runtime settings that operators change: a deploy does not undo them. */
  settings(): Promise<Settings>
  changeSetting(change: SettingChange): Promise<Settings>
  /**
   * Turns a dependency's circuit for all nodes, where it is as whoever turns it has seen it; else says how it is. Asked again
   * with the same `seen` it is not turned twice.
   */
  turnCircuit(turn: CircuitTurn): Promise<CircuitTurned>

  /** The greatest version that was raised there; undefined: none, or retention dropped it. */
  newestVersion(scope: VersionScope): Promise<string | undefined>
  /**
   * Keeps the greater of this version and the one that is there, by the bytes of their UTF-8, and answers it. The character 0
   * is in none.
   */
  raiseVersion(scope: VersionScope, version: string): Promise<string>

  // --- reading
  event(key: EventKey): Promise<EventRecord | undefined>
  /** One run with all that it left, or undefined if the event is not there. A run that never settled has no state. */
  run(event: EventKey, tag: string): Promise<RunRecord | undefined>
  /** What the identity ledger has. */
  identity(identity: Identity): Promise<LedgerEntry | undefined>
  /** Every record of an event: its accept, repeats, begins, checkpoints, settlements, interventions, in commit order. */
  history(key: EventKey): Promise<HistoryEntry[]>
  /** Newest first. */
  searchEvents(query: EventQuery): Promise<{ events: EventSummary[]; next: string | undefined }>
  /** Standing and finished runs, newest settlement first; runs that never settled are not listed. */
  searchRuns(query: RunQuery): Promise<{ runs: RunSummary[]; next: string | undefined }>
  counts(): Promise<StoreCounts>

  /**
   * Drops what retention allows; answers what it dropped. Nothing goes early. Where `abilities.retention` is `exact`, what is
   * old enough goes, at most `rows` of each kind a call; where it is `ranges`, what lies in one range of time goes together,
   * when all of it is old enough. Whatever else the store keeps in order as time passes is done here too.
   */
  purge(request: PurgeRequest): Promise<PurgeResult>

  /**
   * Looks at what the store stands on, for the person who runs it: settings, rights, space, what nobody tends. Changes
   * nothing. Absent where there is nothing to look at.
   *
   * @param kept what retention should have dropped by now.
   */
  diagnose?(kept: Omit<PurgeRequest, 'rows'>): Promise<Finding[]>

  /** Calls back after commits that may have brought work, from this process or another. A hint, never the truth. */
  onWork(listener: () => void): () => void

  /** Lets go of files and connections; waits for commits under way. Safe to call twice. */
  close(): Promise<void>

  /**
   * Where `abilities.transaction`: runs `body` with the store's own client inside one transaction with the fence and
   * the checkpoint of `item`; the value that `body` returns, as JSON text or undefined, is the checkpoint. A checkpoint that
   * is there already is answered `refused` and `body` is not called. An error of `body` rolls everything back and rejects.
   * Where another transaction was in the way, all is rolled back and `body` is called again.
   *
   * @param begin opens the transaction in the caller's own library, in place of the store's client
   * @throws `transaction_async` for a body that answers later, in a store that takes none; `store_refused` for a `begin`
   * where the store takes none.
   */
  transact?(
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
    begin?: TransactionBegin,
  ): Promise<CheckpointAnswer>

  /**
   * Where `abilities.transaction`: writes the event inside the caller's own open transaction. No shard lock, no epoch;
   * committed or not with what the caller does.
   */
  acceptWithin?(transaction: unknown, item: AcceptItem): AcceptedWithin | Promise<AcceptedWithin>

  /**
   * Where events may come without a fingerprint, since who wrote them there has no key: what still lacks one, a page of it in
   * an order of its own. The body of an event in it is never dropped.
   *
   * @param after the last of the page before; absent: from the start.
   */
  unfingerprinted?(limit: number, after?: Unfingerprinted): Promise<Unfingerprinted[]>

  /** Appends fingerprints to the ledger: write-once, the first stays. Repeats are judged by theirs, and go on record. */
  appendFingerprints?(items: readonly LateFingerprint[]): Promise<void>
}

/** What is done with the store's own client inside {@link Store.transact}. */
export type TransactionBody = (transaction: unknown) => string | undefined | Promise<string | undefined>

/**
 * Opens a transaction of the caller's library on the store's database, calls `work` with it, and commits where `work` does
 * not reject.
 */
export type TransactionBegin = (work: (transaction: unknown) => Promise<void>) => Promise<unknown>

/** What an accept inside a caller's transaction found. */
export type AcceptedWithin = { readonly outcome: 'pending' } | { readonly outcome: 'exists'; readonly key: EventKey }

/** Content that has no fingerprint yet: an event's, or that of a repeat which could not be judged. */
export interface Unfingerprinted {
  readonly event: EventKey
  /** The repeat's own key; absent: the event itself. */
  readonly repeatedBy?: EventKey
  readonly tenant: string
  readonly source: string
  readonly contentType: string
  readonly body: Uint8Array
}

/** The fingerprint of an {@link Unfingerprinted}. */
export interface LateFingerprint extends Pick<Unfingerprinted, 'event' | 'repeatedBy'> {
  readonly fingerprint: Fingerprint
}

/** A (group, shard) pair under the epoch of its grant: what every decision carries. */
export interface Owned {
  readonly group: string
  readonly shard: number
  readonly epoch: number
}

// --- commit

/** What one call of {@link Store.commit} asks for: lists of items of each kind. */
export interface Commit {
  readonly accept?: readonly AcceptItem[]
  readonly intervene?: readonly InterveneItem[]
  readonly begin?: readonly BeginItem[]
  readonly checkpoint?: readonly CheckpointItem[]
  readonly settle?: readonly SettleItem[]
  readonly answer?: readonly AnswerItem[]
  readonly reject?: readonly RejectItem[]
}

/** One answer per item, in the order of the items. */
export interface CommitResult {
  readonly accept: readonly AcceptAnswer[]
  readonly intervene: readonly InterveneAnswer[]
  readonly begin: readonly FencedAnswer[]
  readonly checkpoint: readonly CheckpointAnswer[]
  readonly settle: readonly SettleAnswer[]
  readonly answer: readonly FencedAnswer[]
}

/**
 * An event to be kept. Named by its key: the same key again answers `accepted` again. Of all items of one identity one is
 * `accepted`; the others get `duplicate` where any of their fingerprints equals the ledger's, else `conflict`, and leave
 * a repeat on record at the original.
 */
export interface AcceptItem extends Omit<EventRecord, 'position' | 'acceptedAt' | 'fingerprint' | 'body' | 'unparsed'> {
  /** Under each readable key of the tenant; the first is kept with the identity. */
  readonly fingerprints: readonly [Fingerprint, ...Fingerprint[]]
  readonly body: Uint8Array
  /** An identity older than this no longer counts: content-derived ids. Absent: it counts as long as it is kept. */
  readonly windowMs?: number
  /** An id that the signature does not cover: content seen within this span makes a new id a `duplicate`. */
  readonly contentWindowMs?: number
  /** No handler of the registry version takes it: kept in a list of its own. */
  readonly unclaimed: boolean
  /** The pair whose node will dispatch it from the answer: `tail` under that epoch may leave it out. */
  readonly handedTo?: Owned
}

/** What became of an {@link AcceptItem}. */
export type AcceptAnswer =
  | {
      readonly outcome: 'accepted'
      readonly acceptedAt: Instant
      /** Absent where the shard learns of it later (`acceptSpans: false`): then it comes by `tail`. */
      readonly position: number | undefined
    }
  | {
      readonly outcome: 'duplicate' | 'conflict'
      /** The first event of the identity; its record may have been dropped by retention. */
      readonly original: EventKey
      readonly acceptedAt: Instant
      readonly reason?: 'same_signed_content'
      /**
       * What the runs of the first event had come to, by tag, where the store had it at hand; of one that is not named
       * nothing was settled. Absent: ask for each.
       */
      readonly statuses?: Readonly<Record<string, RunStatus>>
    }
  /** Another open transaction holds the identity. */
  | { readonly outcome: 'in_flight' }
  /**
   * The first event of the identity has no fingerprint yet ({@link Store.appendFingerprints}): nothing was written. Append
   * it, and ask again.
   */
  | { readonly outcome: 'unfingerprinted'; readonly original: EventKey }

/** An answer that says what became of the event: nothing has to be asked again. */
export type JudgedAccept = Exclude<AcceptAnswer, { readonly outcome: 'unfingerprinted' }>

/** `stale`: the pair's epoch is no longer the item's; nothing was written. */
export type FencedAnswer = 'written' | 'stale'

/** What every decision of an owner names. */
export interface Decision {
  readonly owned: Owned
  readonly run: RunAddress
  readonly generation: number
}

/** Written before something whose interruption must be known. Named by (run, generation, attempt, step). */
export interface BeginItem extends Decision {
  readonly attempt: number
  /** Absent: the attempt itself. */
  readonly step?: StepAddress
  readonly at: Instant
  /** The step has an undo. */
  readonly undoable?: boolean
  readonly guard?: StepGuard
}

/** What stands between a step in doubt and its repetition: nothing at all repeats it, or its `confirm` is asked first. */
export type StepGuard = 'once' | 'confirm'

/**
 * A step's result. Named by (run, generation, step), whichever the attempt: the first stays; the same attempt again is
 * `written`; another attempt's is `refused`.
 */
export interface CheckpointItem extends Decision {
  readonly attempt: number
  readonly step: StepAddress
  /** JSON text; absent where the step settled with an error that counts as its result (a wait that timed out). */
  readonly value?: string
  readonly error?: RecordedError
  /** For a sleep: when it ends. For a wait: when it times out. */
  readonly until?: Instant
  /** The signal that a wait took. */
  readonly signal?: EventKey
  readonly startedAt: Instant
  readonly endedAt: Instant
  /** The step's first attempt: from here its key's time to live is counted. */
  readonly firstTriedAt: Instant
  /** The step has an undo: a cancel must say what becomes of it. */
  readonly undoable?: boolean
  /** Follow-up events: committed with the checkpoint or not at all. */
  readonly emits?: readonly AcceptItem[]
}

/** What became of a {@link CheckpointItem}; `refused` comes with the checkpoint that stands. */
export type CheckpointAnswer =
  | { readonly outcome: 'written' }
  | { readonly outcome: 'stale' }
  | { readonly outcome: 'refused'; readonly checkpoint: CheckpointRecord }

/**
 * How a run stands from now on: next state and journal entry in one record. Named by (run, generation, turn).
 *
 * Refused: `stale` epoch; `finished`, where the generation has a terminal settlement, or the turn was taken by another
 * settlement; `look_again`, where an intervention later than `state.seenIntervention` is committed for the run.
 */
export interface SettleItem {
  readonly owned: Owned
  readonly run: RunAddress
  readonly state: RunState
  /** The attempt that it settles; absent where none executed. */
  readonly attemptedAt?: Instant
  /** Handler's name at this time, for the record. */
  readonly handler: string
  /** By whose hand, where not the engine's: the intervention that it carries out. */
  readonly intervention?: EventKey
  /** Steps whose first try ended inside this attempt without a checkpoint: from here their keys' time to live counts. */
  readonly tried?: readonly TriedStep[]
  /** A replay drops these checkpoints of the generation before, and those after them; absent: keeps all, `all`: none. */
  readonly keepCheckpoints?: 'all' | 'none' | { readonly before: StepAddress }
}

/** A step that was tried and left no checkpoint. A later settlement's entry for the same step replaces it. */
export interface TriedStep {
  readonly step: StepAddress
  readonly firstTriedAt: Instant
  /** Whether it may have had its effect. */
  readonly doubt: boolean
  readonly undoable?: boolean
  readonly guard?: StepGuard
  /** What it failed with last: the handler may have caught it and gone on. */
  readonly error?: RecordedError
}

/** What became of a {@link SettleItem}; all but `settled` wrote nothing. */
export type SettleAnswer = 'settled' | 'stale' | 'finished' | 'look_again'

/** What a person or a caller asks of a run. */
export type Verb = 'signal' | 'cancel' | 'retry' | 'replay' | 'resolve' | 'redrive'

/** An event addressed to a run: has an identity, needs no epoch, is judged by the owner alone. */
export interface InterveneItem {
  /** Its own key, minted by the caller; the same key again answers the same. */
  readonly key: EventKey
  /** Deduplicates within the run and verb, where the caller gave one. */
  readonly id?: string
  readonly event: EventKey
  /** The handler's; an unclaimed event is redriven for one that takes it now. */
  readonly tag: string
  readonly verb: Verb
  /** The signal's name. */
  readonly name?: string
  /** What the verb takes, as JSON text; a signal's payload. */
  readonly detail: string
  readonly reason?: string
  readonly actor: string
}

/** What became of an {@link InterveneItem}. */
export type InterveneAnswer =
  | { readonly outcome: 'written'; readonly position: number }
  /** The same id was given before. */
  | { readonly outcome: 'duplicate'; readonly original: EventKey }
  | { readonly outcome: 'not_found' }

/** The owner's judgement of an intervention. Named by the intervention: the first stays. */
export interface AnswerItem {
  readonly owned: Owned
  readonly intervention: EventKey
  readonly outcome: 'applied' | 'refused'
  readonly reason?: string
}

/** Requests that were turned away before they were events: counted by source and code, never stored. */
export interface RejectItem {
  readonly source: string
  readonly code: string
  readonly count: number
}

// --- ownership

/**
 * What a node says with each beat.
 *
 * A node's lease is `leaseMs` from the beat, on the store's clock. Pairs are shared out evenly among the group's live
 * nodes that have handlers. A pair whose owner's lease ran out, or that was given back, goes to the next node that beats
 * and has less than its share, with its epoch raised by one.
 */
export interface NodeBeat {
  /** Unique to one start of one process. */
  readonly node: string
  readonly group: string
  /** False: the node owns nothing (accept-only, or stopping). */
  readonly owns: boolean
  readonly handlers: readonly string[]
  readonly leaseMs: number
  /** Given back now, gracefully: what ran there is finished or handed back. */
  readonly release: readonly Released[]
  /** Below these positions every run of the pair is finished or stands in a place of its own. */
  readonly lowMarks: readonly (Owned & { readonly position: number })[]
  /** Of a node at rest: looked at with the beat, so that a poll need not. A store that does not look passes them over. */
  readonly cursors?: readonly OwnedCursor[]
  /** What it uses of the limits that all nodes share, and wants; of one that it does not name it gives its share back. */
  readonly limits?: readonly LimitClaim[]
}

/** A pair that its node gives back. */
export interface Released extends Owned {
  /** A run there waits for this handler, which the node lacks: the pair goes to a node that has it, where one lives. */
  readonly lacks?: string
}

/** What the store answers a beat. */
export interface Ownership {
  /** The store's clock. */
  readonly now: Instant
  /** All pairs that the node owns. */
  readonly owned: readonly Grant[]
  /** Pairs of these that others lack: finish or hand back what runs there, then release them. */
  readonly asked: readonly Owned[]
  /** Live nodes of the group, this one included. */
  readonly nodes: number
  /** In how many milliseconds the first of the others is lost, unless it is heard before: a beat then takes over at once. */
  readonly lapsesInMs: number | undefined
  readonly registryVersion: number
  readonly settingsVersion: number
  /**
   * True only where `tail` would bring nothing to the beat's cursors, and what comes from now on is hinted to
   * {@link Store.onWork}: it need not be asked before the next beat.
   */
  readonly quiet?: boolean
  /** One share for each limit that the beat named: the node's until its lease ends. */
  readonly limits?: readonly LimitShare[]
}

/** A pair that the node owns, and how it came by it. */
export interface Grant extends Owned {
  /** Whether the owner before gave it back; false after a lapsed lease: what it was executing is not known. */
  readonly graceful: boolean
}

// --- reading what came

/** A pair, and how far it was read. */
export interface OwnedCursor extends Owned {
  /** As the last page gave it; absent after a takeover: everything unfinished is read, from the low mark on. */
  readonly cursor?: number
  /** Unfinished events alone, and also those that were handed over to this very pair: it had let go of some. */
  readonly all?: boolean
  /** As the last page gave it: interventions up to here were given. Absent: those up to `cursor`. */
  readonly asked?: number
}

/** What {@link Store.tail} is asked. */
export interface TailRequest {
  readonly cursors: readonly OwnedCursor[]
  /** Most events over all pages; a page that was cut says `more`. Of 0, pages bring interventions alone. */
  readonly limit: number
}

/** What came to one pair. Events in order of position, none skipped, also none that was committed late. */
export interface TailPage extends Owned {
  readonly stale: boolean
  /** For the next call. */
  readonly cursor: number
  readonly more: boolean
  readonly events: readonly TailEvent[]
  /** All that came since and are not answered yet, in commit order: a page that was cut holds none of them up. */
  readonly interventions: readonly InterventionRecord[]
  /** For the next call. */
  readonly asked: number
  /**
   * After a takeover: the runs of ordered handlers that stand (scheduled, waiting, unknown, dead …): they may hold
   * their key.
   */
  readonly standing: readonly StandingRun[]
}

/** An event with the runs of the group that have left records; terminal ones are named without their steps. */
export interface TailEvent {
  readonly event: EventRecord
  readonly runs: readonly RunRecord[]
}

/** A run of an ordered handler that stands, and may hold its key. */
export interface StandingRun extends RunAddress {
  readonly tenant: string
  readonly orderKey: string
  readonly state: RunState
  /** An attempt of this generation left a begin or a settlement: it goes before those that did not begin. */
  readonly begun: boolean
}

/** Where a due run lies: due runs are in the order of time, then position, then tag. */
export interface DuePlace {
  readonly dueAt: Instant
  readonly position: number
  readonly tag: string
}

/** Runs whose time has come. */
export interface DuePage {
  readonly runs: readonly { readonly event: EventRecord; readonly run: RunRecord; readonly owned: Owned }[]
  /** When the next one is due, of those not in this page. */
  readonly nextDueAt: Instant | undefined
}

/** All that a run left. */
export interface RunRecord extends RunAddress {
  /** The latest settlement's; absent for a run that never settled. */
  readonly state: RunState | undefined
  readonly checkpoints: readonly CheckpointRecord[]
  /** Of this generation. */
  readonly begins: readonly BeginRecord[]
  /** In commit order, answered or not. */
  readonly interventions: readonly InterventionRecord[]
  /** Steps that were tried and left no checkpoint, from settlements of this generation. */
  readonly tried: readonly TriedStep[]
}

/** A {@link BeginItem} as it is kept. */
export interface BeginRecord {
  readonly generation: number
  readonly attempt: number
  readonly step: StepAddress | undefined
  readonly at: Instant
  readonly undoable?: boolean
  readonly guard?: StepGuard
}

/** A {@link CheckpointItem} as it is kept. */
export interface CheckpointRecord extends Omit<CheckpointItem, 'owned' | 'run' | 'emits'> {
  readonly epoch: number
  /** Grows in commit order. */
  readonly order: number
}

/** An {@link InterveneItem} as it is kept, with its owner's answer. */
export interface InterventionRecord extends InterveneItem {
  readonly position: number
  readonly at: Instant
  readonly answer: { readonly outcome: 'applied' | 'refused'; readonly reason: string | undefined } | undefined
}

// --- reading for people

/** An identity as the ledger has it: of its first event. */
export interface LedgerEntry {
  readonly key: EventKey
  readonly acceptedAt: Instant
  readonly fingerprint: EventRecord['fingerprint']
}

/** One entry of an event's journal. */
export type HistoryEntry =
  | { readonly kind: 'accepted'; readonly at: Instant; readonly event: EventKey }
  | {
      readonly kind: 'duplicate' | 'conflict'
      readonly at: Instant
      readonly id: string
      readonly reason: string | undefined
      /** What came with it, to be compared by a person. */
      readonly fingerprint: Fingerprint
    }
  | ({ readonly kind: 'begin'; readonly tag: string } & BeginRecord)
  | ({ readonly kind: 'checkpoint'; readonly tag: string; readonly at: Instant } & CheckpointRecord)
  | {
      readonly kind: 'settled'
      readonly tag: string
      readonly at: Instant
      readonly handler: string
      readonly state: RunState
      readonly attemptedAt: Instant | undefined
      readonly intervention: EventKey | undefined
      readonly epoch: number
    }
  | ({ readonly kind: 'intervention' } & InterventionRecord)

/** Which events a list has: those that fit all that is given. */
export interface EventQuery {
  readonly tenant?: string
  readonly source?: string
  readonly type?: string
  readonly id?: string
  readonly idPrefix?: string
  readonly after?: Instant
  readonly before?: Instant
  readonly unclaimed?: boolean
  readonly limit: number
  readonly cursor?: string
}

/** An event without its body. */
export type EventSummary = Omit<EventRecord, 'body'> & { readonly duplicates: number; readonly conflicts: number }

/** Which runs a list has: those that fit all that is given. */
export interface RunQuery {
  readonly tenant?: string
  readonly source?: string
  readonly group?: string
  readonly handler?: string
  readonly statuses?: readonly RunStatus[]
  /** Settled at this time or later. */
  readonly after?: Instant
  /** Settled before this time. */
  readonly before?: Instant
  /** Of events accepted at this time or later. */
  readonly acceptedAfter?: Instant
  /** Of events accepted before this time. */
  readonly acceptedBefore?: Instant
  readonly limit: number
  readonly cursor?: string
}

/** A run in a list. */
export interface RunSummary {
  readonly run: RunAddress
  readonly handler: string
  readonly group: string
  readonly identity: Identity
  readonly type: string
  readonly state: RunState
}

/** What there is, in numbers that cost no reading of the healthy. */
export interface StoreCounts {
  /** Of the journal that is kept. */
  readonly events: number
  readonly unclaimed: number
  /** Runs that stand, by status; completed ones are not counted, since that would read the healthy. */
  readonly standing: Readonly<Partial<Record<RunStatus, number>>>
  readonly rejected: readonly RejectItem[]
}

/** What operators set at run time. */
export interface Settings {
  readonly version: number
  readonly paused: readonly Pause[]
  /** Of the dependencies whose circuit ever turned. */
  readonly circuits: readonly CircuitRecord[]
  readonly limits: readonly LimitSetting[]
}

/** Limits of a dependency that hold in the place of those that its declaration says. */
export interface DependencyLimits {
  /** Calls a second over all nodes. Absent: as declared. */
  readonly rate?: number | undefined
  /** Calls at once over all nodes. Absent: as declared. */
  readonly concurrency?: number | undefined
}

/** A dependency's limits as an operator set them. */
export interface LimitSetting extends DependencyLimits {
  readonly dependency: string
  readonly since: Instant
  readonly actor: string
  readonly reason: string | undefined
}

/** A handler, source or dependency that an operator holds. */
export interface Pause {
  readonly what: 'handler' | 'source' | 'dependency'
  readonly name: string
  readonly since: Instant
  readonly actor: string
  readonly reason: string | undefined
}

/** What an operator changes. */
export type SettingChange = {
  readonly name: string
  readonly actor: string
  readonly reason?: string
} & (
  | { readonly verb: 'pause' | 'resume'; readonly what: Pause['what'] }
  /** Replaces what was set before; with neither of the two, the declaration holds again. */
  | ({ readonly verb: 'limit'; readonly what: 'dependency' } & DependencyLimits)
)

/** Every span counts from the acceptance. An event with a run that is unfinished, unknown or dead stays whole, however old. */
export interface PurgeRequest {
  /** Bodies of events accepted before this, all of whose runs are completed or cancelled. */
  readonly payloadsBefore: Instant
  /** Events with all their records, under the same condition. */
  readonly journalBefore: Instant
  /** Identities, by each event that they had; never one of which any event is still kept. And versions that were not raised since. */
  readonly identitiesBefore: Instant
  readonly rows: number
}

/** How many of each were dropped; a full step means that there may be more, as does `more`. */
export interface PurgeResult {
  readonly payloads: number
  readonly events: number
  readonly identities: number
  /** There is more to do at once, however little was dropped. */
  readonly more?: boolean
}
