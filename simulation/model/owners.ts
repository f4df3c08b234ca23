import type { NodeBeat, Owned, Ownership } from '../../src/store/store.ts'
import type { Watch } from './watch.ts'

interface Beaten {
  readonly leaseUntilMs: number
  readonly released: boolean
}

/** On which node something began, under which epoch of its pair and which lease. */
export interface Hold {
  readonly node: string
  readonly epoch: number | undefined
  readonly lapses: number
}

/** The longest lease of any world: a node that hears of a grant later than that has lost it. */
const leaseMsMax = 4_000

/** Who owns which pair, as the store's own answers to beats say. */
export class Owners {
  readonly #watch: Watch
  readonly #pairs = new Map<string, { node: string; epoch: number }>()
  readonly #lastEpochs = new Map<string, number>()
  readonly #beats = new Map<string, Beaten>()
  readonly #lapses = new Map<string, number>()
  /** When a pair was last granted, by the store's clock. */
  readonly #grantedAt = new Map<string, number>()
  /** When a pair was last granted after a lapsed lease, by the store's clock. */
  readonly #lapsedAt = new Map<string, number>()
  /** Pairs, under an epoch, that a node was told to hand back: what waits there it leaves to the next owner. */
  readonly #askedBack = new Map<string, number>()

  constructor(watch: Watch) {
    this.#watch = watch
  }

  /** The store has answered a beat of this node. */
  beaten(node: string, beat: NodeBeat, answer: Ownership): void {
    const now = this.#watch.nowMs
    const mine = new Set(answer.owned.map(nameOf))
    for (const released of beat.release) this.#released(node, released)
    for (const [name, pair] of this.#pairs) {
      if (pair.node === node && !mine.has(name)) this.#pairs.delete(name)
    }
    this.granted(node, answer)
    for (const asked of answer.asked) this.#askedBack.set(nameOf(asked), asked.epoch)
    this.#lapses.set(node, this.lapsesOf(node))
    this.#beats.set(node, { leaseUntilMs: now + beat.leaseMs, released: !beat.owns })
  }

  /** The store has given these pairs to the node, under the lease that it has. */
  granted(node: string, answer: Pick<Ownership, 'owned'>): void {
    const now = this.#watch.nowMs
    for (const grant of answer.owned) {
      const name = nameOf(grant)
      const before = this.#pairs.get(name)
      if (before && before.node !== node) this.#took(name, before.node, node, now)
      if (before?.node !== node && grant.epoch <= (this.#lastEpochs.get(name) ?? 0))
        this.#watch.violate('G6.fence', `pair ${name} was granted to ${node} under epoch ${grant.epoch} again`)
      if (before?.epoch !== grant.epoch) {
        this.#grantedAt.set(name, this.#watch.storeNow)
        this.#watch.tell('store', `grants ${name} to ${node}, epoch ${grant.epoch}${grant.graceful ? '' : ', lapsed'}`)
        if (!grant.graceful) {
          this.#watch.reach('takeover after a lapsed lease')
          this.#lapsedAt.set(name, this.#watch.storeNow)
        }
      }
      this.#pairs.set(name, { node, epoch: grant.epoch })
      this.#lastEpochs.set(name, grant.epoch)
    }
  }

  #released(node: string, owned: Owned): void {
    const pair = this.#pairs.get(nameOf(owned))
    if (pair?.node !== node || pair.epoch !== owned.epoch) return
    this.#watch.reach('pair given back gracefully')
    this.#pairs.delete(nameOf(owned))
  }

  #took(name: string, from: string, to: string, now: number): void {
    const last = this.#beats.get(from)
    if (!last || last.released || now >= last.leaseUntilMs) return
    const leftMs = Math.round(last.leaseUntilMs - now)
    this.#watch.violate('G5.robbed', `${to} was granted ${name}, which ${from} held for ${leftMs} ms more`)
  }

  /** Whether this epoch is the pair's last one. */
  isCurrent(owned: Owned): boolean {
    return this.#pairs.get(nameOf(owned))?.epoch === owned.epoch
  }

  /** Whether the pair was granted under a later epoch since. */
  isPast(owned: Owned): boolean {
    const pair = this.#pairs.get(nameOf(owned))
    return pair !== undefined && pair.epoch > owned.epoch
  }

  /** How often a node's lease has run out: what it had under way when it did, nobody can count any more. */
  lapsesOf(node: string): number {
    const last = this.#beats.get(node)
    return (this.#lapses.get(node) ?? 0) + (last && this.#watch.nowMs >= last.leaseUntilMs ? 1 : 0)
  }

  /** The node that owns a shard of the one group. */
  ownerOf(shard: number): string | undefined {
    return this.#pairs.get(`pay/${shard}`)?.node
  }

  holdOf(node: string, shard: number): Hold {
    return { node, epoch: this.epochOf(shard), lapses: this.lapsesOf(node) }
  }

  /** Whether the node still has the shard under that epoch and that lease. */
  isHeld({ node, epoch, lapses }: Hold, shard: number): boolean {
    return this.ownerOf(shard) === node && this.epochOf(shard) === epoch && this.lapsesOf(node) === lapses
  }

  /** Whether an owner of the shard was lost since then, by the store's clock, or shortly before: nodes count from when they hear of it. */
  lapsedSince(shard: number, at: number): boolean {
    return (this.#lapsedAt.get(`pay/${shard}`) ?? -1) + leaseMsMax >= at
  }

  /** Whether its owner was told to hand it back. */
  isAskedBack(shard: number): boolean {
    const epoch = this.epochOf(shard)
    return epoch !== undefined && this.#askedBack.get(`pay/${shard}`) === epoch
  }

  /** When the shard was last granted, by the store's clock. */
  grantedAt(shard: number): number {
    return this.#grantedAt.get(`pay/${shard}`) ?? 0
  }

  /** The epoch of its last grant. */
  epochOf(shard: number): number | undefined {
    return this.#pairs.get(`pay/${shard}`)?.epoch
  }

  /** Pairs of this node. */
  heldBy(node: string): number {
    return [...this.#pairs.values()].filter((pair) => pair.node === node).length
  }
}

function nameOf({ group, shard }: Owned): string {
  return `${group}/${shard}`
}
