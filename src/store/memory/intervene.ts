import type {
  AnswerItem,
  FencedAnswer,
  InterveneAnswer,
  InterveneItem,
  InterventionRecord,
  RejectItem,
} from '../store.ts'
import { arrived } from './hand-over.ts'
import { type InterventionEntry, type MemoryState, textOf } from './state.ts'

/** What a person or a caller asks: kept without an epoch, judged by the owner later. */
export function intervene(state: MemoryState, item: InterveneItem): InterveneAnswer {
  const before = state.interventions.get(item.key)?.interventions.find((one) => one.item.key === item.key)
  if (before) return { outcome: 'written', position: before.position }
  const entry = arrived(state, item.event)
  if (!entry) return { outcome: 'not_found' }
  const twin = entry.interventions.find(
    (one) =>
      item.id !== undefined && one.item.id === item.id && one.item.verb === item.verb && one.item.tag === item.tag,
  )
  if (twin) return { outcome: 'duplicate', original: twin.item.key }
  const written = { item, position: state.next(), at: state.clock.now(), answer: undefined }
  entry.interventions.push(written)
  state.interventions.set(item.key, entry)
  entry.history.push(() => ({ kind: 'intervention', ...interventionOf(written) }))
  return { outcome: 'written', position: written.position }
}

/** The owner's judgement; the first stays. */
export function answer(state: MemoryState, item: AnswerItem): FencedAnswer {
  if (!state.holds(item.owned)) return 'stale'
  const entry = state.interventions.get(item.intervention)
  const asked = entry?.interventions.find((one) => one.item.key === item.intervention)
  if (asked) asked.answer ??= { outcome: item.outcome, reason: item.reason }
  return 'written'
}

/** Counts what was turned away. */
export function reject(state: MemoryState, item: RejectItem): void {
  const { source, code, count } = item
  const name = textOf(source, code)
  state.rejected.set(name, { source, code, count: count + (state.rejected.get(name)?.count ?? 0) })
}

/** The record of an intervention. */
export function interventionOf({ item, position, at, answer: answered }: InterventionEntry): InterventionRecord {
  return { ...item, position, at, answer: answered }
}
