import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { askedOf, grantedTo, type Seat, type Taker } from '../shares.ts'
import { numberIn, optionalTextIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { Grant, NodeBeat, Owned, Ownership } from '../store.ts'
import { Lending } from './lending.ts'
import type { Progress } from './progress.ts'

/** What a message to the writer says of the time: the writer has no clock of its own. */
export interface Moment {
  /** Wall time of records. */
  readonly now: number
  /** Of the machine, for leases: the same for all its processes. */
  readonly monotonicMs: number
  readonly boot: string
}

interface Pair extends Seat {
  readonly shard: number
  epoch: number
  owner: string | undefined
  readonly graceful: boolean
}

/** Leases and the sharing out of (group, shard) pairs. Everything inside the caller's write transaction. */
export class Ownerships {
  readonly #progress: Progress
  readonly #shards: number
  readonly #lending: Lending
  readonly #statements: ReturnType<typeof prepare>

  constructor(database: DatabaseSync, progress: Progress, shards: number) {
    this.#progress = progress
    this.#shards = shards
    this.#lending = new Lending(database)
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
    for (const { shard, epoch, lacks } of beat.release) s.release.run(lacks ?? null, group, shard, epoch, node)
    for (const { shard, epoch, position } of beat.lowMarks) s.lowMark.run(position, group, shard, epoch, node)

    const live = s.live.all(group)
    const taking = live.filter((row) => row.owns === 1)
    const takers = taking.map((row): Taker => ({ node: String(row.node), handlers: handlersIn(row) }))
    const pairs = this.#pairs(group)
    if (takes) {
      for (const { pair, lacks } of grantedTo(beat, pairs, takers)) {
        s.take.run(node, lacks ?? null, group, pair.shard)
        pair.owner = node
        pair.epoch++
      }
    }
    const limits = this.#lending.lend(node, beat.limits ?? [], moment.now)
    const held = pairs.filter(({ owner }) => owner === node)
    return {
      now: moment.now,
      owned: held.map((pair): Grant => ({ ...ownedOf(group, pair), graceful: pair.graceful })),
      asked: (takes ? askedOf(beat, pairs, takers) : held).map((pair) => ownedOf(group, pair)),
      nodes: live.length,
      lapsesInMs: lapsesIn(
        taking.filter((row) => row.node !== node).map((row) => numberIn(row, 'lease_until') - monotonicMs),
      ),
      registryVersion: this.#progress.registryVersion,
      settingsVersion: this.#progress.settingsVersion,
      ...(beat.limits && { limits }),
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
      for (const name of handlersIn(row)) names.add(name)
    }
    return names
  }

  /** A node that was not heard within its lease, or since the machine's boot, holds nothing. */
  #dropLapsed({ boot, monotonicMs }: Moment): void {
    if (this.#statements.forget.run(boot, monotonicMs).changes === 0) return
    this.#statements.orphan.run()
    this.#lending.forget()
  }

  #pairs(group: string): Pair[] {
    return this.#statements.pairs.all(group).map((row) => ({
      shard: numberIn(row, 'shard'),
      epoch: numberIn(row, 'epoch'),
      owner: optionalTextIn(row, 'node'),
      graceful: row.graceful === 1,
      lacks: optionalTextIn(row, 'lacks'),
    }))
  }
}

function lapsesIn(leftMs: readonly number[]): number | undefined {
  return leftMs.length === 0 ? undefined : Math.min(...leftMs)
}

function handlersIn(row: Row): string[] {
  return JSON.parse(optionalTextIn(row, 'handlers') ?? '[]')
}

function ownedOf(group: string, { shard, epoch }: Pair): Owned {
  return { group, shard, epoch }
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
    addPair: database.prepare('insert into pair values (?, ?, 0, null, 1, 0, null) on conflict do nothing'),
    release: database.prepare(
      'update pair set node = null, graceful = 1, lacks = ? where group_name = ? and shard = ? and epoch = ? and node = ?',
    ),
    lowMark: database.prepare(
      'update pair set low_mark = max(low_mark, ?) where group_name = ? and shard = ? and epoch = ? and node = ?',
    ),
    orphan: database.prepare(
      `update pair set node = null, graceful = 0
       where node is not null and node not in (select node from node)`,
    ),
    live: database.prepare('select node, owns, handlers, lease_until from node where group_name = ? order by node'),
    pairs: database.prepare('select shard, epoch, node, graceful, lacks from pair where group_name = ? order by shard'),
    take: database.prepare('update pair set node = ?, epoch = epoch + 1, lacks = ? where group_name = ? and shard = ?'),
    others: database.prepare(
      'select handlers from node where group_name = ? and node <> ? and boot = ? and lease_until >= ?',
    ),
  }
}
