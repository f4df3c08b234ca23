import type { SettleItem } from '../../src/store/store.ts'
import type { EventFacts, Ledger } from './ledger.ts'
import type { RunFacts } from './run-facts.ts'
import type { Watch } from './watch.ts'

type Version = number | string

/** A version whose run the store has as completed after its handler returned. */
interface Processed {
  readonly version: Version
  readonly atMs: number
}

/** What is compared with each other: one thing outside, as one handler knows it. */
export interface Scope {
  readonly tag: string
  readonly tenant: string
  readonly key: string
}

/** What is known of one scope. */
interface ScopeFacts extends Scope {
  /** A handler was called for it to its end, though what came of that may have been lost. */
  readonly returned: Set<Version>
  readonly processed: Processed[]
}

/** Handlers that compare versions, and whether only one run of a key is under way at once. */
const oneAtATime: Readonly<Record<string, boolean>> = { price: true, quote: true, sync: false }

/** Of several at once, one may have looked so long before it began: a node that stands still for as long as its lease. */
const looksAheadMs = 6_000

/** What comparing versions promises: nothing older begins after a newer one was processed, and only for such a one is it let go. */
export class Superseded {
  readonly #watch: Watch
  readonly #ledger: Ledger
  readonly #isInDoubt: (run: RunFacts, which?: 'guarded') => boolean
  readonly #scopes = new Map<string, ScopeFacts>()

  constructor(watch: Watch, ledger: Ledger, isInDoubt: (run: RunFacts, which?: 'guarded') => boolean) {
    this.#watch = watch
    this.#ledger = ledger
    this.#isInDoubt = isInDoubt
  }

  /** The handler is entered. */
  enters(run: RunFacts, event: EventFacts): void {
    const version = versionOf(event)
    const scope = this.#scopeOf(run, event)
    if (!scope || version === undefined) return
    const sinceMs = this.#watch.nowMs - (oneAtATime[run.handler ?? ''] ? 0 : looksAheadMs)
    const newer = scope.processed.find((one) => one.atMs <= sinceMs && isNewer(one.version, version))
    if (!newer) return
    if (this.#isInDoubt(run)) this.#watch.reach('older version begun in doubt')
    else if (this.#watch.clocksAgree)
      this.#watch.violate('G5.superseded', `${run.name} of ${version} began, ${newer.version} was processed`)
  }

  /** The handler has returned. @returns whether its version is compared, and so kept before the run is settled. */
  returned(run: RunFacts, event: EventFacts): boolean {
    const version = versionOf(event)
    const scope = this.#scopeOf(run, event)
    if (!scope || version === undefined) return false
    scope.returned.add(version)
    return true
  }

  /** A settlement was written. */
  settled(run: RunFacts, { state, attemptedAt }: SettleItem): void {
    const event = this.#ledger.events.get(run.event)
    const scope = event && this.#scopeOf(run, event)
    const version = event && versionOf(event)
    if (state.reason === 'superseded') this.#letGo(run, scope, version, { result: state.result, attemptedAt })
    else if (scope && version !== undefined && state.status === 'completed')
      scope.processed.push({ version, atMs: this.#watch.nowMs })
  }

  #letGo(
    run: RunFacts,
    scope: ScopeFacts | undefined,
    version: Version | undefined,
    { result, attemptedAt }: { readonly result: string | undefined; readonly attemptedAt: number | undefined },
  ): void {
    this.#watch.reach('superseded')
    if (run.firstEnteredAtMs !== undefined) this.#watch.reach('superseded after an attempt')
    const { supersededBy }: { supersededBy?: Version } = JSON.parse(result ?? '{}')
    const what = `${run.name} of ${version} was superseded by ${supersededBy}`
    if (!scope || version === undefined || supersededBy === undefined || !scope.returned.has(supersededBy))
      this.#watch.violate('G5.superseded', `${what}, which was not processed`)
    else if (!isNewer(supersededBy, version)) this.#watch.violate('G5.superseded', `${what}, which is not newer`)
    if (attemptedAt !== undefined) this.#watch.violate('G5.superseded', `${what} after an attempt began`)
    if (this.#isInDoubt(run, 'guarded')) this.#watch.violate('G5.superseded', `${what} with a step in doubt`)
  }

  /** All that is compared. */
  get scopes(): readonly Scope[] {
    return [...this.#scopes.values()]
  }

  /** At the end: the newest that the store has is the newest that was processed, or one that was lost before it was settled. */
  compare(scope: Scope, kept: Version | undefined): void {
    const { processed, returned } = this.#scopes.get(textOf(scope)) ?? { processed: [], returned: new Set() }
    const newer = processed.find(({ version }) => kept === undefined || isNewer(version, kept))
    if (newer) this.#watch.violate('G5.superseded', `${newer.version} of ${scope.key} was processed, kept is ${kept}`)
    if (kept !== undefined && !returned.has(kept))
      this.#watch.violate('G5.superseded', `${kept} of ${scope.key} is kept, and was not processed`)
  }

  #scopeOf(run: RunFacts, { tenant, orderKey = '' }: EventFacts): ScopeFacts | undefined {
    if (oneAtATime[run.handler ?? ''] === undefined) return undefined
    const scope = { tag: run.tag, tenant, key: orderKey }
    const known = this.#scopes.get(textOf(scope)) ?? { ...scope, returned: new Set(), processed: [] }
    this.#scopes.set(textOf(scope), known)
    return known
  }
}

function textOf({ tag, tenant, key }: Scope): string {
  return `${tag} ${tenant} ${key}`
}

function versionOf({ content }: EventFacts): Version | undefined {
  const version: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, 'version') : undefined
  return typeof version === 'number' || typeof version === 'string' ? version : undefined
}

/** Each text is newer than any number; texts are in the order of their bytes. */
function isNewer(one: Version, other: Version): boolean {
  if (typeof one === 'number' && typeof other === 'number') return one > other
  if (typeof one === 'string' && typeof other === 'string')
    return Buffer.compare(Buffer.from(one), Buffer.from(other)) > 0
  return typeof one === 'string'
}
