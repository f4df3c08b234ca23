import type {
  DependencyView,
  EventView,
  PauseAnswer,
  Readiness,
  RedriveView,
  RunView,
  ScheduleView,
  VerbAnswer,
} from '../engine/api.ts'
import type { Problem } from '../errors/problem.ts'
import type { EventRecord } from '../event/event.ts'
import type { Receipt } from '../event/receipt.ts'
import type { Instant } from '../kit/clock.ts'
import type { EventSummary, HistoryEntry, Pause, RunSummary, Settings, StoreCounts } from '../store/store.ts'

/**
 * What the HTTP API takes and answers, as JSON. The words and shapes are the library's; times are milliseconds since the
 * Unix epoch and their names end in `At`. What the library has as `undefined` is absent here.
 */

/** An event's body: `data` where it is JSON, exactly as it came; else `bodyBase64`; neither once retention dropped it. */
export interface EventBody {
  readonly data?: unknown
  readonly bodyBase64?: string
}

/** `GET /v1/events/{key}` */
export interface EventAnswer {
  readonly event: Omit<EventRecord, 'body'> & EventBody
  readonly runs: EventView['runs']
}

/** `GET /v1/events` */
export interface EventsAnswer {
  readonly events: readonly EventSummary[]
  /** Pass as `cursor` for the next page; absent on the last. */
  readonly next?: string
}

/** `GET /v1/events/{key}/history` */
export interface HistoryAnswer {
  readonly entries: readonly HistoryEntry[]
}

/** `POST /v1/events` with one event. */
export type AcceptAnswer = Receipt

/** `POST /v1/events` with a batch: one entry per event, in their order. Ask again for those that are problems. */
export type BatchAnswer = readonly (Receipt | Problem)[]

/** `GET /v1/runs/{id}` */
export type RunAnswer = RunView

/** `GET /v1/runs` */
export interface RunsAnswer {
  readonly runs: readonly RunSummary[]
  readonly next?: string
}

/** What each verb takes. */
export interface IntentBody {
  readonly reason: string
  /** By whose hand, as the caller says; on record with the verb. Default `http`. */
  readonly actor?: string
}

/** `POST /v1/runs/{id}/cancel` */
export interface CancelBody extends IntentBody {
  readonly undo?: boolean
}

/** `POST /v1/runs/{id}/replay` */
export interface ReplayBody extends IntentBody {
  readonly fromStep?: string
  /** Its item, where it is one of a loop. */
  readonly of?: string
  readonly newKeys?: boolean
}

/** `POST /v1/runs/{id}/resolve`: one of `result`, `repeat`, `fail`. */
export interface ResolveBody extends IntentBody {
  readonly step: string
  readonly of?: string
  readonly result?: unknown
  readonly repeat?: true
  readonly fail?: true
}

/** `POST /v1/runs/{id}/signals/{name}` */
export interface SignalBody {
  readonly payload?: unknown
  /** Deduplicates signals of one name. */
  readonly id?: string
  readonly actor?: string
}

/** 200 `applied`, 202 `pending`; a refusal is a problem of code `intervention_refused`. */
export type VerbApiAnswer = VerbAnswer

/** `POST /v1/redrive` */
export interface RedriveBody extends IntentBody {
  readonly source?: string
  readonly handler?: string
  readonly tenant?: string
  readonly after?: Instant
  readonly before?: Instant
  readonly unclaimed?: boolean
  readonly perSecond?: number
}

/** `GET /v1/redrive/{id}` */
export type RedriveAnswer = RedriveView

/** A handler as the API shows it. */
export interface HandlerView {
  readonly name: string
  readonly group: string
  readonly sources: readonly string[]
  readonly types: readonly string[]
  /** Present while it is paused. */
  readonly paused?: Pause
}

/** `GET /v1/handlers` */
export interface HandlersAnswer {
  readonly handlers: readonly HandlerView[]
}

/** A source as the API shows it: never a secret. */
export interface SourceView {
  readonly name: string
  readonly scheme: string
  readonly tenant: string
  readonly bodyBytes: number
  /** Present while it is paused. */
  readonly paused?: Pause
}

/** `GET /v1/sources` */
export interface SourcesAnswer {
  readonly sources: readonly SourceView[]
}

/** A schedule as the API shows it. */
export interface ListedSchedule extends ScheduleView {
  /** Present while the handler of its ticks is paused: they come, and their runs are held. */
  readonly paused?: Pause
}

/** `GET /v1/schedules` */
export interface SchedulesAnswer {
  readonly schedules: readonly ListedSchedule[]
}

/** `GET /v1/dependencies` */
export interface DependenciesAnswer {
  readonly dependencies: readonly DependencyView[]
}

/** `GET /v1/dependencies/{name}`, and what `open`, `close` and `limits` answer. */
export type DependencyAnswer = DependencyView

/** `POST /v1/dependencies/{name}/limits`; with neither of the two all is as declared again. */
export interface LimitsBody extends IntentBody {
  /** Calls over all nodes, like `50/s`. */
  readonly rate?: string
  /** Calls at once over all nodes. */
  readonly concurrency?: number
}

/** `GET /v1/settings` */
export type SettingsAnswer = Settings

/** What pause and resume answer. */
export type PausingAnswer = PauseAnswer

/** `GET /v1/counts` */
export type CountsAnswer = StoreCounts

/** `GET /healthz` */
export interface HealthAnswer {
  readonly status: 'ok'
}

/** `GET /readyz` */
export interface ReadyAnswer extends Readiness {
  readonly status: 'ok'
}
