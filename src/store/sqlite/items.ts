import { stepText } from '../../event/run.ts'
import { runStatuses } from '../../event/run-status.ts'
import { identityHash } from '../sql/identity-hash.ts'
import { beginAddress, checkpointRest, eventFlags, eventRest, settleRest } from '../sql/rest.ts'
import type {
  AcceptItem,
  AnswerItem,
  BeginItem,
  CheckpointItem,
  Commit,
  InterveneItem,
  RejectItem,
  SettleItem,
} from '../store.ts'
import { type Wire, WireReader, WireWriter } from './wire.ts'

/** An accept as its rows need it. */
export interface AcceptRow {
  readonly key: string
  readonly shard: number
  readonly identity: string
  readonly tenant: string
  readonly source: string
  readonly id: string
  readonly type: string
  readonly registryVersion: number
  readonly flags: number
  readonly contentType: string
  readonly orderKey: string | null
  readonly rest: string | null
  readonly windowMs: number | null
  readonly contentWindowMs: number | null
  readonly fingerprints: readonly { readonly keyId: number; readonly hash: string }[]
  readonly body: Uint8Array
}

/** The pair under whose epoch a decision was made. */
export interface FencedRow {
  readonly group: string
  readonly shard: number
  readonly epoch: number
  readonly position: number
  readonly tag: string
  readonly generation: number
  readonly attempt: number
}

export interface BeginRow extends FencedRow {
  readonly step: string
  readonly address: string | null
  readonly at: number
}

export interface CheckpointRow extends FencedRow {
  readonly step: string
  readonly value: string | null
  readonly rest: string
  readonly emits: readonly AcceptRow[]
}

export interface SettleRow extends FencedRow {
  readonly turn: number
  readonly status: number
  readonly since: number
  readonly dueAt: number | null
  readonly seenIntervention: number
  readonly attemptedAt: number | null
  readonly handler: string
  readonly handlerVersion: string | null
  readonly result: string | null
  readonly rest: string | null
}

export interface AnswerRow {
  readonly group: string
  readonly shard: number
  readonly epoch: number
  readonly intervention: string
  readonly outcome: string
  readonly reason: string | null
}

/** A commit as the writer reads it. */
export interface CommitRows {
  readonly accept: readonly AcceptRow[]
  readonly intervene: readonly InterveneItem[]
  readonly begin: readonly BeginRow[]
  readonly checkpoint: readonly CheckpointRow[]
  readonly settle: readonly SettleRow[]
  readonly answer: readonly AnswerRow[]
  readonly reject: readonly RejectItem[]
}

/** Packs a commit for the writer's thread. */
export function packCommit(batch: Commit): Wire {
  const wire = new WireWriter()
  putList(wire, batch.accept, putAccept)
  putList(wire, batch.intervene, (to, item) => to.put(JSON.stringify(item)))
  putList(wire, batch.begin, putBegin)
  putList(wire, batch.checkpoint, putCheckpoint)
  putList(wire, batch.settle, putSettle)
  putList(wire, batch.answer, putAnswer)
  putList(wire, batch.reject, (to, item) => to.put(JSON.stringify(item)))
  return wire.end()
}

export function unpackCommit(wire: Wire): CommitRows {
  const reader = new WireReader(wire)
  return {
    accept: reader.list(readAccept),
    intervene: reader.list(readJson<InterveneItem>),
    begin: reader.list(readBegin),
    checkpoint: reader.list(readCheckpoint),
    settle: reader.list(readSettle),
    answer: reader.list(readAnswer),
    reject: reader.list(readJson<RejectItem>),
  }
}

/** The rows of one accept, without the way between threads. */
export function acceptRow(item: AcceptItem): AcceptRow {
  const wire = new WireWriter()
  putAccept(wire, item)
  return readAccept(new WireReader(wire.end()))
}

/** The row of one checkpoint, without the way between threads. */
export function checkpointRow(item: CheckpointItem): CheckpointRow {
  const wire = new WireWriter()
  putCheckpoint(wire, item)
  return readCheckpoint(new WireReader(wire.end()))
}

function putList<Item>(
  wire: WireWriter,
  items: readonly Item[] | undefined,
  put: (wire: WireWriter, item: Item) => void,
): void {
  wire.put(items?.length ?? 0)
  for (const item of items ?? []) put(wire, item)
}

function readJson<Item>(reader: WireReader): Item {
  const item: Item = JSON.parse(reader.text())
  return item
}

function putAccept(wire: WireWriter, item: AcceptItem): void {
  wire.put(item.key)
  wire.put(item.shard)
  wire.word(item.tenant)
  wire.word(item.source)
  wire.put(item.id)
  wire.word(item.type)
  wire.put(item.registryVersion)
  wire.put((item.idSigned ? eventFlags.idSigned : 0) | (item.unclaimed ? eventFlags.unclaimed : 0))
  wire.word(item.contentType)
  wire.put(item.orderKey)
  wire.put(eventRest(item))
  wire.put(item.windowMs)
  wire.put(item.contentWindowMs)
  wire.put(item.fingerprints.length)
  for (const fingerprint of item.fingerprints) {
    wire.put(fingerprint.keyId)
    wire.put(fingerprint.hash)
  }
  wire.bytes(item.body)
}

function readAccept(reader: WireReader): AcceptRow {
  const key = reader.text()
  const shard = reader.number()
  const tenant = reader.word()
  const source = reader.word()
  const id = reader.text()
  return {
    key,
    shard,
    // By the thread that has time: the one that hands over has a microsecond less to do.
    identity: identityHash({ tenant, source, id }),
    tenant,
    source,
    id,
    type: reader.word(),
    registryVersion: reader.number(),
    flags: reader.number(),
    contentType: reader.word(),
    orderKey: reader.textOrNull(),
    rest: reader.textOrNull(),
    windowMs: reader.numberOrNull(),
    contentWindowMs: reader.numberOrNull(),
    fingerprints: reader.list((from) => ({ keyId: from.number(), hash: from.text() })),
    body: reader.bytes(),
  }
}

function putFence(wire: WireWriter, item: BeginItem | CheckpointItem): void {
  wire.word(item.owned.group)
  wire.put(item.owned.shard)
  wire.put(item.owned.epoch)
  wire.put(item.run.position)
  wire.word(item.run.tag)
  wire.put(item.generation)
  wire.put(item.attempt)
}

function readFence(reader: WireReader): FencedRow {
  return {
    group: reader.word(),
    shard: reader.number(),
    epoch: reader.number(),
    position: reader.number(),
    tag: reader.word(),
    generation: reader.number(),
    attempt: reader.number(),
  }
}

function putBegin(wire: WireWriter, item: BeginItem): void {
  putFence(wire, item)
  wire.word(item.step ? stepText(item.step) : '')
  wire.put(beginAddress(item))
  wire.put(item.at)
}

function readBegin(reader: WireReader): BeginRow {
  return { ...readFence(reader), step: reader.word(), address: reader.textOrNull(), at: reader.number() }
}

function putCheckpoint(wire: WireWriter, item: CheckpointItem): void {
  putFence(wire, item)
  wire.word(stepText(item.step))
  wire.put(item.value)
  wire.put(checkpointRest(item))
  putList(wire, item.emits, putAccept)
}

function readCheckpoint(reader: WireReader): CheckpointRow {
  return {
    ...readFence(reader),
    step: reader.word(),
    value: reader.textOrNull(),
    rest: reader.text(),
    emits: reader.list(readAccept),
  }
}

function putSettle(wire: WireWriter, item: SettleItem): void {
  const { owned, run, state } = item
  wire.word(owned.group)
  wire.put(owned.shard)
  wire.put(owned.epoch)
  wire.put(run.position)
  wire.word(run.tag)
  wire.put(state.generation)
  wire.put(state.attempt)
  wire.put(state.turn)
  wire.put(runStatuses.indexOf(state.status))
  wire.put(state.since)
  wire.put(state.dueAt)
  wire.put(state.seenIntervention)
  wire.put(item.attemptedAt)
  wire.word(item.handler)
  wire.put(state.handlerVersion)
  wire.put(state.result)
  wire.put(settleRest(item))
}

function readSettle(reader: WireReader): SettleRow {
  return {
    ...readFence(reader),
    turn: reader.number(),
    status: reader.number(),
    since: reader.number(),
    dueAt: reader.numberOrNull(),
    seenIntervention: reader.number(),
    attemptedAt: reader.numberOrNull(),
    handler: reader.word(),
    handlerVersion: reader.textOrNull(),
    result: reader.textOrNull(),
    rest: reader.textOrNull(),
  }
}

function putAnswer(wire: WireWriter, item: AnswerItem): void {
  wire.put(item.owned.group)
  wire.put(item.owned.shard)
  wire.put(item.owned.epoch)
  wire.put(item.intervention)
  wire.put(item.outcome)
  wire.put(item.reason)
}

function readAnswer(reader: WireReader): AnswerRow {
  return {
    group: reader.text(),
    shard: reader.number(),
    epoch: reader.number(),
    intervention: reader.text(),
    outcome: reader.text(),
    reason: reader.textOrNull(),
  }
}
