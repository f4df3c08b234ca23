import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord, Fingerprint } from '../../event/event.ts'
import { type RunState, type StepAddress, stepText } from '../../event/run.ts'
import { type RunStatus, runStatuses } from '../../event/run-status.ts'
import type { BeginRecord, CheckpointRecord, InterventionRecord, LedgerEntry, TriedStep, Verb } from '../store.ts'
import { numberIn, optionalTextIn, textIn } from './columns.ts'
import { type CheckpointRest, type EventRest, eventFlags, type SettleRest } from './rest.ts'

/** A row as a driver gives it: numbers as numbers, bytes as a `Uint8Array`. */
export type Row = Record<string, unknown>

/** An event from its row joined with `body.bytes`; without the join, it has no body. */
export function eventOf(row: Row): EventRecord {
  const text = optionalTextIn(row, 'rest')
  const rest: EventRest = text === undefined ? {} : JSON.parse(text)
  const flags = numberIn(row, 'flags')
  return {
    key: textIn(row, 'key'),
    position: numberIn(row, 'position'),
    shard: numberIn(row, 'shard'),
    tenant: textIn(row, 'tenant'),
    source: textIn(row, 'source'),
    id: textIn(row, 'id'),
    idSigned: (flags & eventFlags.idSigned) !== 0,
    type: textIn(row, 'type'),
    subject: rest.subject,
    time: rest.time,
    contentType: textIn(row, 'content_type'),
    orderKey: optionalTextIn(row, 'order_key'),
    fingerprint: keptFingerprintOf(row),
    registryVersion: numberIn(row, 'registry_version'),
    acceptedAt: numberIn(row, 'accepted_at'),
    headers: rest.headers ?? {},
    body: row.bytes instanceof Uint8Array ? row.bytes : undefined,
    ...((flags & eventFlags.unparsed) === 0 ? {} : { unparsed: true as const }),
  }
}

/** An event's own; key 0 stands for none yet. */
function keptFingerprintOf(row: Row): Fingerprint | undefined {
  return numberIn(row, 'fingerprint_key') === 0 ? undefined : fingerprintOf(row)
}

/** The fingerprint in a row. */
export function fingerprintOf(row: Row): Fingerprint {
  return { keyId: numberIn(row, 'fingerprint_key'), hash: textIn(row, 'fingerprint') }
}

/** What a settlement has beyond its columns. */
export function settleRestOf(row: Row): SettleRest {
  const text = optionalTextIn(row, 'rest')
  return text === undefined ? {} : JSON.parse(text)
}

/** The state that a settlement left. */
export function stateOf(row: Row, rest: SettleRest = settleRestOf(row)): RunState {
  return {
    status: statusOf(numberIn(row, 'status')),
    reason: rest.reason,
    since: numberIn(row, 'since'),
    generation: numberIn(row, 'generation'),
    turn: numberIn(row, 'turn'),
    attempt: numberIn(row, 'attempt'),
    failures: rest.failures ?? 0,
    losses: rest.losses ?? 0,
    dueAt: rest.dueAt,
    waitingFor: rest.waitingFor,
    result: optionalTextIn(row, 'result'),
    error: rest.error,
    undoBegun: rest.undoBegun ?? false,
    keySeries: rest.keySeries ?? 0,
    failuresInAll: rest.failuresInAll ?? 0,
    handlerVersion: optionalTextIn(row, 'handler_version'),
    seenIntervention: rest.seenIntervention ?? 0,
    openedAt: rest.openedAt,
    ...(rest.place === undefined ? {} : { place: rest.place }),
    ...(rest.dependency === undefined ? {} : { dependency: rest.dependency }),
    ...(rest.failing === undefined ? {} : { failing: rest.failing }),
  }
}

/** The status of this number. */
export function statusOf(number: number): RunStatus {
  const status = runStatuses[number]
  if (!status) throw new HapaxError('store_unavailable', { reason: 'a run status is not known: the store is damaged' })
  return status
}

/** A checkpoint from its row. */
export function checkpointOf(row: Row): CheckpointRecord {
  const rest: CheckpointRest = JSON.parse(textIn(row, 'rest'))
  const value = optionalTextIn(row, 'value')
  return {
    ...rest,
    generation: numberIn(row, 'generation'),
    attempt: numberIn(row, 'attempt'),
    epoch: numberIn(row, 'epoch'),
    order: numberIn(row, 'seq'),
    ...(value === undefined ? {} : { value }),
  }
}

/** A begin from its row. */
export function beginOf(row: Row): BeginRecord {
  const text = optionalTextIn(row, 'address')
  const attempt = {
    generation: numberIn(row, 'generation'),
    attempt: numberIn(row, 'attempt'),
    at: numberIn(row, 'at'),
  }
  if (text === undefined) return { ...attempt, step: undefined }
  const { kind, name, of, ...safety }: StepAddress & Pick<BeginRecord, 'undoable' | 'guard'> = JSON.parse(text)
  return { ...attempt, step: { kind, name, of }, ...safety }
}

/** An intervention from its row. */
export function interventionOf(row: Row): InterventionRecord {
  const id = optionalTextIn(row, 'id')
  const name = optionalTextIn(row, 'name')
  const reason = optionalTextIn(row, 'reason')
  const answer = optionalTextIn(row, 'answer')
  return {
    key: textIn(row, 'key'),
    event: textIn(row, 'event'),
    tag: textIn(row, 'tag'),
    verb: verbOf(textIn(row, 'verb')),
    detail: textIn(row, 'detail'),
    actor: textIn(row, 'actor'),
    position: numberIn(row, 'position'),
    at: numberIn(row, 'at'),
    answer:
      answer === undefined
        ? undefined
        : { outcome: answer === 'applied' ? 'applied' : 'refused', reason: optionalTextIn(row, 'answer_reason') },
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(reason === undefined ? {} : { reason }),
  }
}

const verbs: readonly Verb[] = ['signal', 'cancel', 'retry', 'replay', 'resolve', 'redrive']

function verbOf(text: string): Verb {
  const verb = verbs.find((known) => known === text)
  if (!verb) throw new HapaxError('store_unavailable', { reason: 'a verb is not known: the store is damaged' })
  return verb
}

/** Steps that a generation's settlements name as tried: a later entry for a step replaces an earlier one. */
export function triedOf(settlements: readonly Row[], generation: number): TriedStep[] {
  const tried = new Map<string, TriedStep>()
  for (const row of settlements) {
    if (numberIn(row, 'generation') !== generation || row.rest === null) continue
    for (const step of settleRestOf(row).tried ?? []) tried.set(stepText(step.step), step)
  }
  return [...tried.values()]
}

/** What the ledger has of an identity, from the row of its event. */
export function ledgerEntryOf(row: Row): LedgerEntry {
  return { key: textIn(row, 'key'), acceptedAt: numberIn(row, 'accepted_at'), fingerprint: keptFingerprintOf(row) }
}
