import type { AcceptAnswer, AcceptItem } from '../store.ts'
import { handOver } from './hand-over.ts'
import { type EventEntry, identityText, type Known, type MemoryState, textOf } from './state.ts'

/** Judges one accept by its key, then its identity, then, where the id is not signed, its content (G2). */
export function accept(state: MemoryState, item: AcceptItem): AcceptAnswer {
  const now = state.clock.now()
  const before = state.events.get(item.key)
  if (before) return accepted(state, before.event.acceptedAt, before.position)
  const known = state.known(item)
  if (known?.key === item.key) return accepted(state, known.acceptedAt, undefined)
  if (known && (item.windowMs === undefined || now - known.acceptedAt <= item.windowMs))
    return repeat(state, item, known)
  const twin = sameContent(state, item, now)
  if (twin) return { ...repeat(state, item, twin, 'same_signed_content'), reason: 'same_signed_content' }
  const entry = insert(state, item, now)
  return accepted(state, now, entry.position)
}

/** Where the shard learns of events later, no answer ever names a position: asked again, it would differ. */
function accepted(state: MemoryState, acceptedAt: number, position: number | undefined): AcceptAnswer {
  return { outcome: 'accepted', acceptedAt, position: state.acceptSpans ? position : undefined }
}

function sameContent(state: MemoryState, item: AcceptItem, now: number): Known | undefined {
  const { contentWindowMs } = item
  if (contentWindowMs === undefined) return undefined
  return item.fingerprints
    .map((fingerprint) => state.contents.get(contentText(item, fingerprint)))
    .find((known) => known !== undefined && now - known.acceptedAt <= contentWindowMs)
}

function contentText(item: AcceptItem, fingerprint: AcceptItem['fingerprints'][0]): string {
  return textOf(item.tenant, item.source, String(fingerprint.keyId), fingerprint.hash)
}

function insert(state: MemoryState, item: AcceptItem, now: number): EventEntry {
  const { fingerprints, windowMs: _window, contentWindowMs, unclaimed, handedTo, body, ...given } = item
  const [fingerprint] = fingerprints
  const entry: EventEntry = {
    event: { ...given, headers: { ...given.headers }, fingerprint, acceptedAt: now },
    body: body.slice(),
    position: undefined,
    unclaimed,
    handedTo,
    repeats: new Map(),
    runs: new Map(),
    interventions: [],
    history: [() => ({ kind: 'accepted', at: now, event: item.key })],
  }
  const { tenant, source, id } = item
  const known = { key: item.key, acceptedAt: now, fingerprint, identity: { tenant, source, id } }
  state.events.set(item.key, entry)
  state.ledger.set(identityText(item), [...(state.ledger.get(identityText(item)) ?? []), known])
  if (contentWindowMs !== undefined) state.contents.set(contentText(item, fingerprint), known)
  handOver(state, entry)
  return entry
}

/** Leaves the repeat on record at the original, once for each key; where retention dropped it there is no journal. */
function repeat(
  state: MemoryState,
  item: AcceptItem,
  known: Known,
  reason?: 'same_signed_content',
): Extract<AcceptAnswer, { outcome: 'duplicate' | 'conflict' }> {
  const same =
    reason !== undefined ||
    item.fingerprints.some(({ keyId, hash }) => keyId === known.fingerprint.keyId && hash === known.fingerprint.hash)
  const outcome = same ? 'duplicate' : 'conflict'
  const original = state.events.get(known.key)
  if (original && !original.repeats.has(item.key)) {
    const at = state.clock.now()
    const { id, fingerprints } = item
    original.repeats.set(item.key, outcome)
    original.history.push(() => ({ kind: outcome, at, id, reason, fingerprint: fingerprints[0] }))
  }
  return { outcome, original: known.key, acceptedAt: known.acceptedAt }
}
