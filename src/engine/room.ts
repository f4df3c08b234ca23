import type { Entry, Stage } from './entry.ts'
import type { OwnedPair } from './owned-pair.ts'

/** How many runs a node knows of at once; deeper backlog stays in the store. */
export interface RunsInMemory {
  /** Ready or running. */
  readonly held: number
  /** Waiting behind their order key's head, or paused. */
  readonly aside: number
  /** Of one order key, however many wait in all. */
  readonly perKey: number
  /** Events of one page. */
  readonly page: number
}

/**
 * The room that runs take in memory. Where there is none, those that wait are let go: they stay in the store, and are read
 * again once there is.
 */
export class Room {
  readonly bounds: RunsInMemory
  #held = 0
  #aside = 0
  /** Order keys, and lines, of which runs were let go. */
  readonly #letGoKeys = new Set<string>()
  /** Some of what was let go may begin now, though there is not much room. */
  #isWanted = false

  constructor(bounds: RunsInMemory) {
    this.bounds = bounds
  }

  /** Whether one more may be held. */
  get isFree(): boolean {
    return this.#held < this.bounds.held
  }

  get isHalfFree(): boolean {
    return this.#held < this.bounds.held / 2
  }

  /** Of how many events the next page may be. */
  get page(): number {
    return Math.max(0, Math.min(this.bounds.page, this.bounds.held - this.#held))
  }

  /** Whether those that wait fill their room. */
  get isAsideFull(): boolean {
    return this.#aside >= this.bounds.aside
  }

  /** The one way of a run from stage to stage: what takes room is counted. */
  stage(entry: Entry, stage: Stage): void {
    if (entry.stage === 'ready' || entry.stage === 'running') this.#held--
    else if (entry.stage === 'aside') this.#aside--
    entry.stage = stage
    if (stage === 'ready' || stage === 'running') this.#held++
    else if (stage === 'aside') this.#aside++
    // It cannot begin now: its event is read again when it can, so that a deep queue costs no bodies.
    if (stage === 'aside' || stage === 'standing') entry.event = undefined
  }

  /** A run that waits finds no room: it stays in the store until there is some, and holds up nobody but its own key. */
  letGo(pair: OwnedPair, position: number, name: string | undefined): void {
    pair.letGo(position)
    if (name !== undefined) this.#letGoKeys.add(name)
  }

  /** Whether runs of this order key, or line, were let go: what comes later of a key is, too. */
  isLetGo(name: string): boolean {
    return this.#letGoKeys.has(name)
  }

  /** What was let go is to be read again, however little room there is. */
  want(): void {
    this.#isWanted = true
  }

  /** Where there is room again for what was let go, it is read in its order, beside what is in memory. Answers whether. */
  takeUpAgain(pairs: readonly OwnedPair[]): boolean {
    if (!this.#isWanted && this.#aside >= this.bounds.aside / 2) return false
    const some = pairs.filter(({ hasLetGo }) => hasLetGo)
    // Begun anew before it is through, it would never come to what lies behind.
    if (some.length === 0 || pairs.some(({ isReadAgain }) => isReadAgain)) return false
    this.#isWanted = false
    for (const pair of some) pair.readAgain()
    this.#letGoKeys.clear()
    return true
  }
}
