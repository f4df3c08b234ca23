import { HapaxError } from '../../errors/hapax-error.ts'
import type { LimitShare } from '../shared-limits.ts'
import { askedOf, grantedTo, type Seat, type Taker } from '../shares.ts'
import type { Grant, NodeBeat, Owned, OwnedCursor, Ownership } from '../store.ts'
import { bigintArray, integerArray, textArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { type Cursors, spansOf } from './cursors.ts'
import type { Now } from './now.ts'
import type { Naming } from './schema.ts'

/** A group's nodes and pairs, as `beat_2` and `grant_1` answer. */
interface Standing {
  readonly now: number
  readonly nodes: readonly {
    readonly node: string
    readonly owns: boolean
    readonly handlers: string
    readonly left: number
  }[]
  readonly pairs: readonly {
    readonly shard: number
    readonly epoch: number
    readonly node: string | null
    readonly graceful: boolean
    readonly lacks: string | null
  }[]
  readonly registryVersion: number
  readonly settingsVersion: number
  /** Of a beat that claims some. */
  readonly limits?: readonly LimitShare[]
}

interface Pair extends Seat {
  readonly shard: number
  readonly epoch: number
  readonly graceful: boolean
}

/** Leases and the sharing out of (group, shard) pairs. */
export class Ownerships {
  readonly #connections: Connections
  readonly #cursors: Cursors
  readonly #now: Now
  /** Whether a node is told of what comes. */
  readonly #isHinted: () => boolean
  readonly #beatSql: string
  readonly #lookSql: string
  readonly #grantSql: string

  constructor(connections: Connections, naming: Naming, cursors: Cursors, now: Now, isHinted: () => boolean) {
    this.#connections = connections
    this.#cursors = cursors
    this.#now = now
    this.#isHinted = isHinted
    const beat = 'select :s.beat_2($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9::jsonb) as standing'
    this.#beatSql = naming.sql(`${beat}, true as came`)
    this.#lookSql = naming.sql(`${beat}, :s.came_1($10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) as came`)
    this.#grantSql = naming.sql('select :s.grant_1($1, $2, $3, $4::integer[], $5::bigint[], $6::text[]) as standing')
  }

  /**
   * A beat is a statement, and a second one where it takes pairs: which, is worked out here in between, with no lock held.
   * A pair that went to another meanwhile is seen by its epoch, and left.
   */
  async own(beat: NodeBeat): Promise<Ownership> {
    const { node, group } = beat
    const takes = beat.owns && beat.handlers.length > 0
    const now = this.#now()
    const lowMarks = beat.lowMarks.map((mark) => ({ ...mark, position: this.#cursors.lowMark(mark) }))
    const looked = this.#isHinted() ? this.#looked(beat.cursors) : undefined
    const row = await this.#connections.row(looked ? this.#lookSql : this.#beatSql, [
      now,
      node,
      group,
      takes,
      JSON.stringify(beat.handlers),
      beat.leaseMs,
      JSON.stringify(beat.release),
      JSON.stringify(lowMarks),
      beat.limits ? JSON.stringify(beat.limits) : null,
      ...(looked ?? []),
    ])
    let standing = row.standing as Standing
    const { limits = [] } = standing
    const granted = takes ? grantedTo(beat, pairsOf(standing), takersOf(standing)) : []
    if (granted.length > 0) standing = (await this.#grant(beat, now, granted)) ?? standing
    const pairs = pairsOf(standing)
    const held = pairs.filter(({ owner }) => owner === node)
    const others = standing.nodes.filter((one) => one.owns && one.node !== node)
    return {
      now: standing.now,
      owned: held.map((pair): Grant => ({ ...ownedOf(group, pair), graceful: pair.graceful })),
      asked: (takes ? askedOf(beat, pairs, takersOf(standing)) : held).map((pair) => ownedOf(group, pair)),
      nodes: standing.nodes.length,
      lapsesInMs: others.length === 0 ? undefined : Math.min(...others.map(({ left }) => left)),
      registryVersion: standing.registryVersion,
      settingsVersion: standing.settingsVersion,
      ...(beat.limits && { limits }),
      ...(beat.cursors && {
        quiet: row.came === false && beat.cursors.every((cursor) => held.some((pair) => isOf(pair, cursor))),
      }),
    }
  }

  /** Undefined where a flush of an earlier owner is still under way: the beat counts, and the next one asks again. */
  async #grant(
    { node, group }: NodeBeat,
    now: number | null,
    granted: ReturnType<typeof grantedTo<Pair>>,
  ): Promise<Standing | undefined> {
    try {
      const taken = await this.#connections.row(this.#grantSql, [
        now,
        node,
        group,
        integerArray(granted.map(({ pair }) => pair.shard)),
        bigintArray(granted.map(({ pair }) => pair.epoch)),
        textArray(granted.map(({ lacks }) => lacks)),
      ])
      return taken.standing as Standing
    } catch (error) {
      if (error instanceof HapaxError && error.code === 'store_busy') return undefined
      throw error
    }
  }

  /** What is looked at; undefined where a page must be read first. */
  #looked(cursors: readonly OwnedCursor[] | undefined): Buffer[] | undefined {
    if (!cursors?.every(({ cursor, all }) => cursor !== undefined && !all)) return undefined
    const late = cursors.map((owned) => this.#cursors.late(owned))
    return [
      textArray(cursors.map(({ group }) => group)),
      integerArray(cursors.map(({ shard }) => shard)),
      bigintArray(cursors.map(({ epoch }) => epoch)),
      bigintArray(cursors.map(({ cursor }) => cursor)),
      bigintArray(cursors.map(({ cursor, asked }) => asked ?? cursor)),
      ...spansOf(late.map(({ events }) => events)),
      ...spansOf(late.map(({ interventions }) => interventions)),
    ]
  }
}

function pairsOf({ pairs }: Standing): Pair[] {
  return pairs.map(({ shard, epoch, node, graceful, lacks }) => {
    return { shard, epoch, graceful, owner: node ?? undefined, lacks: lacks ?? undefined }
  })
}

function takersOf({ nodes }: Standing): Taker[] {
  return nodes.filter(({ owns }) => owns).map(({ node, handlers }) => ({ node, handlers: JSON.parse(handlers) }))
}

function isOf(pair: Pair, { shard, epoch }: Owned): boolean {
  return pair.shard === shard && pair.epoch === epoch
}

function ownedOf(group: string, { shard, epoch }: Pair): Owned {
  return { group, shard, epoch }
}
