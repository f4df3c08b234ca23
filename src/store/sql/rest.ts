import type { AcceptItem, BeginItem, CheckpointItem, SettleItem } from '../store.ts'

/** Bits of `event.flags`. */
export const eventFlags = { idSigned: 1, unclaimed: 2, unparsed: 4 } as const

/** What an event has beyond its columns: rarely there, never searched. */
export interface EventRest {
  readonly subject?: string
  readonly time?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The same as text; null where it has none. */
export function eventRest(item: AcceptItem): string | null {
  for (const _ in item.headers) return JSON.stringify({ subject: item.subject, time: item.time, headers: item.headers })
  if (item.subject === undefined && item.time === undefined) return null
  return JSON.stringify({ subject: item.subject, time: item.time })
}

/** What a checkpoint has beyond its columns. */
export type CheckpointRest = Pick<
  CheckpointItem,
  'step' | 'error' | 'until' | 'signal' | 'startedAt' | 'endedAt' | 'firstTriedAt' | 'undoable'
>

/** The same as text. */
export function checkpointRest(item: CheckpointItem): string {
  const { step, error, until, signal, startedAt, endedAt, firstTriedAt, undoable } = item
  if (error === undefined && until === undefined && signal === undefined && undoable === undefined) {
    // What nearly all have: by itself JSON.stringify takes three times as long for it.
    return `{"step":${JSON.stringify(step)},"startedAt":${startedAt},"endedAt":${endedAt},"firstTriedAt":${firstTriedAt}}`
  }
  return JSON.stringify({ step, error, until, signal, startedAt, endedAt, firstTriedAt, undoable })
}

/** Where a begun step stands, with what guards it, as text; null for the attempt itself. */
export function beginAddress(item: BeginItem): string | null {
  return item.step ? JSON.stringify({ ...item.step, undoable: item.undoable, guard: item.guard }) : null
}

/** What a settlement has beyond its columns: nothing, where all went well. */
export type SettleRest = Partial<
  Pick<
    SettleItem['state'],
    | 'reason'
    | 'failures'
    | 'failuresInAll'
    | 'losses'
    | 'dueAt'
    | 'waitingFor'
    | 'error'
    | 'undoBegun'
    | 'keySeries'
    | 'seenIntervention'
    | 'openedAt'
    | 'place'
    | 'dependency'
    | 'failing'
  >
> &
  Pick<SettleItem, 'intervention' | 'tried' | 'keepCheckpoints'>

/** The same as text. A run that went well has none of it: its row stays narrow. */
export function settleRest(item: SettleItem): string | null {
  const { state } = item
  const plain =
    state.reason === undefined &&
    state.failures === 0 &&
    state.failuresInAll === 0 &&
    state.losses === 0 &&
    state.dueAt === undefined &&
    state.waitingFor === undefined &&
    state.error === undefined &&
    !state.undoBegun &&
    state.keySeries === 0 &&
    state.seenIntervention === 0 &&
    state.openedAt === undefined &&
    state.place === undefined &&
    state.dependency === undefined &&
    state.failing === undefined &&
    item.intervention === undefined &&
    item.tried === undefined &&
    item.keepCheckpoints === undefined
  if (plain) return null
  const rest: { [Name in keyof SettleRest]: SettleRest[Name] | undefined } = {
    reason: state.reason,
    failures: state.failures || undefined,
    failuresInAll: state.failuresInAll || undefined,
    losses: state.losses || undefined,
    dueAt: state.dueAt,
    waitingFor: state.waitingFor,
    error: state.error,
    undoBegun: state.undoBegun || undefined,
    keySeries: state.keySeries || undefined,
    seenIntervention: state.seenIntervention || undefined,
    openedAt: state.openedAt,
    place: state.place,
    dependency: state.dependency,
    failing: state.failing,
    intervention: item.intervention,
    tried: item.tried,
    keepCheckpoints: item.keepCheckpoints,
  }
  return JSON.stringify(rest)
}
