import type { Duration } from '../kit/duration.ts'

/** What the engine knows of a configured source: how its events are identified, compared and ordered. */
export interface SourceTraits {
  readonly name: string
  readonly tenant: string
  /** Fields that genuine resends change, as dotted paths. */
  readonly fingerprintWithout: readonly string[]
  /** How often runs of its events begin, over all nodes of a group, in times a second. Absent: no limit. */
  readonly rate?: number | undefined
  /** Identity from content, for senders that give no id. */
  readonly identity: { readonly content: readonly string[]; readonly window: Duration } | undefined
  /** Unsigned ids: content seen within this many milliseconds makes a new id a duplicate. 0: not looked at. */
  readonly replayWindowMs: number
  readonly orderKey: ((event: { readonly type: string; readonly data: unknown }) => string | undefined) | undefined
}
