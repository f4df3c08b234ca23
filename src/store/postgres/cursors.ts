import type { Owned } from '../store.ts'
import { bigintArray, integerArray } from './binary-arrays.ts'

/** Numbers that a transaction may still commit: first and last. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Numbers of one transaction (see tables.ts). */
const numbersEach = 8_192

/** What a statement saw: which transactions had ended. */
export class Snapshot {
  /**
   * No number up to here that is committed was missed, but for those of {@link open}. Not after a recovery: see
   * {@link Cursors.readTo}.
   */
  readonly seenTo: number
  /** Numbers of the transactions that were under way, in order. */
  readonly open: readonly Span[]

  /**
   * @param text as `pg_current_snapshot()` writes it: `xmin:xmax:xip,…`
   * @param firstXid what is added to a transaction's id
   */
  constructor(text: string, firstXid: number) {
    const [, xmax = '0', open = ''] = text.split(':')
    this.seenTo = (Number(xmax) + firstXid) * numbersEach - 1
    this.open = open
      .split(',')
      .filter((xid) => xid !== '')
      .map((xid) => ({
        from: (Number(xid) + firstXid) * numbersEach,
        to: (Number(xid) + firstXid + 1) * numbersEach - 1,
      }))
      .sort((one, other) => one.from - other.from)
  }

  /** Those under way whose numbers lie below this one. */
  openBelow(number: number): Span[] {
    return this.open.filter(({ from }) => from <= number)
  }
}

/** Where late commits may lie below a pair's cursor. */
export interface Late {
  readonly events: readonly Span[]
  readonly interventions: readonly Span[]
}

const none: Late = { events: [], interventions: [] }

/**
 * What a cursor's number cannot say: which transactions were under way below it when its page was read. Their events come
 * with the page that finds them committed; nothing waits for them.
 */
export class Cursors {
  #loggedTo = 0
  readonly #pairs = new Map<string, { readonly epoch: number; readonly late: Late }>()

  /** A record of this number is committed: its transaction's id, and all below, are in the server's log. */
  committed(number: number): void {
    if (number > this.#loggedTo) this.#loggedTo = number
  }

  /**
   * How far a cursor may go that nothing is left before. An id that a transaction took and left nothing under is not in the
   * log: a server that crashed gives it once more, and the event under it lay below every cursor until a takeover, and below
   * the marks that were kept of them for ever.
   */
  readTo({ seenTo }: Snapshot): number {
    return Math.min(seenTo, this.#loggedTo)
  }

  late({ group, shard, epoch }: Owned): Late {
    const known = this.#pairs.get(`${shard}/${group}`)
    return known?.epoch === epoch ? known.late : none
  }

  keep({ group, shard, epoch }: Owned, late: Late): void {
    this.#pairs.set(`${shard}/${group}`, { epoch, late })
  }

  /** The next owner begins to read below whatever may still be committed. */
  lowMark(owned: Owned & { readonly position: number }): number {
    const [first] = this.late(owned).events
    return first ? Math.min(owned.position, first.from) : owned.position
  }
}

/** Spans of all pairs as three lists: of which, from, to. */
export function spansOf(spans: readonly (readonly Span[])[]): Buffer[] {
  const all = spans.flatMap((one, index) => one.map((span) => ({ ...span, place: index + 1 })))
  return [
    integerArray(all.map(({ place }) => place)),
    bigintArray(all.map(({ from }) => from)),
    bigintArray(all.map(({ to }) => to)),
  ]
}
