import type { Instant } from '../kit/clock.ts'
import type { Grant, NodeBeat, OwnedCursor, TailPage } from '../store/store.ts'
import type { Entry } from './entry.ts'

/** Where an accept under way lies: behind what was read when it was sent. */
export interface ExpectedPlace {
  readonly after: number
}

/** One pair that the node owns: its runs in memory, and how far it was read. */
export class OwnedPair {
  readonly grant: Grant
  readonly entries = new Map<string, Entry>()
  readonly #grantedAt: Instant
  /** After a lapsed lease: how many more unfinished runs the owner before may have been executing. */
  #suspectsLeft: number
  #cursor: number | undefined
  /** Up to where interventions were given. */
  #asked: number | undefined
  #more = true
  #readUpTo = Number.NEGATIVE_INFINITY
  /** From here on there were runs that wait and found no room: they are read again once there is some. */
  #letGoFrom: number | undefined
  #isReadAgain = false
  /** Runs that ended and that a page read before may still name; dropped when the cursor has passed them. */
  readonly #finished = new Map<string, number>()
  /** Accepts under way that will be handed over. */
  readonly #expected = new Set<ExpectedPlace>()
  #isHandedBack = false
  #quiet: (() => void) | undefined

  /** @param heldMost how many runs that could execute an owner holds, and so how many a lost one may have been executing. */
  constructor(grant: Grant, grantedAt: Instant, heldMost: number) {
    this.grant = grant
    this.#grantedAt = grantedAt
    this.#suspectsLeft = grant.graceful ? 0 : heldMost
  }

  /** Whether a page of it was read: before, it is not known who holds its order keys. */
  get isRead(): boolean {
    return this.#cursor !== undefined
  }

  /** Whether the store has more than was read. */
  get more(): boolean {
    return this.#more
  }

  /** All that was accepted before this, and committed in time, was read; what a person asks is not counted. */
  get readUpTo(): Instant {
    return this.#readUpTo
  }

  get hasLetGo(): boolean {
    return this.#letGoFrom !== undefined
  }

  /** What was let go is being read again. */
  get isReadAgain(): boolean {
    return this.#isReadAgain
  }

  /** Its ready runs were left to the next owner: nothing is begun here any more, and nothing said of how far it came. */
  get isHandedBack(): boolean {
    return this.#isHandedBack
  }

  /** Whether all that is there of it is in memory, and stays this node's. */
  get isReadThrough(): boolean {
    return this.isRead && !this.#more && !this.#isReadAgain && !this.hasLetGo && !this.#isHandedBack
  }

  /** Whether a run of it executes. */
  get executes(): boolean {
    for (const entry of this.entries.values()) if (entry.stage === 'running') return true
    return false
  }

  /** Where its next page begins. */
  get next(): OwnedCursor {
    const { group, shard, epoch } = this.grant
    return {
      group,
      shard,
      epoch,
      ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }),
      ...(this.#asked === undefined ? {} : { asked: this.#asked }),
      ...(this.#isReadAgain && { all: true }),
    }
  }

  /** Below which position nothing of it is unfinished: its next owner begins to read there. */
  get lowMark(): NodeBeat['lowMarks'][number] | undefined {
    // What was handed back is unfinished and no longer in memory: a mark past it lost those runs.
    if (this.#cursor === undefined || this.#isHandedBack) return undefined
    let position = Math.min(this.#cursor + 1, this.#letGoFrom ?? this.#cursor + 1)
    for (const entry of this.entries.values()) {
      if (entry.stage !== 'standing' && entry.position < position) position = entry.position
    }
    for (const { after } of this.#expected) if (after + 1 < position) position = after + 1
    const { group, shard, epoch } = this.grant
    return { group, shard, epoch, position }
  }

  /**
   * A page of it was taken into memory.
   *
   * @param readUpTo until when it has all that was accepted.
   */
  passed({ cursor, more }: Pick<TailPage, 'cursor' | 'more'>, readUpTo: Instant): void {
    this.#cursor = cursor
    this.#more = more
    this.#readUpTo = Math.max(this.#readUpTo, readUpTo)
    if (!more) this.#isReadAgain = false
    const upTo = this.#namedUpTo()
    for (const [id, position] of this.#finished) if (position <= upTo) this.#finished.delete(id)
  }

  /** Interventions up to here were given. */
  asked(upTo: number): void {
    this.#asked = upTo
  }

  /** An accept under way will be handed over. */
  expect(): ExpectedPlace {
    const place = { after: this.#cursor ?? 0 }
    this.#expected.add(place)
    return place
  }

  expects(place: ExpectedPlace): boolean {
    return this.#expected.has(place)
  }

  /** It came, or will not come. */
  expectNoMore(place: ExpectedPlace): void {
    this.#expected.delete(place)
  }

  /** A run of it ended: a page that was read before may still name it; once the cursor has passed it, none does. */
  noteFinished({ id, position }: Pick<Entry, 'id' | 'position'>): void {
    // The first look is enough for nearly all, and the second one walks.
    if (position > (this.#cursor ?? -1) || position > this.#namedUpTo()) this.#finished.set(id, position)
  }

  hasFinished(id: string): boolean {
    return this.#finished.has(id)
  }

  /**
   * Since when a run may have been executing at the owner before, which was lost. That one held at most so many runs that
   * could execute, and began them in their order.
   *
   * @param since from when the run could begin.
   */
  mayHaveBegunAt(since: Instant, leaseMs: number): Instant | undefined {
    if (this.#suspectsLeft <= 0 || since > this.#grantedAt) return undefined
    return this.#grantedAt - leaseMs
  }

  /** One of those that may have been executing is in memory. */
  countSuspect(): void {
    this.#suspectsLeft--
  }

  letGo(position: number): void {
    this.#letGoFrom = Math.min(position, this.#letGoFrom ?? position)
  }

  /** Begins to read what was let go. */
  readAgain(): void {
    this.#cursor = Math.min((this.#letGoFrom ?? 0) - 1, this.#cursor ?? 0)
    this.#isReadAgain = true
    this.#more = true
    this.#letGoFrom = undefined
  }

  handBack(): void {
    this.#isHandedBack = true
  }

  /** Resolves when nothing of it executes any more. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#quiet = resolve
      this.tellIfQuiet()
    })
  }

  /** A run of it ended, and may have been the last. */
  tellIfQuiet(): void {
    if (this.#quiet && !this.executes) this.end()
  }

  /** It is no longer this node's: nobody waits for what executes. */
  end(): void {
    const quiet = this.#quiet
    this.#quiet = undefined
    quiet?.()
  }

  /** Up to here nothing of it will be named again, neither by a page nor by a late hand-over. */
  #namedUpTo(): number {
    let position = this.#cursor ?? -1
    for (const { after } of this.#expected) position = Math.min(position, after)
    return position
  }
}
