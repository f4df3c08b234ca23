import type { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../../errors/hapax-error.ts'
import { rollBack } from './connection.ts'

/**
 * The tables. Three rules made them:
 *
 * - What goes well only appends: `event` and `body` at accept, `settlement` at its end. Nothing of it is updated.
 * - One sequence (`progress.last_seq`) numbers every record of every table in commit order; an event's and an
 *   intervention's number is its position. There is one writer at a time, so no number is committed late.
 * - What needs attention stands in a small table of its own (`standing`, `unclaimed`, open interventions), so that looking
 *   for trouble never scans the healthy.
 *
 * The identity of a recent event is found in the writer's memory, rebuilt from `event` rows above
 * `progress.watermark`; older ones in `ledger`, in sorted generations (see ledger.ts), which names positions alone: what
 * else is known of the first event of an identity is in its `event` row, and in `origin` once retention dropped that. A B-tree on random identities
 * beside the events cost half of the accepts per second empty, and three quarters at 600,000 rows.
 */
const migrations: readonly string[] = [
  `
  create table progress (
    one integer primary key check (one = 1),
    last_seq integer not null,
    watermark integer not null,
    events integer not null,
    purged_to integer not null,
    shards integer not null,
    registry_version integer not null,
    settings_version integer not null
  ) strict;

  create table event (
    position integer primary key,
    key text not null,
    shard integer not null,
    identity text not null,
    content text,
    accepted_at real not null,
    tenant text not null,
    source text not null,
    id text not null,
    type text not null,
    fingerprint_key integer not null,
    fingerprint text not null,
    registry_version integer not null,
    flags integer not null,
    content_type text not null,
    order_key text,
    rest text
  ) strict;
  create index event_key on event (key);
  create table body (position integer primary key, bytes blob not null) strict;
  create table unclaimed (position integer primary key) strict;

  create table repeat (
    position integer not null,
    key text not null,
    seq integer not null,
    kind text not null,
    at real not null,
    id text not null,
    reason text,
    fingerprint_key integer not null,
    fingerprint text not null,
    primary key (position, key)
  ) strict, without rowid;

  create table settlement (
    seq integer primary key,
    position integer not null,
    tag text not null,
    generation integer not null,
    turn integer not null,
    epoch integer not null,
    at real not null,
    status integer not null,
    since real not null,
    attempt integer not null,
    attempted_at real,
    group_name text not null,
    handler text not null,
    handler_version text,
    result text,
    rest text
  ) strict;
  create unique index settlement_run on settlement (position, tag, generation, turn);

  create table standing (
    position integer not null,
    tag text not null,
    seq integer not null,
    group_name text not null,
    shard integer not null,
    status integer not null,
    due_at real,
    order_key text,
    primary key (position, tag)
  ) strict, without rowid;
  create index standing_due on standing (group_name, shard, due_at) where due_at is not null;
  create index standing_order on standing (group_name, shard, position) where order_key is not null;
  create index standing_status on standing (status, seq);

  create table checkpoint (
    position integer not null,
    tag text not null,
    generation integer not null,
    step text not null,
    seq integer not null,
    attempt integer not null,
    epoch integer not null,
    at real not null,
    copied integer not null,
    value text,
    rest text not null,
    primary key (position, tag, generation, step)
  ) strict, without rowid;

  create table begin_record (
    position integer not null,
    tag text not null,
    generation integer not null,
    attempt integer not null,
    step text not null,
    seq integer not null,
    epoch integer not null,
    at real not null,
    address text,
    primary key (position, tag, generation, attempt, step)
  ) strict, without rowid;

  create table intervention (
    position integer primary key,
    key text not null,
    event text not null,
    event_position integer not null,
    shard integer not null,
    tag text,
    verb text not null,
    name text,
    id text,
    detail text not null,
    reason text,
    actor text not null,
    at real not null,
    answer text,
    answer_reason text,
    answered_at real
  ) strict;
  create unique index intervention_key on intervention (key);
  create index intervention_run on intervention (event_position, tag);
  create index intervention_open on intervention (shard, position) where answer is null;

  create table ledger (
    generation integer not null,
    identity text not null,
    position integer not null,
    primary key (generation, identity)
  ) strict, without rowid;
  create table ledger_generation (
    generation integer primary key,
    state text not null,
    tier integer not null,
    entries integer not null,
    up_to integer not null,
    sources text,
    progress text not null,
    bloom blob
  ) strict;
  create table origin (
    position integer primary key,
    identity text not null,
    content text,
    key text not null,
    accepted_at real not null,
    fingerprint_key integer not null,
    fingerprint text not null
  ) strict;

  create table node (
    node text primary key,
    group_name text not null,
    owns integer not null,
    handlers text not null,
    boot text not null,
    lease_until real not null
  ) strict, without rowid;
  create table pair (
    group_name text not null,
    shard integer not null,
    epoch integer not null,
    node text,
    graceful integer not null,
    low_mark integer not null,
    primary key (group_name, shard)
  ) strict, without rowid;

  create table handler (
    group_name text not null,
    tag text not null,
    since_version integer not null,
    until_version integer,
    name text not null,
    sources text not null,
    types text not null,
    first_seen_at real not null,
    primary key (group_name, tag, since_version)
  ) strict;
  create table secret (name text primary key, value blob not null) strict, without rowid;
  create table pause (
    what text not null,
    name text not null,
    since real not null,
    actor text not null,
    reason text,
    primary key (what, name)
  ) strict, without rowid;
  create table rejected (
    source text not null,
    code text not null,
    count integer not null,
    primary key (source, code)
  ) strict, without rowid;
  `,
  // A pair that was given back for want of a handler says so.
  'alter table pair add column lacks text',
  // An event whose identity had one before it: a window had passed. Retention remembers both or the earlier alone.
  'create table succession (position integer primary key, earlier integer not null) strict',
  // What all nodes share of dependencies: the most that each node may be using of a limit, how the ways to them stand, and the
  // limits that hold in the place of the declared ones.
  `
  create table lent (
    limit_name text not null,
    node text not null,
    share real not null,
    eager integer not null,
    primary key (limit_name, node)
  ) strict, without rowid;
  create table circuit (
    dependency text primary key,
    version integer not null,
    state text not null,
    since real not null,
    opened_at real not null,
    probe_at real,
    reason text not null,
    actor text not null
  ) strict, without rowid;
  create table dependency_limit (
    dependency text primary key,
    rate real,
    concurrency real,
    since real not null,
    actor text not null,
    reason text
  ) strict, without rowid;
  `,
  // The newest version that was processed of each thing outside, as a handler that drops what is older names it.
  `
  create table processed_version (
    tag text not null,
    tenant text not null,
    key text not null,
    version text not null,
    raised_at real not null,
    primary key (tag, tenant, key)
  ) strict, without rowid;
  `,
]

/** The schema that this code reads and writes. */
export const schemaVersion = migrations.length

/**
 * Brings the file to this schema. Safe from several processes at once: each step is one transaction that takes the write
 * lock first, and looks again what is there.
 *
 * @throws `schema_too_new`, where a later Hapax wrote the file.
 */
export function migrateSchema(database: DatabaseSync, shards: number): void {
  if (versionOf(database) === schemaVersion) return
  database.exec('begin immediate')
  try {
    const found = versionOf(database)
    if (found > schemaVersion) throw new HapaxError('schema_too_new', { found, wanted: schemaVersion })
    for (const step of migrations.slice(found)) database.exec(step)
    if (found === 0) {
      database.prepare('insert into progress values (1, 0, 0, 0, 0, ?, 0, 0)').run(shards)
    }
    database.exec(`pragma user_version = ${schemaVersion}`)
    database.exec('commit')
  } catch (error) {
    rollBack(database)
    throw error
  }
}

/**
 * Whether this code reads the file as it is.
 *
 * @throws `store_refused` for an earlier schema, `schema_too_new`.
 */
export function checkSchema(database: DatabaseSync): void {
  const found = versionOf(database)
  if (found > schemaVersion) throw new HapaxError('schema_too_new', { found, wanted: schemaVersion })
  if (found === 0) throw new HapaxError('store_refused', { reason: 'no store in this file: run hapax migrate' })
  if (found < schemaVersion) {
    const reason = `its schema is ${found}, and this version's ${schemaVersion}: run hapax migrate`
    throw new HapaxError('store_refused', { reason })
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('pragma user_version').get()?.user_version ?? 0)
}

/** How many shards the file was made with. */
export function readShards(database: DatabaseSync): number {
  return Number(database.prepare('select shards from progress').get()?.shards ?? 0)
}
