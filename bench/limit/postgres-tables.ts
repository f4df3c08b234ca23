/**
 * The rows that the engine writes when all goes well, with their indexes: what the limit writes by hand. In one range of time,
 * where the engine's tables are partitioned by it: to find the range is the engine's work.
 */
export const tables = `
  create table ledger (identity uuid primary key, key uuid not null);
  create table event (
    key uuid primary key, position bigint not null, shard integer not null, registry_version integer not null,
    fingerprint_key integer not null, flags integer not null, accepted_at double precision not null, handed_epoch bigint,
    identity uuid not null, content uuid, tenant text collate "C" not null, source text collate "C" not null,
    id text collate "C" not null, type text collate "C" not null, fingerprint text collate "C" not null,
    content_type text collate "C" not null, handed_group text collate "C", order_key text collate "C", rest text collate "C"
  );
  create index event_shard on event (shard, position);
  create table body (key uuid primary key, bytes bytea not null);
  alter table body alter column bytes set storage external;
  create table repeat (
    key uuid not null, repeated_by uuid not null, seq bigint not null, kind text collate "C" not null,
    at double precision not null, id text collate "C" not null, reason text collate "C", fingerprint_key integer not null,
    fingerprint text collate "C" not null, primary key (key, repeated_by)
  );
  create table settlement (
    key uuid not null, seq bigint not null, epoch bigint not null, at double precision not null,
    since double precision not null, attempted_at double precision, generation integer not null, turn integer not null,
    attempt integer not null, status integer not null, tag text collate "C" not null, group_name text collate "C" not null,
    handler text collate "C" not null, handler_version text collate "C", result text collate "C", rest text collate "C",
    primary key (key, tag, generation, turn)
  );
  create index settlement_seq on settlement (seq);
  create table checkpoint (
    key uuid not null, seq bigint not null, epoch bigint not null, at double precision not null, generation integer not null,
    attempt integer not null, copied boolean not null, tag text collate "C" not null, step text collate "C" not null,
    value text collate "C", rest text collate "C" not null, primary key (key, tag, generation, step)
  );
`
