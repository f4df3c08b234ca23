import type { ErrorCode } from '../../errors/catalogue.ts'
import type { ErrorDetails } from '../../errors/hapax-error.ts'
import type { HandlerDeclaration, Registry } from '../../event/handler-record.ts'
import type { CircuitTurn, CircuitTurned } from '../circuits.ts'
import type {
  CheckpointAnswer,
  FencedAnswer,
  InterveneAnswer,
  NodeBeat,
  Ownership,
  PurgeRequest,
  PurgeResult,
  SettingChange,
  Settings,
} from '../store.ts'
import type { VersionScope } from '../version-scope.ts'
import type { LedgerOptions } from './compaction.ts'
import type { Moment } from './own.ts'
import type { Wire } from './wire.ts'

/** What the worker is started with. */
export interface WriterStart {
  readonly path: string
  readonly shards: number
  readonly ledger: LedgerOptions
  /** Pages that the file may have: for tests of a full disk. */
  readonly maxPages: number | undefined
  /** How long to wait for another process's transaction, in milliseconds. */
  readonly waitMs: number
}

/** What may be asked of the writer. */
export interface WriterCalls {
  commit(wire: Wire, moment: Moment): CommitAnswers
  own(beat: NodeBeat, moment: Moment): Ownership
  register(group: string, node: string, handlers: readonly HandlerDeclaration[], moment: Moment): Registry
  secret(name: string, candidate: Uint8Array): Uint8Array
  changeSetting(change: SettingChange, moment: Moment): Settings
  turnCircuit(turn: CircuitTurn, moment: Moment): CircuitTurned
  raiseVersion(scope: VersionScope, version: string, moment: Moment): string
  purge(request: PurgeRequest): PurgeResult
  close(): void
}

export type WriterMethod = keyof WriterCalls

/**
 * The answers of a commit, compact: an accept that is new is its position alone, all others stand in `others` by their
 * index; settlements are numbers of {@link settleAnswers}.
 */
export interface CommitAnswers {
  /** The last number of the sequence before and after this commit: what lies before and is not known is foreign. */
  readonly before: number
  readonly after: number
  readonly now: number
  /** 0: see `others`. */
  readonly accept: readonly number[]
  readonly others: readonly OtherAccept[]
  readonly intervene: readonly InterveneAnswer[]
  readonly begin: readonly FencedAnswer[]
  readonly checkpoint: readonly (CheckpointAnswer | 0)[]
  readonly settle: readonly number[]
  readonly answer: readonly FencedAnswer[]
}

export interface OtherAccept {
  readonly index: number
  readonly outcome: 'accepted' | 'duplicate' | 'conflict'
  readonly key: string
  readonly acceptedAt: number
  readonly position: number
  readonly reason: 'same_signed_content' | undefined
}

export const settleAnswers = ['settled', 'stale', 'finished', 'look_again'] as const

/** Main thread to writer. */
export type WriterRequest = {
  readonly [Method in WriterMethod]: {
    readonly id: number
    readonly method: Method
    readonly args: Parameters<WriterCalls[Method]>
  }
}[WriterMethod]

/** Writer to main thread. */
export type WriterReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly code: ErrorCode; readonly details: ErrorDetails }
