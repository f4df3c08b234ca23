import { isDeepStrictEqual } from 'node:util'
import type { RunState } from '../../event/run.ts'
import { isTerminal } from '../../event/run-status.ts'
import type { BeginItem, CheckpointAnswer, CheckpointItem, FencedAnswer, SettleAnswer, SettleItem } from '../store.ts'
import { accept } from './accept.ts'
import { arrived } from './hand-over.ts'
import { isSameStep, type MemoryState, type RunEntry } from './state.ts'

/** What has begun is on record. */
export function begin(state: MemoryState, item: BeginItem): FencedAnswer {
  const { owned, run: address, generation, attempt, step, at, undoable, guard } = item
  const entry = arrived(state, address.event)
  const before = entry?.runs
    .get(address.tag)
    ?.begins.find((one) => one.generation === generation && one.attempt === attempt && isSameStep(one.step, step))
  if (before?.epoch === owned.epoch) return 'written'
  if (!state.holds(owned) || !entry) return 'stale'
  if (before) return 'written'
  const record = { generation, attempt, step, at, ...(undoable && { undoable }), ...(guard && { guard }) }
  state.next()
  state.run(entry, address.tag).begins.push({ ...record, epoch: owned.epoch })
  entry.history.push(() => ({ kind: 'begin', tag: address.tag, ...record }))
  return 'written'
}

/** A step's result is written once (G3), with the events that it emits or not at all. */
export function checkpoint(state: MemoryState, item: CheckpointItem): CheckpointAnswer {
  const { owned, run: address, emits = [], ...result } = item
  const entry = arrived(state, address.event)
  const before = entry?.runs
    .get(address.tag)
    ?.checkpoints.find(({ record }) => record.generation === item.generation && isSameStep(record.step, item.step))
  if (before && !before.carried && before.record.attempt === item.attempt && before.record.epoch === owned.epoch) {
    return { outcome: 'written' }
  }
  if (!state.holds(owned) || !entry) return { outcome: 'stale' }
  if (before) return { outcome: 'refused', checkpoint: before.record }
  const record = { ...result, epoch: owned.epoch, order: state.next() }
  const at = state.clock.now()
  state.run(entry, address.tag).checkpoints.push({ record, carried: false })
  entry.history.push(() => ({ kind: 'checkpoint', tag: address.tag, at, ...record }))
  for (const emitted of emits) accept(state, emitted)
  if (emits.length > 0) state.hint()
  return { outcome: 'written' }
}

/** A run's next state and its journal entry, in one record. */
export function settle(state: MemoryState, item: SettleItem): SettleAnswer {
  const { owned, run: address, state: next } = item
  const entry = arrived(state, address.event)
  const settlements = entry?.runs.get(address.tag)?.settlements ?? []
  if (settlements.some((one) => isDeepStrictEqual(one.item, item))) return 'settled'
  if (!state.holds(owned) || !entry) return 'stale'
  const latest = settlements.at(-1)?.item.state
  if (latest && isPassed(next, latest)) return 'finished'
  const unseen = (one: (typeof entry.interventions)[number]) =>
    one.item.tag === address.tag && one.position > next.seenIntervention
  if (entry.interventions.some(unseen)) return 'look_again'
  const run = state.run(entry, address.tag)
  if (next.generation > (latest?.generation ?? 1)) carryCheckpoints(run, item, latest?.generation ?? 1)
  const at = state.clock.now()
  run.settlements.push({ item, at, order: state.next() })
  entry.unclaimed = false
  entry.history.push(() => ({
    kind: 'settled',
    tag: address.tag,
    at,
    handler: item.handler,
    state: next,
    attemptedAt: item.attemptedAt,
    intervention: item.intervention,
    epoch: owned.epoch,
  }))
  return 'settled'
}

/** Whether the generation has ended, or another settlement has this turn or a later one. */
function isPassed(next: RunState, latest: RunState): boolean {
  if (next.generation !== latest.generation) return next.generation < latest.generation
  return isTerminal(latest.status) || next.turn <= latest.turn
}

/** A generation begins with the checkpoints that it keeps: write-once is then judged within one generation. */
function carryCheckpoints(run: RunEntry, item: SettleItem, from: number): void {
  const keep = item.keepCheckpoints ?? 'all'
  if (keep === 'none') return
  const { generation } = item.state
  const former = run.checkpoints.filter(({ record }) => record.generation === from)
  const cut = keep === 'all' ? -1 : former.findIndex(({ record }) => isSameStep(record.step, keep.before))
  const kept = cut < 0 ? former : former.slice(0, cut)
  for (const { record } of kept) run.checkpoints.push({ record: { ...record, generation }, carried: true })
}
