import type { EventRecord } from '../event/event.ts'
import type { EventKey } from '../event/event-key.ts'
import type { Durability, Receipt } from '../event/receipt.ts'
import type { RunState } from '../event/run.ts'
import type { RunStatus } from '../event/run-status.ts'
import type { MissedTicks } from '../flow/schedule.ts'
import type { Instant } from '../kit/clock.ts'
import type { Duration } from '../kit/duration.ts'
import type { Rate } from '../kit/rate.ts'
import type { StrictJson } from '../kit/strict-json.ts'
import type { CircuitRecord, CircuitState } from '../store/circuits.ts'
import type {
  CheckpointRecord,
  DependencyLimits,
  EventQuery,
  EventSummary,
  HistoryEntry,
  InterventionRecord,
  LimitSetting,
  Pause,
  RunQuery,
  RunSummary,
  Settings,
  StoreCounts,
} from '../store/store.ts'

/** An event to be accepted. */
export interface NewEvent {
  /** Where it comes from; a configured source's name, or one of your own. */
  readonly source: string
  /** The sender's id. May be left out only where the source derives identity from content. */
  readonly id?: string
  readonly type: string
  /** JSON, as a value; or `body`. */
  readonly data?: unknown
  /** The bytes as they came, instead of `data`. */
  readonly body?: Uint8Array
  /** Of `body`. Default `application/json`. */
  readonly contentType?: string
  readonly subject?: string
  /** RFC 3339, or a Date. */
  readonly time?: string | Date
  /** Default: the source's tenant, else `'default'`. */
  readonly tenant?: string
  /** Runs of ordered handlers go one at a time per key. Default: what the source's `orderKey` says. */
  readonly orderKey?: string
  /** Kept with the event. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What `accept` takes beside the event. */
export interface AcceptOptions {
  /** Whether the sender's signature covers the id. Default true; a verified source says so by itself. */
  readonly idSigned?: boolean
  /** What strict parsing made of `body`, where the caller has it: a webhook's source did, and 1 kB costs 4 µs. */
  readonly parsed?: StrictJson
  /**
   * The caller's own open transaction, as the store's client has it (SQLite: a node:sqlite DatabaseSync): event and
   * business row commit together.
   */
  readonly transaction?: object | undefined
}

/** The answer inside a caller's transaction: never a receipt, since nothing is durable before it commits. */
export type PendingAccept = { readonly outcome: 'pending' | 'exists'; readonly event: { readonly key: EventKey } }

/** `accept` as every way in uses it. */
export type AcceptEvent = (
  event: NewEvent,
  options?: AcceptOptions & { readonly transaction?: undefined },
) => Promise<Receipt>

/** Who asks, and why: on record with every verb. */
export interface Intent {
  readonly reason: string
  /** Default `'library'`; the server says who the token belongs to. */
  readonly actor?: string
}

/** What became of a verb: judged by the run's owner. `pending`: not answered within 5 s; look at the run later. */
export type VerbAnswer =
  | {
      readonly outcome: 'applied'
      readonly run: string
      /** The run had left its order key (a dead one that is skipped, one that had ended): it goes behind all others of it. */
      readonly note?: 'to_the_back'
    }
  | { readonly outcome: 'refused'; readonly run: string; readonly reason: string }
  | { readonly outcome: 'pending'; readonly run: string }

/** One run as it is shown. */
export interface RunView {
  readonly id: string
  readonly event: EventKey
  readonly group: string
  readonly handler: string
  /** A run that never settled is `ready`, or `running` where this process is running it. */
  readonly status: RunStatus
  /** Why a `ready` one does not go: its handler or source is paused, its burst is not over, or it waits behind another of its order key. */
  readonly held: HeldRun | undefined
  readonly state: RunState | undefined
  readonly steps: readonly CheckpointRecord[]
  readonly interventions: readonly InterventionRecord[]
  /** Where this process runs it and the handler told. */
  readonly progress: { readonly fraction: number; readonly note: string | undefined } | undefined
}

/**
 * What holds a run that is ready. Pauses are known everywhere; the head of an order key, and a burst, to the process that owns
 * the run.
 */
export type HeldRun =
  | { readonly reason: 'paused'; readonly by: string }
  /** `by`: the run that goes first. */
  | { readonly reason: 'behind'; readonly by: string }
  /** It waits until its burst's window is over; `by`: the latest run of it so far, which may be itself. */
  | { readonly reason: 'coalescing'; readonly by: string }
  /** A dependency that its handler uses is down; `by`: its name. Such a run is shown as `parked`. */
  | { readonly reason: 'circuit_open'; readonly by: string }

/** One event as it is shown, with its runs. */
export interface EventView {
  readonly event: EventRecord
  readonly runs: readonly {
    readonly id: string
    readonly group: string
    readonly handler: string
    readonly status: RunStatus
  }[]
}

/** Reading events. */
export interface Events {
  /** @throws `not_found` */
  get(key: EventKey): Promise<EventView>
  /** Newest first. */
  list(query?: Partial<EventQuery>): Promise<{ events: EventSummary[]; next: string | undefined }>
  /** Everything that happened to it, in commit order. @throws `not_found` */
  history(key: EventKey): Promise<HistoryEntry[]>
}

/** Many at once. */
export interface RedriveRequest {
  readonly source?: string
  readonly handler?: string
  readonly tenant?: string
  /** Of events accepted at this time or later. */
  readonly after?: Instant
  /** Of events accepted before this time. */
  readonly before?: Instant
  /** Events that no handler took, instead of dead runs. */
  readonly unclaimed?: boolean
  /** Most a second. Default 100. */
  readonly perSecond?: number
}

/** How far a redrive is. Kept by the process that runs it: stop it, and start it again by the same filter. */
export interface RedriveView {
  readonly id: string
  /** `failed`: it gave up before its end, as `error` says; what was asked until then stands. */
  readonly state: 'running' | 'done' | 'stopped' | 'failed'
  readonly asked: number
  readonly applied: number
  readonly refused: number
  /** How many were refused for each reason. */
  readonly refusals: Readonly<Record<string, number>>
  /** Asked, and not answered within 5 s: their owners judge them when they can. */
  readonly pending: number
  /** Could not be asked: see `error`. */
  readonly failed: number
  /** Of the applied, those that went behind the others of their order key. */
  readonly toTheBack: number
  /** The latest of what went wrong. */
  readonly error: { readonly code: string; readonly message: string; readonly run: string | undefined } | undefined
}

/** Reading runs, and the operator's verbs. */
export interface Runs {
  /** @throws `not_found` */
  get(id: string): Promise<RunView>
  /**
   * Newest settlement first; runs that never settled are not listed. The status `running`, asked for alone, lists what
   * this process executes now.
   *
   * @throws `invalid_query` for `ready`, which is not indexed, and for `running` beside others
   */
  list(query?: Partial<RunQuery>): Promise<{ runs: RunSummary[]; next: string | undefined }>
  /** Brings a waiting or scheduled run forward; opens a new generation of a dead one, with its checkpoints. */
  retry(id: string, intent: Intent): Promise<VerbAnswer>
  /** Ends it. @throws `undo_unspecified` where a step has an undo and `undo` is not said. */
  cancel(id: string, intent: Intent & { readonly undo?: boolean }): Promise<VerbAnswer>
  /**
   * Runs it again in a new generation, without its checkpoints or from a step on (`of`: its item, where it is one of a
   * loop).
   *
   * @throws `invalid_query` for `of` without `fromStep`
   */
  replay(
    id: string,
    intent: Intent & { readonly fromStep?: string; readonly of?: string; readonly newKeys?: boolean },
  ): Promise<VerbAnswer>
  /** Decides a step in doubt. */
  resolve(
    id: string,
    intent: Intent & { readonly step: string; readonly of?: string } & (
        | { readonly result: unknown }
        | { readonly repeat: true }
        | { readonly fail: true }
      ),
  ): Promise<VerbAnswer>
  /** Sends a signal; may come before the run waits for it. */
  signal(
    id: string,
    name: string,
    payload?: unknown,
    options?: { readonly id?: string; readonly actor?: string },
  ): Promise<VerbAnswer>
  /**
   * Waits for the run's end and resolves to the handler's result.
   *
   * @throws `run_ended` with the recorded error of a dead or cancelled run; `run_unfinished` after the timeout
   */
  result(id: string, options?: { readonly timeout?: Duration }): Promise<unknown>
  redrive(request: RedriveRequest, intent: Intent): Promise<RedriveView>
  /** @throws `not_found` */
  redriveStatus(id: string): Promise<RedriveView>
  stopRedrive(id: string): Promise<RedriveView>
}

/** The settings as they are now, and what the name stands for today. */
export interface PauseAnswer extends Settings {
  readonly matches: {
    /** Handlers of this name; for a source, those that take its events. */
    readonly handlers: number
    /** Configured sources of this name, of the process that was asked. */
    readonly sources: number
  }
}

/** What {@link HapaxCore.ready} found. */
export interface Readiness {
  /** The store's kind, like `sqlite`. */
  readonly store: string
  /** What an accept that is answered now has got. */
  readonly durability: Durability
}

/** What operators set for all nodes: runtime data, which a deploy does not undo. */
export interface Controls {
  /**
   * Holds the runs of a handler, of a source's events, or of handlers that use a dependency; what executes goes on. Any name
   * may be paused, also before a deploy brings it: `matches` says what it holds today.
   *
   * @throws `invalid_query` for an empty name
   */
  pause(what: Pause['what'], name: string, intent: Intent): Promise<PauseAnswer>
  /** Lets them go on. */
  resume(what: Pause['what'], name: string, intent: Intent): Promise<PauseAnswer>
  settings(): Promise<Settings>
  counts(): Promise<StoreCounts>
  /** Every dependency that this process knows, or that an operator or a circuit has named, by name. */
  dependencies(): Promise<readonly DependencyView[]>
  /** @throws `not_found` */
  dependency(name: string): Promise<DependencyView>
  /** Opens the circuit on all nodes, and holds it open until it is closed: runs are parked. */
  open(dependency: string, intent: Intent): Promise<DependencyView>
  /** Closes the circuit on all nodes, without a probe; what was parked comes back in waves. */
  close(dependency: string, intent: Intent): Promise<DependencyView>
  /**
   * Sets limits in the place of the declared ones, on all nodes within some beats; with neither of the two the declaration holds
   * again.
   *
   * @throws `invalid_query`
   */
  limit(dependency: string, limits: NewLimits, intent: Intent): Promise<DependencyView>
}

/** Limits that an operator sets; what is left out is as declared. */
export interface NewLimits {
  /** Calls over all nodes, like `'50/s'`. */
  readonly rate?: Rate | undefined
  /** Calls at once over all nodes. */
  readonly concurrency?: number | undefined
}

/** A dependency as it is shown. */
export interface DependencyView {
  readonly name: string
  readonly circuit: CircuitState
  /** How its circuit last turned; undefined: it never did. */
  readonly turned: CircuitRecord | undefined
  /** What the code of the process that was asked says. */
  readonly declared: DependencyLimits
  /** What holds. */
  readonly limits: DependencyLimits
  /** What an operator set. */
  readonly setting: LimitSetting | undefined
  readonly paused: Pause | undefined
  /** Handlers of the process that was asked which use it. */
  readonly handlers: readonly string[]
  /** On the node that was asked: runs that wait for it and that are under way, calls and failed calls since it started. */
  readonly here: {
    readonly waiting: number
    readonly active: number
    readonly calls: number
    readonly failures: number
  }
}

/** A schedule as it is listed, by a process that has it. */
export interface ScheduleView {
  readonly name: string
  readonly group: string
  readonly cron: string
  readonly timezone: string
  readonly missed: MissedTicks
  /** Its next tick. */
  readonly nextAt: Instant | undefined
  /** The last tick that came, of the last ten that should have; `event` is its key. */
  readonly last: { readonly at: Instant; readonly event: EventKey } | undefined
}

/** What a Hapax is to who embeds it. */
export interface HapaxCore {
  /**
   * Writes the event inside the caller's own open transaction: no receipt, since nothing is durable before it commits.
   *
   * @throws `ability_missing` where the store has no transactions
   */
  accept(event: NewEvent, options: AcceptOptions & { readonly transaction: object }): Promise<PendingAccept>
  /** The receipt comes only after the event is committed (G1). */
  accept(event: NewEvent, options?: AcceptOptions & { readonly transaction?: undefined }): Promise<Receipt>
  readonly events: Events
  readonly runs: Runs
  readonly controls: Controls
  /** The schedules of this process, whether or not it is started, with their ticks. */
  schedules(): Promise<readonly ScheduleView[]>
  /**
   * Proves, at most a second ago, that the store commits: a beat of this process was written.
   *
   * @throws `store_unavailable`; `engine_stopped`
   */
  ready(): Promise<Readiness>
  /**
   * Begins to own shards and run handlers here. Safe to call twice.
   *
   * @throws `ability_missing`; `engine_stopped` after a stop
   */
  start(): Promise<void>
  /**
   * Begins no run any more, finishes or hands back within the grace period, closes the store. Asked again, it gives the
   * same promise. `after`: accepts go on until it settles, within the same grace: of a server that is closing.
   */
  stop(options?: { readonly after?: Promise<unknown> }): Promise<void>
}
