/**
 * Hapax: every request or event handled once. The library's door.
 *
 * @module
 */
export { defineConfig, type HapaxConfig } from './config/define-config.ts'
export type {
  AcceptEvent,
  AcceptOptions,
  Controls,
  DependencyView,
  Events,
  EventView,
  HapaxCore,
  HeldRun,
  Intent,
  NewEvent,
  NewLimits,
  PauseAnswer,
  PendingAccept,
  Readiness,
  RedriveRequest,
  RedriveView,
  Runs,
  RunView,
  ScheduleView,
  VerbAnswer,
} from './engine/api.ts'
export { type BatchItem, type BatchOptions, batchHandler } from './engine/batch-handler.ts'
export {
  type CoalesceOptions,
  type EmittedEvent,
  type Handler,
  type HandlerEvent,
  type HandlerOptions,
  handler,
  type PrioritizedEvent,
  type RetryOptions,
  type RetryPolicy,
  type Run,
  type StepOptions,
  type SupersedeOptions,
  type TransactionOptions,
} from './engine/handler.ts'
export { type Schedule, type ScheduleOptions, schedule } from './engine/schedule.ts'
export type { Retention } from './engine/sweeper.ts'
export type { ErrorCode } from './errors/catalogue.ts'
export { type ErrorDetails, HapaxError } from './errors/hapax-error.ts'
export type { Alert, AlertChannel, AlertDetails, AlertKind, AlertMeans } from './event/alert.ts'
export type { ContentType, EventRecord, Fingerprint, Identity } from './event/event.ts'
export type { EventKey } from './event/event-key.ts'
export type { HandlerDeclaration, HandlerRecord, Registry } from './event/handler-record.ts'
export { CircuitOpen, Fatal, NotGranted, NotSent, RetryLater, WaitTimeout } from './event/outcome.ts'
export type { Durability, Receipt, ReceiptRun } from './event/receipt.ts'
export type { RecordedError, RunAddress, RunState, StepAddress } from './event/run.ts'
export type { RunStatus } from './event/run-status.ts'
export type { SchemaResult, StandardSchema } from './event/standard-schema.ts'
export type { CallVerdict, Statuses } from './flow/call-failure.ts'
export type { CronRule } from './flow/cron.ts'
export { type CircuitOptions, type Dependency, type DependencyOptions, dependency } from './flow/dependency.ts'
export { DependencyError } from './flow/dependency-error.ts'
export type { FetchOptions } from './flow/fetch-request.ts'
export type { MissedTicks, ScheduleTick } from './flow/schedule.ts'
export { createHapax, type Hapax, type HapaxOptions } from './hapax.ts'
export type { Answer } from './ingress/answer.ts'
export type { ByteBudget } from './ingress/byte-budget.ts'
export type { HttpIngress, RequestHead, Ticket } from './ingress/http-ingress.ts'
export type { Backoff } from './kit/backoff.ts'
export type { Clock, Instant, Timer } from './kit/clock.ts'
export type { Duration } from './kit/duration.ts'
export { type Log, type LogFields, type LogLevel, lineLog } from './kit/log.ts'
export type { Random } from './kit/random.ts'
export type { Rate } from './kit/rate.ts'
export type { StrictJson } from './kit/strict-json.ts'
export type { Source } from './sources/source.ts'
export type { Abilities } from './store/abilities.ts'
export type { CircuitRecord, CircuitState, CircuitTurn, CircuitTurned } from './store/circuits.ts'
export type { Finding } from './store/finding.ts'
export type { MigrateMode } from './store/open-store.ts'
export type { LimitClaim, LimitShare } from './store/shared-limits.ts'
export type {
  AcceptAnswer,
  AcceptedWithin,
  AcceptItem,
  AnswerItem,
  BeginItem,
  BeginRecord,
  CheckpointAnswer,
  CheckpointItem,
  CheckpointRecord,
  Commit,
  CommitResult,
  Decision,
  DependencyLimits,
  DuePage,
  DuePlace,
  EventQuery,
  EventSummary,
  FencedAnswer,
  Grant,
  HistoryEntry,
  InterveneAnswer,
  InterveneItem,
  InterventionRecord,
  LateFingerprint,
  LedgerEntry,
  LimitSetting,
  NodeBeat,
  Owned,
  OwnedCursor,
  Ownership,
  Pause,
  PurgeRequest,
  PurgeResult,
  RejectItem,
  Released,
  RunQuery,
  RunRecord,
  RunSummary,
  SettingChange,
  Settings,
  SettleAnswer,
  SettleItem,
  StandingRun,
  StepGuard,
  Store,
  StoreCounts,
  TailEvent,
  TailPage,
  TailRequest,
  TransactionBegin,
  TransactionBody,
  TriedStep,
  Unfingerprinted,
  Verb,
} from './store/store.ts'
