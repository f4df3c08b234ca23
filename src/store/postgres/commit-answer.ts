import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventKey } from '../../event/event-key.ts'
import type { RunStatus } from '../../event/run-status.ts'
import { numberIn } from '../sql/columns.ts'
import { checkpointOf, type Row, statusOf } from '../sql/rows.ts'
import type {
  AcceptAnswer,
  CheckpointAnswer,
  Commit,
  CommitResult,
  FencedAnswer,
  InterveneAnswer,
  SettleAnswer,
} from '../store.ts'
import { keyOfUuid } from './key-bytes.ts'

/** What `commit_2` says of an accept that is not plainly accepted. */
interface OtherAccept {
  readonly i: number
  readonly o: 'a' | 'd' | 'c' | 'f' | 'u'
  readonly at: number
  readonly p?: number
  readonly k?: string
  readonly r?: 'same_signed_content' | null
}

/**
 * Repeats that were told together: lists in one order, places from 1. An object for each took the server 2.6 µs more of a
 * repeat.
 */
interface ToldRepeats {
  readonly places: readonly number[]
  /** Whether the fingerprint is the first event's. */
  readonly same: readonly boolean[]
  readonly keys: readonly string[]
  readonly at: readonly number[]
  /** What runs of the first events had come to: place, tag, status; null: nothing was settled. */
  readonly settled: readonly (readonly [place: number, tag: string, status: number])[] | null
}

/** The answers of a commit: of what went well the statement says nothing. */
export function commitAnswer(batch: Commit, row: Row): CommitResult {
  const now = numberIn(row, 'now')
  const first = numberIn(row, 'first_number')
  const accept = (batch.accept ?? []).map((_item, index): AcceptAnswer => {
    return { outcome: 'accepted', acceptedAt: now, position: first + index }
  })
  for (const other of listIn<OtherAccept | ToldRepeats>(row, 'accept')) {
    if ('places' in other) tellAll(other, accept)
    else accept[other.i] = acceptAnswer(other)
  }
  const begin = (batch.begin ?? []).map((): FencedAnswer => 'written')
  for (const index of listIn<number>(row, 'begin_')) begin[index] = 'stale'
  const checkpoint = (batch.checkpoint ?? []).map((): CheckpointAnswer => ({ outcome: 'written' }))
  for (const { i, c } of listIn<{ readonly i: number; readonly c: Row | null }>(row, 'checkpoint')) {
    checkpoint[i] = c ? { outcome: 'refused', checkpoint: checkpointOf(c) } : { outcome: 'stale' }
  }
  const settle = (batch.settle ?? []).map((): SettleAnswer => 'settled')
  for (const { i, o } of listIn<{ readonly i: number; readonly o: SettleAnswer }>(row, 'settle')) settle[i] = o
  const answer = (batch.answer ?? []).map((): FencedAnswer => 'written')
  for (const index of listIn<number>(row, 'answer')) answer[index] = 'stale'
  return {
    accept,
    begin,
    checkpoint,
    settle,
    answer,
    intervene: listIn<{ readonly o: string; readonly p?: number; readonly k?: string }>(row, 'intervene').map(
      ({ o, p = 0, k }): InterveneAnswer => {
        if (o === 'w') return { outcome: 'written', position: p }
        return k === undefined ? { outcome: 'not_found' } : { outcome: 'duplicate', original: keyOfUuid(k) }
      },
    ),
  }
}

function tellAll({ places, same, keys, at, settled }: ToldRepeats, accept: AcceptAnswer[]): void {
  const statuses = new Map(places.map((place) => [place, {} as Record<string, RunStatus>]))
  for (const [place, tag, status] of settled ?? []) {
    const ofPlace = statuses.get(place)
    if (ofPlace) ofPlace[tag] = statusOf(status)
  }
  for (const [index, place] of places.entries()) {
    accept[place - 1] = {
      outcome: same[index] ? 'duplicate' : 'conflict',
      original: keyOfUuid(keys[index] ?? ''),
      acceptedAt: at[index] ?? 0,
      statuses: statuses.get(place) ?? {},
    }
  }
}

function acceptAnswer({ o, at, p, k, r }: OtherAccept): AcceptAnswer {
  if (o === 'f') return { outcome: 'in_flight' }
  if (o === 'a') return { outcome: 'accepted', acceptedAt: at, position: p }
  const original: EventKey = keyOfUuid(k ?? '')
  if (o === 'u') return { outcome: 'unfingerprinted', original }
  const outcome = o === 'd' ? 'duplicate' : 'conflict'
  return {
    outcome,
    original,
    acceptedAt: at,
    ...(r ? { reason: r } : {}),
  }
}

/** A list that the statement answers as JSON; null where there is nothing to say. */
function listIn<Item>(row: Row, column: string): readonly Item[] {
  const value = row[column]
  if (value === null) return []
  if (!Array.isArray(value)) throw new HapaxError('store_unavailable', { reason: `a commit answered no ${column}` })
  return value
}
