import { DatabaseSync, type StatementSync } from 'node:sqlite'

/**
 * The limit: the rows that the engine writes, written by hand through `node:sqlite` in the same journal mode and with the
 * same durability, and nothing around them. Identities are found in memory, all of them, and written in sorted generations as
 * the engine writes them: a B-tree on random identities beside the events would make a limit of half this height.
 */
export class ByHand {
  readonly #database: DatabaseSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #event: StatementSync
  readonly #body: StatementSync
  readonly #repeat: StatementSync
  readonly #settlement: StatementSync
  readonly #checkpoint: StatementSync
  readonly #ledger: StatementSync
  readonly #known = new Map<string, number>()
  /** Identities of the newest generation. */
  #newest: [string, number][] = []
  /** Sorted, still to be written. */
  #sealing: [string, number][] = []
  #generation = 1
  #sequence = 0

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`
      pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000; pragma cache_size = -65536;
      create table event (
        position integer primary key, key text not null, shard integer not null, identity text not null, content text,
        accepted_at real not null, tenant text not null, source text not null, id text not null, type text not null,
        fingerprint_key integer not null, fingerprint text not null, registry_version integer not null,
        flags integer not null, content_type text not null, order_key text, rest text
      ) strict;
      create index event_key on event (key);
      create table body (position integer primary key, bytes blob not null) strict;
      create table repeat (
        position integer not null, key text not null, seq integer not null, kind text not null, at real not null,
        id text not null, reason text, fingerprint_key integer not null, fingerprint text not null,
        primary key (position, key)
      ) strict, without rowid;
      create table settlement (
        seq integer primary key, position integer not null, tag text not null, generation integer not null,
        turn integer not null, epoch integer not null, at real not null, status integer not null, since real not null,
        attempt integer not null, attempted_at real, group_name text not null, handler text not null,
        handler_version text, result text, rest text
      ) strict;
      create unique index settlement_run on settlement (position, tag, generation, turn);
      create table checkpoint (
        position integer not null, tag text not null, generation integer not null, step text not null,
        seq integer not null, attempt integer not null, epoch integer not null, at real not null,
        copied integer not null, value text, rest text not null, primary key (position, tag, generation, step)
      ) strict, without rowid;
      create table ledger (
        generation integer not null, identity text not null, position integer not null,
        primary key (generation, identity)
      ) strict, without rowid;`)
    const prepare = (text: string) => this.#database.prepare(text)
    this.#begin = prepare('begin immediate')
    this.#commit = prepare('commit')
    this.#event = prepare(`insert into event values (?, ?, ?, ?, null, ?, 'default', 'stripe', ?,
      'payment_intent.succeeded', 1, ?, 1, 0, 'application/json', null, null)`)
    this.#body = prepare('insert into body values (?, ?)')
    this.#repeat = prepare(`insert into repeat values (?, ?, ?, 'duplicate', ?, ?, null, 1, ?)`)
    this.#settlement = prepare(`insert into settlement values (?, ?, 'cg2ybwd4', 1, 1, 1, ?, 1, ?, 1, ?, 'default',
      'settle-payment', null, '{"ok":true}', null)`)
    this.#checkpoint = prepare(`insert into checkpoint values (?, 'cg2ybwd4', 1, ?, ?, 1, 1, ?, 0, '{"ok":true}', ?)`)
    this.#ledger = prepare('insert into ledger values (?, ?, ?)')
  }

  /** One durable commit of whatever `work` writes. */
  commit(work: () => void): void {
    this.#begin.run()
    work()
    this.#seal()
    this.#commit.run()
  }

  /** An event with its body, once per identity; a repeat is recorded. Answers its position. */
  accept(id: string, bytes: Uint8Array): number {
    const identity = `default/stripe/${id}`
    const at = Date.now()
    const known = this.#known.get(identity)
    // In time order, as the engine's keys are: random ones would slow the index down.
    const key = `01M8${String(this.#sequence).padStart(22, '0')}`
    const fingerprint = 'f'.repeat(43)
    this.#sequence++
    if (known !== undefined) {
      this.#repeat.run(known, key, this.#sequence, at, id, fingerprint)
      return known
    }
    const position = this.#sequence
    this.#event.run(position, key, position % 16, identity, at, id, fingerprint)
    this.#body.run(position, bytes)
    this.#known.set(identity, position)
    this.#newest.push([identity, position])
    if (this.#newest.length >= 65_536) {
      this.#sealing = this.#newest.sort(([one], [other]) => (one < other ? 1 : -1))
      this.#newest = []
      this.#generation++
    }
    return position
  }

  settle(position: number): void {
    const at = Date.now()
    this.#settlement.run(++this.#sequence, position, at, at, at)
  }

  checkpoint(position: number, step: number): void {
    const at = Date.now()
    this.#checkpoint.run(position, `step:2:s${step}`, ++this.#sequence, at, `{"startedAt":${at},"endedAt":${at}}`)
  }

  close(): void {
    this.#database.close()
  }

  /** Twice as many rows of a sealed generation as a group has events: its cost is spread. */
  #seal(): void {
    for (const [identity, position] of this.#sealing.splice(-128)) {
      this.#ledger.run(this.#generation - 1, identity, position)
    }
  }
}
