import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Grant, NodeBeat, Owned, Ownership } from '../store.ts'
import { numberIn, optionalTextIn } from './columns.ts'
import type { Progress } from './progress.ts'

/** What a message to the writer says of the time: the writer has no clock of its own. */
export interface Moment {
  /** Wall time of records. */
  readonly now: number
  /** Of the machine, for leases: the same for all its processes. */
  readonly monotonicMs: number
  readonly boot: string
}

interface Pair {
  readonly shard: number
  readonly epoch: number
  readonly node: string | undefined
  readonly graceful: boolean
}

/** Leases and the sharing out of (group, shard) pairs. Everything inside the caller's write transaction. */
export class Ownerships {
  readonly #progress: Progress
  readonly #shards: number
  readonly #statements: ReturnType<typeof prepare>

  constructor(database: DatabaseSync, progress: Progress, shards: number) {
    this.#progress = progress
    this.#shards = shards
    this.#statements = prepare(database)
  }

  own(beat: NodeBeat, moment: Moment): Ownership {
    const { group, node } = beat
    const { boot, monotonicMs } = moment
    const s = this.#statements
    // Its own lease may have run out: then what it holds goes through a takeover like any other.
    this.#dropLapsed(moment)
    const handlers = JSON.stringify(beat.handlers)
    const takes = beat.owns && beat.handlers.length > 0
    s.renew.run(node, group, takes ? 1 : 0, handlers, boot, monotonicMs + beat.leaseMs)
    for (let shard = 0; shard < this.#shards; shard++) s.addPair.run(group, shard)
    for (const { shard, epoch } of beat.release) s.release.run(group, shard, epoch, node)
    for (const { shard, epoch, position } of beat.lowMarks) s.lowMark.run(position, group, shard, epoch, node)

    const live = s.live.all(group)
    const takers = live.filter((row) => row.owns === 1).map((row) => String(row.node))
    let pairs = this.#pairs(group)
    const owned = pairs.filter((pair) => pair.node === node)
    if (takes) {
      const share = Math.ceil(this.#shards / takers.length)
      for (const pair of pairs) {
        if (owned.length >= share) break
        if (pair.node !== undefined) continue
        s.take.run(node, group, pair.shard)
        owned.push({ ...pair, node, epoch: pair.epoch + 1 })
      }
      pairs = this.#pairs(group)
    }
    return {
      now: moment.now,
      owned: pairs.filter((pair) => pair.node === node).map((pair): Grant => grantOf(group, pair)),
      asked: this.#asked(group, node, takes, takers, pairs),
      nodes: live.length,
      registryVersion: this.#progress.registryVersion,
      settingsVersion: this.#progress.settingsVersion,
    }
  }

  /** A node that has registered counts as alive until its first beat must have come. */
  announce(group: string, node: string, handlers: readonly string[], leaseMs: number, moment: Moment): void {
    const { boot, monotonicMs } = moment
    this.#dropLapsed(moment)
    this.#statements.announce.run(node, group, 0, JSON.stringify(handlers), boot, monotonicMs + leaseMs)
  }

  /** Names of the handlers that other live nodes of the group have. */
  handlersOfOthers(group: string, node: string, moment: Moment): Set<string> {
    const names = new Set<string>()
    for (const row of this.#statements.others.all(group, node, moment.boot, moment.monotonicMs)) {
      const handlers: string[] = JSON.parse(optionalTextIn(row, 'handlers') ?? '[]')
      for (const name of handlers) names.add(name)
    }
    return names
  }

  /** What this node must give so that others reach their even part; all of it, where the node takes none. */
  #asked(group: string, node: string, takes: boolean, takers: readonly string[], pairs: readonly Pair[]): Owned[] {
    const mine = pairs.filter((pair) => pair.node === node)
    const ownedOf = ({ shard, epoch }: Pair): Owned => ({ group, shard, epoch })
    if (!takes) return mine.map(ownedOf)
    const least = Math.floor(this.#shards / takers.length)
    const held = new Map(takers.map((taker) => [taker, 0]))
    for (const { node: owner } of pairs) {
      if (owner !== undefined && held.has(owner)) held.set(owner, (held.get(owner) ?? 0) + 1)
    }
    let lacked = -pairs.filter((pair) => pair.node === undefined).length
    for (const count of held.values()) lacked += Math.max(0, least - count)
    const extra = Math.min(mine.length - least, Math.max(lacked, mine.length - Math.ceil(this.#shards / takers.length)))
    return extra <= 0 ? [] : mine.slice(-extra).map(ownedOf)
  }

  /** A node that was not heard within its lease, or since the machine's boot, holds nothing. */
  #dropLapsed({ boot, monotonicMs }: Moment): void {
    if (this.#statements.forget.run(boot, monotonicMs).changes !== 0) this.#statements.orphan.run()
  }

  #pairs(group: string): Pair[] {
    return this.#statements.pairs.all(group).map((row) => ({
      shard: numberIn(row, 'shard'),
      epoch: numberIn(row, 'epoch'),
      node: optionalTextIn(row, 'node'),
      graceful: row.graceful === 1,
    }))
  }
}

function grantOf(group: string, pair: Pair): Grant {
  return { group, shard: pair.shard, epoch: pair.epoch, graceful: pair.graceful }
}

function prepare(
  database: DatabaseSync,
): Record<
  'forget' | 'renew' | 'announce' | 'addPair' | 'release' | 'lowMark' | 'orphan' | 'live' | 'pairs' | 'take' | 'others',
  StatementSync
> {
  return {
    forget: database.prepare('delete from node where boot <> ? or lease_until < ?'),
    renew: database.prepare(
      `insert into node values (?, ?, ?, ?, ?, ?) on conflict do update set group_name = excluded.group_name,
         owns = excluded.owns, handlers = excluded.handlers, boot = excluded.boot, lease_until = excluded.lease_until`,
    ),
    announce: database.prepare(
      `insert into node values (?, ?, ?, ?, ?, ?) on conflict do update set handlers = excluded.handlers`,
    ),
    addPair: database.prepare('insert into pair values (?, ?, 0, null, 1, 0) on conflict do nothing'),
    release: database.prepare(
      'update pair set node = null, graceful = 1 where group_name = ? and shard = ? and epoch = ? and node = ?',
    ),
    lowMark: database.prepare(
      'update pair set low_mark = max(low_mark, ?) where group_name = ? and shard = ? and epoch = ? and node = ?',
    ),
    orphan: database.prepare(
      `update pair set node = null, graceful = 0
       where node is not null and node not in (select node from node)`,
    ),
    live: database.prepare('select node, owns from node where group_name = ? order by node'),
    pairs: database.prepare('select shard, epoch, node, graceful from pair where group_name = ? order by shard'),
    take: database.prepare('update pair set node = ?, epoch = epoch + 1 where group_name = ? and shard = ?'),
    others: database.prepare(
      'select handlers from node where group_name = ? and node <> ? and boot = ? and lease_until >= ?',
    ),
  }
}
