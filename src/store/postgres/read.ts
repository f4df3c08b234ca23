import type { EventRecord, Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import { type RunAddress, stepText } from '../../event/run.ts'
import { isTerminal } from '../../event/run-status.ts'
import { limits } from '../../kit/limits.ts'
import { numberIn, optionalNumberIn, optionalTextIn, textIn } from '../sql/columns.ts'
import {
  beginOf,
  checkpointOf,
  eventOf,
  fingerprintOf,
  interventionOf,
  ledgerEntryOf,
  type Row,
  settleRestOf,
  stateOf,
  triedOf,
} from '../sql/rows.ts'
import type { HistoryEntry, LedgerEntry, RunRecord } from '../store.ts'
import { keyArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { Gathered } from './gathered.ts'
import { keyOfUuid, keyUuid } from './key-bytes.ts'
import type { LateFingerprints } from './late-fingerprint.ts'
import { ledgerKey } from './ledger.ts'
import { identityBytes, type Param } from './params.ts'
import type { Naming } from './schema.ts'

/** All that the runs of an event left, by kind, in commit order. */
export interface EventRecords {
  readonly settlement: Row[]
  readonly checkpoint: Row[]
  readonly begin: Row[]
  readonly intervention: Row[]
  readonly repeat: Row[]
}

/** An event's place, and what its runs left. */
interface Placed {
  readonly position: number
  readonly records: EventRecords | undefined
}

type Kind = keyof EventRecords

const kinds: readonly Kind[] = ['settlement', 'checkpoint', 'begin', 'intervention', 'repeat']

/** Reading by key. What belongs together is read in one statement: one snapshot. */
export class Reads {
  readonly #connections: Connections
  readonly #late: LateFingerprints
  /** A burst of duplicates asks for the run of each: together, they take a tenth of the time. */
  readonly #runs: Gathered<EventKey, Placed>
  readonly #eventSql: string
  readonly #recordsSql: string
  readonly #identitySql: string

  constructor(connections: Connections, naming: Naming, late: LateFingerprints) {
    this.#connections = connections
    this.#late = late
    const most = { keys: limits.gatheredKeys, statements: limits.gatheredStatements }
    this.#runs = new Gathered((keys) => this.#runsOf(keys), most)
    this.#eventSql = naming.sql('select * from :s.events_1($1, $2, $3)')
    this.#recordsSql = naming.sql('select * from :s.records_1($1, $2, $3, $4, $5)')
    this.#identitySql = naming.sql(
      `select o.* from ${ledgerKey('$1::uuid')} l cross join lateral :s.original_1(l.key) o`,
    )
  }

  async event(key: EventKey): Promise<EventRecord | undefined> {
    return (await this.events([key])).get(key)
  }

  async events(keys: readonly EventKey[]): Promise<Map<EventKey, EventRecord>> {
    if (keys.length === 0) return new Map()
    return this.eventsOf(await this.#connections.rows(this.#eventSql, keysWithin(keys)))
  }

  /** Events of their rows, which have the body in `bytes`. */
  async eventsOf(rows: readonly Row[]): Promise<Map<EventKey, EventRecord>> {
    await this.#late.complete(rows)
    return new Map(rows.map((row) => [textIn(row, 'key'), eventOf(row)]))
  }

  /** What the runs of these events left; an event that left nothing has no entry. */
  async records(keys: readonly EventKey[], repeats = false): Promise<Map<EventKey, EventRecords>> {
    if (keys.length === 0) return new Map()
    return recordsOf(await this.#connections.rows(this.#recordsSql, [...keysWithin(keys), repeats, false]))
  }

  async run(event: EventKey, tag: string): Promise<RunRecord | undefined> {
    const found = await this.#runs.get(event)
    return found && runOf({ event, position: found.position, tag }, found.records)
  }

  /** Where events lie, and what their runs left: in one statement, so that both are of one snapshot. */
  async #runsOf(keys: readonly EventKey[]): Promise<ReadonlyMap<EventKey, Placed>> {
    const rows = await this.#connections.rows(this.#recordsSql, [...keysWithin(keys), false, true])
    const records = recordsOf(rows)
    return new Map(
      rows
        .filter(({ kind }) => kind === 'event')
        .map(jsonRow)
        .map((row) => {
          const key = textIn(row, 'key')
          return [key, { position: numberIn(row, 'position'), records: records.get(key) }]
        }),
    )
  }

  async identity(identity: Identity): Promise<LedgerEntry | undefined> {
    const [row] = await this.#connections.rows(this.#identitySql, [
      Buffer.from(identityBytes(identity)).toString('hex'),
    ])
    return row && ledgerEntryOf(row)
  }

  async history(key: EventKey): Promise<HistoryEntry[]> {
    const event = await this.event(key)
    if (!event) return []
    const records = (await this.records([key], true)).get(key) ?? noRecords()
    const accepted: HistoryEntry = { kind: 'accepted', at: event.acceptedAt, event: key }
    return [
      { seq: event.position, entry: accepted },
      ...records.repeat.map((row) => ({ seq: sequenceOf(row), entry: repeatOf(row) })),
      ...records.begin.map((row) => {
        return { seq: sequenceOf(row), entry: { kind: 'begin' as const, tag: textIn(row, 'tag'), ...beginOf(row) } }
      }),
      ...records.checkpoint
        .filter(({ copied }) => copied === false)
        .map((row) => {
          const entry = {
            kind: 'checkpoint' as const,
            tag: textIn(row, 'tag'),
            at: numberIn(row, 'at'),
            ...checkpointOf(row),
          }
          return { seq: sequenceOf(row), entry }
        }),
      ...records.settlement.map((row) => ({ seq: sequenceOf(row), entry: settledOf(row) })),
      ...records.intervention.map((row) => {
        return { seq: sequenceOf(row), entry: { kind: 'intervention' as const, ...interventionOf(row) } }
      }),
    ]
      .sort((one, other) => one.seq - other.seq)
      .map(({ entry }) => entry)
  }
}

function recordsOf(rows: readonly Row[]): Map<EventKey, EventRecords> {
  const found = new Map<EventKey, EventRecords>()
  for (const { kind, row } of rows) {
    const of = kinds.find((one) => one === kind)
    if (!of || typeof row !== 'object' || row === null) continue
    const read = withKeys({ ...row })
    const key = textIn(read, of === 'intervention' ? 'event' : 'key')
    const records = found.get(key) ?? noRecords()
    found.set(key, records)
    records[of].push(read)
  }
  for (const records of found.values()) for (const kind of kinds) records[kind].sort(bySequence)
  return found
}

/** Keys, one at least, as the parameters of what is read by them: with their least and their greatest. */
function keysWithin(keys: readonly EventKey[]): [Param, Param, Param] {
  let [least = ''] = keys
  let greatest = least
  for (const key of keys) {
    if (key < least) least = key
    if (key > greatest) greatest = key
  }
  return [keyArray(keys), keyUuid(least), keyUuid(greatest)]
}

/** Tags of the runs that left anything at an event. */
export function tagsOf(records: EventRecords | undefined): Set<string> {
  const { settlement = [], checkpoint = [], begin = [], intervention = [] } = records ?? {}
  return new Set([...settlement, ...checkpoint, ...begin, ...intervention].map((row) => textIn(row, 'tag')))
}

/**
 * A run as its records say.
 *
 * @param brief names a run whose generation has ended without its steps.
 */
export function runOf(address: RunAddress, records: EventRecords | undefined, brief = false): RunRecord {
  const { settlement, checkpoint, begin, intervention } = records ?? noRecords()
  const isMine = (row: Row) => textIn(row, 'tag') === address.tag
  const settlements = settlement.filter(isMine)
  const latest = settlements.at(-1)
  const state = latest && stateOf(latest)
  if (brief && state && isTerminal(state.status)) {
    return { ...address, state, checkpoints: [], begins: [], interventions: [], tried: [] }
  }
  const generation = state?.generation ?? 1
  const isOfGeneration = (row: Row) => isMine(row) && numberIn(row, 'generation') === generation
  const checkpoints = checkpoint.filter(isOfGeneration).map(checkpointOf)
  const kept = new Set(checkpoints.map(({ step }) => stepText(step)))
  return {
    ...address,
    state,
    checkpoints,
    begins: begin.filter(isOfGeneration).map(beginOf),
    interventions: intervention.filter(isMine).map(interventionOf),
    tried: triedOf(settlements, generation).filter(({ step }) => !kept.has(stepText(step))),
  }
}

function settledOf(row: Row): HistoryEntry {
  const rest = settleRestOf(row)
  return {
    kind: 'settled',
    tag: textIn(row, 'tag'),
    at: numberIn(row, 'at'),
    handler: textIn(row, 'handler'),
    state: stateOf(row, rest),
    attemptedAt: optionalNumberIn(row, 'attempted_at'),
    intervention: rest.intervention,
    epoch: numberIn(row, 'epoch'),
  }
}

function repeatOf(row: Row): HistoryEntry {
  return {
    kind: textIn(row, 'kind') === 'duplicate' ? 'duplicate' : 'conflict',
    at: numberIn(row, 'at'),
    id: textIn(row, 'id'),
    reason: optionalTextIn(row, 'reason'),
    fingerprint: fingerprintOf(row),
  }
}

/** A row that was sent as JSON, in a column of that name. */
export function jsonRow({ row }: Row): Row {
  return typeof row === 'object' && row !== null ? withKeys({ ...row }) : {}
}

/** As JSON, a row's keys are still uuids. */
export function withKeys(row: Row): Row {
  for (const column of ['key', 'event', 'repeated_by']) {
    const value = row[column]
    if (typeof value === 'string') row[column] = keyOfUuid(value)
  }
  return row
}

function bySequence(one: Row, other: Row): number {
  return sequenceOf(one) - sequenceOf(other)
}

function sequenceOf(row: Row): number {
  return optionalNumberIn(row, 'seq') ?? numberIn(row, 'position')
}

function noRecords(): EventRecords {
  return { settlement: [], checkpoint: [], begin: [], intervention: [], repeat: [] }
}
