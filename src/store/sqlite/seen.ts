import type { Owned } from '../store.ts'

/** A stretch of the sequence, and for whom its events of one shard were. */
interface Stretch {
  from: number
  to: number
  /** The pair whose node got them with the answer; undefined: nobody, or not known. */
  readonly group: string | undefined
  readonly epoch: number
}

/** Stretches remembered per shard: beyond it the oldest are forgotten, and read again if somebody still asks. */
const stretchesHeld = 256

/**
 * What this process knows of the sequence without reading: which events its own commits handed over already. In a
 * process alone on its file nothing else ever comes, so a tail then reads no row.
 */
export class Seen {
  /** Everything up to here is known. */
  upTo = 0
  readonly #from: number[]
  readonly #shards: Stretch[][]

  constructor(shards: number, upTo: number) {
    this.upTo = upTo
    this.#from = Array.from({ length: shards }, () => upTo)
    this.#shards = Array.from({ length: shards }, () => [])
  }

  /** Numbers that others wrote, with events in these shards; undefined: in every shard there may be something. */
  foreign(to: number, shards: Iterable<number> = this.#shards.keys()): void {
    if (to <= this.upTo) return
    for (const shard of shards) this.add(shard, this.upTo + 1, to, undefined)
    this.upTo = to
  }

  /** An event of a commit of this process, or a stretch of unknown ones. */
  add(shard: number, from: number, to: number, pair: Owned | undefined): void {
    const stretches = this.#shards[shard]
    if (!stretches) return
    const last = stretches.at(-1)
    const group = pair?.group
    const epoch = pair?.epoch ?? 0
    if (last && last.group === group && last.epoch === epoch) last.to = to
    else stretches.push({ from, to, group, epoch })
    if (stretches.length > stretchesHeld) {
      const dropped = stretches.shift()
      if (dropped) this.#from[shard] = dropped.to
    }
  }

  /** Where events may lie after the cursor that this pair has not got yet; first and last number of each stretch. */
  unread(owned: Owned, cursor: number): { readonly from: number; readonly to: number }[] {
    const known = this.#from[owned.shard] ?? this.upTo
    const unread: { from: number; to: number }[] = []
    if (cursor < known) unread.push({ from: cursor + 1, to: known })
    for (const { from, to, group, epoch } of this.#shards[owned.shard] ?? []) {
      const isOwn = group === owned.group && epoch === owned.epoch
      if (to > cursor && !isOwn) unread.push({ from: Math.max(from, cursor + 1), to })
    }
    return unread
  }
}
