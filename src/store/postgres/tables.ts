/**
 * The tables, version by version; `:s` stands for the schema's name.
 *
 * - What goes well only appends: `ledger`, `event` and `body` at accept, `settlement` at its end. Nothing of it is updated
 *   or deleted, so that neither dead rows nor a pinned horizon can slow it down.
 * - A record's number (`position`, `seq`) is its transaction's id times 8,192, and its place therein. A reader knows from a
 *   snapshot alone which numbers it has seen, and which transactions may still commit below them: it skips no late commit,
 *   and waits for none (decision 15).
 * - Every row of an event carries its key, whose first bytes are its time: what an event leaves lies in ranges of that time
 *   (decision 18), named in `journal_range`, and in a `_default` beside them: what outlived its range, and what was minted
 *   by a clock far off. Retention drops a range, for which `range_scan` and `range_kept` say how far it was looked through,
 *   and what of it stays.
 * - Identities lie in generations (decision 20), of which the newest is written and all are looked at. A later entry of an
 *   identity goes before an earlier one: what is sealed is never updated.
 * - What needs attention stands in a small table of its own, so that looking for trouble never scans the healthy.
 */
export const tableMigrations: readonly string[] = [
  `
  create table :s.meta (
    one integer primary key check (one = 1),
    shards integer not null,
    first_xid bigint not null,
    registry_version integer not null,
    settings_version integer not null,
    timeline text collate "C" not null
  );

  -- Generation 0 is what outlived its own.
  create table :s.ledger (identity uuid not null, key uuid not null, generation integer not null) partition by list (generation);
  create table :s.ledger_0 partition of :s.ledger (primary key (identity)) for values in (0);
  create table :s.ledger_1 partition of :s.ledger (primary key (identity)) for values in (1);
  -- Those that are written: one, or while the newest is new, two; and the last one that was dropped.
  create table :s.ledger_open (
    one integer primary key check (one = 1),
    dropped integer not null,
    oldest integer not null,
    newest integer not null,
    mark bigint
  );
  insert into :s.ledger_open values (1, 0, 1, 1, null);
  -- When it was opened and sealed, and how far it was looked through before it goes.
  create table :s.ledger_generation (
    number integer primary key,
    opened_at double precision not null,
    sealed_at double precision,
    after uuid not null,
    is_through boolean not null
  );
  insert into :s.ledger_generation values (1, 0, null, '00000000-0000-0000-0000-000000000000', false);
  create table :s.event (
    key uuid primary key,
    position bigint not null,
    shard integer not null,
    registry_version integer not null,
    fingerprint_key integer not null,
    flags integer not null,
    accepted_at double precision not null,
    handed_epoch bigint,
    identity uuid not null,
    content uuid,
    tenant text collate "C" not null,
    source text collate "C" not null,
    id text collate "C" not null,
    type text collate "C" not null,
    fingerprint text collate "C" not null,
    content_type text collate "C" not null,
    handed_group text collate "C",
    order_key text collate "C",
    rest text collate "C"
  ) partition by range (key);
  create index event_shard on :s.event (shard, position);
  create table :s.body (key uuid primary key, bytes bytea not null) partition by range (key);
  alter table :s.body alter column bytes set storage external;
  create table :s.unclaimed (position bigint primary key, key uuid not null);
  create table :s.succession (key uuid primary key, earlier uuid not null);
  create table :s.origin (
    key uuid primary key,
    position bigint not null,
    identity uuid not null,
    content uuid,
    accepted_at double precision not null,
    fingerprint_key integer not null,
    fingerprint text collate "C" not null
  );
  -- The second record of an identity whose event came without its fingerprint; and what still waits for one: such events under
  -- their own key, and repeats that could not be judged.
  create table :s.late_fingerprint (
    key uuid primary key,
    fingerprint_key integer not null,
    fingerprint text collate "C" not null
  );
  create table :s.unfingerprinted (
    key uuid not null,
    repeated_by uuid not null,
    seq bigint not null,
    at double precision not null,
    id text collate "C" not null,
    content_type text collate "C",
    bytes bytea,
    primary key (key, repeated_by)
  );
  create table :s.repeat (
    key uuid not null,
    repeated_by uuid not null,
    seq bigint not null,
    kind text collate "C" not null,
    at double precision not null,
    id text collate "C" not null,
    reason text collate "C",
    fingerprint_key integer not null,
    fingerprint text collate "C" not null,
    primary key (key, repeated_by)
  ) partition by range (key);

  create table :s.settlement (
    key uuid not null,
    seq bigint not null,
    epoch bigint not null,
    at double precision not null,
    since double precision not null,
    attempted_at double precision,
    generation integer not null,
    turn integer not null,
    attempt integer not null,
    status integer not null,
    tag text collate "C" not null,
    group_name text collate "C" not null,
    handler text collate "C" not null,
    handler_version text collate "C",
    result text collate "C",
    rest text collate "C",
    primary key (key, tag, generation, turn)
  ) partition by range (key);
  create index settlement_seq on :s.settlement (seq);
  create table :s.standing (
    key uuid not null,
    tag text collate "C" not null,
    position bigint not null,
    seq bigint not null,
    group_name text collate "C" not null,
    shard integer not null,
    generation integer not null,
    turn integer not null,
    status integer not null,
    due_at double precision,
    order_key text collate "C",
    primary key (key, tag)
  );
  create index standing_due on :s.standing (group_name, shard, due_at, position, tag) where due_at is not null;
  create index standing_order on :s.standing (group_name, shard, position) where order_key is not null;
  create index standing_status on :s.standing (status, seq);
  create table :s.checkpoint (
    key uuid not null,
    seq bigint not null,
    epoch bigint not null,
    at double precision not null,
    generation integer not null,
    attempt integer not null,
    copied boolean not null,
    tag text collate "C" not null,
    step text collate "C" not null,
    value text collate "C",
    rest text collate "C" not null,
    primary key (key, tag, generation, step)
  ) partition by range (key);
  create table :s.begin_record (
    key uuid not null,
    seq bigint not null,
    epoch bigint not null,
    at double precision not null,
    generation integer not null,
    attempt integer not null,
    tag text collate "C" not null,
    step text collate "C" not null,
    address text collate "C",
    primary key (key, tag, generation, attempt, step)
  ) partition by range (key);
  create table :s.event_default partition of :s.event default;
  create table :s.body_default partition of :s.body default;
  create table :s.settlement_default partition of :s.settlement default;
  create table :s.checkpoint_default partition of :s.checkpoint default;
  create table :s.begin_record_default partition of :s.begin_record default;
  create table :s.repeat_default partition of :s.repeat default;
  create table :s.journal_range (
    relation text collate "C" not null,
    low_at bigint not null,
    high_at bigint not null,
    name text collate "C" not null,
    tried_at double precision,
    primary key (relation, low_at)
  );
  create table :s.range_scan (
    relation text collate "C" primary key,
    low_at bigint not null,
    high_at bigint not null,
    mark bigint not null,
    after uuid not null,
    ended bigint not null,
    is_through boolean not null
  );
  create table :s.range_kept (relation text collate "C" not null, key uuid not null, primary key (relation, key));

  create table :s.intervention (
    key uuid primary key,
    position bigint not null,
    event uuid not null,
    shard integer not null,
    tag text collate "C" not null,
    verb text collate "C" not null,
    name text collate "C",
    id text collate "C",
    detail text collate "C" not null,
    reason text collate "C",
    actor text collate "C" not null,
    at double precision not null,
    answer text collate "C",
    answer_reason text collate "C",
    answered_at double precision
  );
  create index intervention_event on :s.intervention (event, tag, position);
  create index intervention_open on :s.intervention (shard, position) where answer is null;

  create table :s.node (
    node text collate "C" primary key,
    group_name text collate "C" not null,
    owns boolean not null,
    handlers text collate "C" not null,
    lease_until double precision not null
  );
  create table :s.pair (
    group_name text collate "C" not null,
    shard integer not null,
    epoch bigint not null,
    node text collate "C",
    graceful boolean not null,
    low_mark bigint not null,
    lacks text collate "C",
    primary key (group_name, shard)
  ) with (fillfactor = 50);

  create table :s.handler (
    number integer generated always as identity primary key,
    group_name text collate "C" not null,
    tag text collate "C" not null,
    since_version integer not null,
    until_version integer,
    name text collate "C" not null,
    sources text collate "C" not null,
    types text collate "C" not null,
    first_seen_at double precision not null,
    unique (group_name, tag, since_version)
  );
  create table :s.secret (name text collate "C" primary key, value bytea not null);
  create table :s.pause (
    what text collate "C" not null,
    name text collate "C" not null,
    since double precision not null,
    actor text collate "C" not null,
    reason text collate "C",
    primary key (what, name)
  );
  create table :s.rejected (
    source text collate "C" not null,
    code text collate "C" not null,
    count bigint not null,
    primary key (source, code)
  );
  `,
  // What all nodes share of dependencies: the most that each node may be using of a limit, how the ways to them stand, and the
  // limits that hold in the place of the declared ones.
  `
  create table :s.lent (
    limit_name text collate "C" not null,
    node text collate "C" not null,
    share double precision not null,
    eager boolean not null,
    primary key (limit_name, node)
  ) with (fillfactor = 50);
  create table :s.circuit (
    dependency text collate "C" primary key,
    version integer not null,
    state text collate "C" not null,
    since double precision not null,
    opened_at double precision not null,
    probe_at double precision,
    reason text collate "C" not null,
    actor text collate "C" not null
  );
  create table :s.dependency_limit (
    dependency text collate "C" primary key,
    rate double precision,
    concurrency double precision,
    since double precision not null,
    actor text collate "C" not null,
    reason text collate "C"
  );
  `,
  // The newest version that was processed of each thing outside, as a handler that drops what is older names it.
  `
  create table :s.processed_version (
    tag text collate "C" not null,
    tenant text collate "C" not null,
    key text collate "C" not null,
    version text collate "C" not null,
    raised_at double precision not null,
    primary key (tag, tenant, key)
  ) with (fillfactor = 80);
  `, // What a sealed generation has, as a node can keep it in memory: the first five bytes of each identity, in their order. The
  // token is of this sealing alone: where a server lost it and seals again, what nodes have read counts for nothing.
  `
  alter table :s.ledger_generation add column token uuid;
  update :s.ledger_generation set token = gen_random_uuid() where sealed_at is not null;
  create table :s.ledger_filter (
    generation integer not null,
    page integer not null,
    identities integer not null,
    last uuid not null,
    is_last boolean not null,
    prefixes bytea not null,
    primary key (generation, page)
  );
  alter table :s.ledger_filter alter column prefixes set storage external;
  `,
]
