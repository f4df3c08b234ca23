import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord, Fingerprint, Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import type { HandlerRecord } from '../../event/handler-record.ts'
import type { StepAddress } from '../../event/run.ts'
import type { Clock, Instant } from '../../kit/clock.ts'
import type { CircuitRecord } from '../circuits.ts'
import type { LentShare } from '../shared-limits.ts'
import type {
  BeginRecord,
  CheckpointRecord,
  HistoryEntry,
  InterveneItem,
  InterventionRecord,
  LedgerEntry,
  LimitSetting,
  Owned,
  Pause,
  SettleItem,
} from '../store.ts'

/** An event with all its records. */
export interface EventEntry {
  readonly event: Omit<EventRecord, 'position' | 'body'>
  body: Uint8Array | undefined
  /** Undefined while its shard has not learned of it (`acceptSpans: false`). */
  position: number | undefined
  unclaimed: boolean
  readonly handedTo: Owned | undefined
  /** Accepts of its identity that came later, by their own keys. */
  readonly repeats: Map<EventKey, 'duplicate' | 'conflict'>
  readonly runs: Map<string, RunEntry>
  readonly interventions: InterventionEntry[]
  readonly history: (() => HistoryEntry)[]
}

/** What one handler's processing of an event left. */
export interface RunEntry {
  readonly tag: string
  readonly begins: (BeginRecord & { readonly epoch: number })[]
  readonly checkpoints: KeptCheckpoint[]
  readonly settlements: Settlement[]
}

/** A checkpoint; `carried` where a generation took it over from the one before. */
export interface KeptCheckpoint {
  readonly record: CheckpointRecord
  readonly carried: boolean
}

/** A settlement with its place in the order of all commits. */
export interface Settlement {
  readonly item: SettleItem
  readonly at: Instant
  readonly order: number
}

/** An intervention and what became of it. */
export interface InterventionEntry {
  readonly item: InterveneItem
  readonly position: number
  readonly at: Instant
  answer: InterventionRecord['answer']
}

/** A ledger entry, with the place of its event. */
export interface Known extends LedgerEntry {
  readonly fingerprint: Fingerprint
  readonly identity: Identity
}

/** A (group, shard) pair. */
export interface Pair {
  readonly group: string
  readonly shard: number
  epoch: number
  owner: string | undefined
  graceful: boolean
  lowMark: number
  /** A handler that whoever takes it should have. */
  lacks: string | undefined
}

/** A node as its last beat left it. */
export interface NodeEntry {
  group: string
  takes: boolean
  handlers: readonly string[]
  leaseUntilMs: number
  /** By limit, the most that it may be using of it. */
  readonly lent: Map<string, Omit<LentShare, 'node'>>
}

/**
 * All that a memory store keeps. Several handles may share one: they are the nodes of a cluster, and a handle opened
 * later is a process after its restart.
 */
export class MemoryState {
  readonly clock: Clock
  readonly shards: number
  readonly acceptSpans: boolean
  /** Numbers every record in commit order: positions of events and interventions, order of checkpoints and settlements. */
  sequence = 0
  readonly events = new Map<EventKey, EventEntry>()
  /** Every event that its shard knows of, by position; interventions lie at their events. */
  readonly shardEvents: EventEntry[][]
  readonly interventions = new Map<EventKey, EventEntry>()
  /** By identity, its accepted events, the latest last: several, where windows passed between them. */
  readonly ledger = new Map<string, Known[]>()
  /** By tenant, source and fingerprint, the latest accepted event whose id the signature does not cover. */
  readonly contents = new Map<string, Known>()
  /** Events on their way to their shard. */
  readonly handOvers: EventEntry[] = []
  readonly pairs = new Map<string, Pair>()
  readonly nodes = new Map<string, NodeEntry>()
  registryVersion = 0
  handlers: HandlerRecord[] = []
  settingsVersion = 0
  paused: Pause[] = []
  readonly circuits = new Map<string, CircuitRecord>()
  readonly limits = new Map<string, LimitSetting>()
  readonly secrets = new Map<string, Uint8Array>()
  /** By scope, the newest that was processed, and when it was raised. */
  readonly versions = new Map<string, { readonly version: string; readonly raisedAt: Instant }>()
  readonly rejected = new Map<string, { source: string; code: string; count: number }>()
  readonly listeners = new Set<() => void>()

  constructor(clock: Clock, shards: number, acceptSpans: boolean) {
    this.clock = clock
    this.shards = shards
    this.acceptSpans = acceptSpans
    this.shardEvents = Array.from({ length: shards }, () => [])
  }

  next(): number {
    this.sequence++
    return this.sequence
  }

  pair(group: string, shard: number): Pair {
    const name = textOf(group, String(shard))
    const pair = this.pairs.get(name) ?? {
      group,
      shard,
      epoch: 0,
      owner: undefined,
      graceful: true,
      lowMark: 0,
      lacks: undefined,
    }
    this.pairs.set(name, pair)
    return pair
  }

  /** Whether a decision made under this epoch still counts (G6). */
  holds(owned: Owned): boolean {
    return owned.epoch > 0 && this.pair(owned.group, owned.shard).epoch === owned.epoch
  }

  /** The latest event of this identity. */
  known(identity: Identity): Known | undefined {
    return this.ledger.get(identityText(identity))?.at(-1)
  }

  /** The events of one shard, in order of position. */
  shard(shard: number): EventEntry[] {
    const events = this.shardEvents[shard]
    if (!events) throw new HapaxError('not_found', { what: 'shard' })
    return events
  }

  /** What a run left; made where it is to leave something. */
  run(entry: EventEntry, tag: string): RunEntry {
    const run = entry.runs.get(tag) ?? { tag, begins: [], checkpoints: [], settlements: [] }
    entry.runs.set(tag, run)
    return run
  }

  /** Tells every handle, after the commit, that work may have come. */
  hint(): void {
    for (const listener of this.listeners) this.clock.turn(() => this.listeners.has(listener) && listener())
  }
}

/** Texts as one, for maps; length-prefixed, since they may hold any character. */
export function textOf(...parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join('')
}

/** The identity as one text. */
export function identityText({ tenant, source, id }: Identity): string {
  return textOf(tenant, source, id)
}

/** Whether two addresses name the same step; both absent: the attempt itself. */
export function isSameStep(one: StepAddress | undefined, other: StepAddress | undefined): boolean {
  return one?.kind === other?.kind && one?.name === other?.name && one?.of === other?.of
}
