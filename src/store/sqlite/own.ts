import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Grant, NodeBeat, Owned, Ownership } from '../store.ts'
import { numberIn, optionalTextIn } from './columns.ts'
import type { Progress } from './progress.ts'
import type { Row } from './rows.ts'

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
  epoch: number
  node: string | undefined
  readonly graceful: boolean
  /** A handler that whoever takes it should have. */
  readonly lacks: string | undefined
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
    for (const { shard, epoch, lacks } of beat.release) s.release.run(lacks ?? null, group, shard, epoch, node)
    for (const { shard, epoch, position } of beat.lowMarks) s.lowMark.run(position, group, shard, epoch, node)

    const live = s.live.all(group)
    const taking = live.filter((row) => row.owns === 1)
    const takers = taking.map((row) => String(row.node))
    const pairs = this.#pairs(group)
    if (takes) this.#grantShare(beat, takers, new Set(taking.flatMap(handlersIn)), pairs)
    const held = pairs.filter((pair) => pair.node === node)
    return {
      now: moment.now,
      owned: held.map((pair): Grant => ({ ...ownedOf(group, pair), graceful: pair.graceful })),
      asked: (takes ? asked(pairs, held, taking) : held).map((pair) => ownedOf(group, pair)),
      nodes: live.length,
      lapsesInMs: lapsesIn(
        taking.filter((row) => row.node !== node).map((row) => numberIn(row, 'lease_until') - monotonicMs),
      ),
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
      for (const name of handlersIn(row)) names.add(name)
    }
    return names
  }

  /**
   * Free pairs go to the node up to its even share, rounded up; beyond the share rounded down only those that no other
   * lacks, or a node would take back at once what it just gave. What was given back for want of a handler goes to a node
   * that has it, whatever its share, and says so as long as it stays there. Each grant raises the epoch.
   */
  #grantShare(beat: NodeBeat, takers: readonly string[], living: ReadonlySet<string>, pairs: readonly Pair[]): void {
    const { node, handlers } = beat
    const { least, most } = sharesOf(pairs, takers)
    const others = takers.filter((taker) => taker !== node)
    const lackedByOthers = lacked(pairs, others, least)
    const unowned = pairs.filter((pair) => pair.node === undefined)
    const wanted = unowned.filter(({ lacks }) => lacks !== undefined && handlers.includes(lacks))
    for (const pair of wanted) this.#take(pair, beat, pair.lacks)
    const open = unowned.filter(
      (pair) => pair.node === undefined && !(pair.lacks !== undefined && living.has(pair.lacks)),
    )
    let held = heldBy(pairs, node)
    let free = open.length
    for (const pair of open) {
      if (held >= most || (held >= least && free <= lackedByOthers)) return
      this.#take(pair, beat, undefined)
      held++
      free--
    }
  }

  #take(pair: Pair, { node, group }: NodeBeat, lacks: string | undefined): void {
    this.#statements.take.run(node, lacks ?? null, group, pair.shard)
    pair.node = node
    pair.epoch++
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
      lacks: optionalTextIn(row, 'lacks'),
    }))
  }
}

/**
 * What the node must give so that each other reaches the even share, rounded down; never below it itself, and nothing that
 * would be given back for want of a handler.
 */
function asked(pairs: readonly Pair[], held: readonly Pair[], taking: readonly Row[]): readonly Pair[] {
  const takers = taking.map((row) => String(row.node))
  const { least, most } = sharesOf(pairs, takers)
  const free = pairs.filter((pair) => pair.node === undefined).length
  const extra = Math.min(held.length - least, Math.max(lacked(pairs, takers, least) - free, held.length - most))
  const isLacked = (handler: string) => taking.some((row) => !handlersIn(row).includes(handler))
  const spare = held.filter(({ lacks }) => lacks === undefined || !isLacked(lacks))
  return extra > 0 ? spare.slice(-extra) : []
}

function sharesOf(pairs: readonly Pair[], takers: readonly string[]): { least: number; most: number } {
  const even = pairs.length / takers.length
  return { least: Math.floor(even), most: Math.ceil(even) }
}

function lacked(pairs: readonly Pair[], takers: readonly string[], least: number): number {
  return takers.reduce((sum, taker) => sum + Math.max(0, least - heldBy(pairs, taker)), 0)
}

function heldBy(pairs: readonly Pair[], node: string): number {
  return pairs.filter((pair) => pair.node === node).length
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
