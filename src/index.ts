/**
 * Hapax: every request or event handled once. The library's door.
 *
 * @module
 */
export { defineConfig, type HapaxConfig } from './config/define-config.ts'
export type {
  AcceptOptions,
  Controls,
  Events,
  EventView,
  HapaxCore,
  HeldRun,
  Intent,
  NewEvent,
  PendingAccept,
  RedriveRequest,
  RedriveView,
  Runs,
  RunView,
  VerbAnswer,
} from './engine/api.ts'
export {
  type EmittedEvent,
  type Handler,
  type HandlerEvent,
  type HandlerOptions,
  handler,
  type RetryOptions,
  type Run,
  type StepOptions,
} from './engine/handler.ts'
export type { Retention } from './engine/sweeper.ts'
export type { ErrorCode } from './errors/catalogue.ts'
export { HapaxError } from './errors/hapax-error.ts'
export type { EventRecord, Fingerprint, Identity } from './event/event.ts'
export { Fatal, NotSent, RetryLater, WaitTimeout } from './event/outcome.ts'
export type { Durability, Receipt, ReceiptRun } from './event/receipt.ts'
export type { RecordedError, RunState } from './event/run.ts'
export type { RunStatus } from './event/run-status.ts'
export type { StandardSchema } from './event/standard-schema.ts'
export { createHapax, type Hapax, type HapaxOptions } from './hapax.ts'
export type { Duration } from './kit/duration.ts'
export { type Log, type LogFields, lineLog } from './kit/log.ts'
