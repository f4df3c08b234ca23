import { HapaxError } from '../../errors/hapax-error.ts'
import type { EventRecord } from '../../event/event.ts'
import { type RunState, stepText } from '../../event/run.ts'
import { isTerminal } from '../../event/run-status.ts'
import type { RunRecord, TriedStep } from '../store.ts'
import { interventionOf } from './intervene.ts'
import type { EventEntry, MemoryState, RunEntry } from './state.ts'

/** The event as it is kept; bytes are the reader's own. */
export function eventOf(entry: EventEntry & { position: number }): EventRecord {
  return { ...entry.event, position: entry.position, body: entry.body?.slice() }
}

/** The state that the latest settlement left. */
export function stateOf(run: RunEntry | undefined): RunState | undefined {
  return run?.settlements.at(-1)?.item.state
}

/** All that a run left, of the generation that it is in. */
export function runOf(entry: EventEntry & { position: number }, tag: string): RunRecord {
  const run = entry.runs.get(tag)
  const state = stateOf(run)
  const generation = state?.generation ?? 1
  const checkpoints = (run?.checkpoints ?? [])
    .map(({ record }) => record)
    .filter((one) => one.generation === generation)
  const done = new Set(checkpoints.map(({ step }) => stepText(step)))
  return {
    event: entry.event.key,
    position: entry.position,
    tag,
    state,
    checkpoints,
    begins: (run?.begins ?? [])
      .filter((one) => one.generation === generation)
      .map(({ epoch: _epoch, ...begin }) => begin),
    interventions: entry.interventions.filter(({ item }) => item.tag === tag).map(interventionOf),
    tried: triedOf(run, generation).filter(({ step }) => !done.has(stepText(step))),
  }
}

/** The same; a run whose generation has ended without its steps. */
export function briefRunOf(entry: EventEntry & { position: number }, tag: string): RunRecord {
  const run = runOf(entry, tag)
  if (!run.state || !isTerminal(run.state.status)) return run
  return { ...run, checkpoints: [], begins: [], interventions: [], tried: [] }
}

/** A later settlement's entry for a step replaces an earlier one. */
function triedOf(run: RunEntry | undefined, generation: number): TriedStep[] {
  const tried = new Map<string, TriedStep>()
  for (const { item } of run?.settlements ?? []) {
    if (item.state.generation !== generation) continue
    for (const step of item.tried ?? []) tried.set(stepText(step.step), step)
  }
  return [...tried.values()]
}

/** The number in a page cursor. */
export function cursorNumber(cursor: string | undefined): number {
  if (cursor === undefined) return Number.POSITIVE_INFINITY
  const number = Number(cursor)
  if (!/^\d{1,15}$/.test(cursor)) throw new HapaxError('invalid_cursor')
  return number
}

/** All events that their shards know of. */
export function allEvents(state: MemoryState): (EventEntry & { position: number })[] {
  return state.shardEvents
    .flat()
    .filter((entry): entry is EventEntry & { position: number } => entry.position !== undefined)
}
