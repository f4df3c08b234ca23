import { beatLock } from './lock-functions.ts'
import { pairLock } from './pair-lock.ts'

/** Transactions that a server may have lost at most when another takes its place: hours of any load. */
const numbersApart = 2 ** 24

/** Leases, the sharing out of pairs, and the registry. */
export const beatFunctions = `
  create or replace function :s.drop_lapsed_1(p_at double precision) returns void language plpgsql as $$
  begin
    delete from :s.node n where n.lease_until < p_at;
    if found then
      update :s.pair p set node = null, graceful = false
      where p.node is not null and not exists (select from :s.node n where n.node = p.node);
      delete from :s.lent l where not exists (select from :s.node n where n.node = l.node);
    end if;
  end $$;

  -- The history that the server writes: another one since a standby was promoted, or a backup restored. Null where a server
  -- does not say.
  create or replace function :s.timeline_1() returns text language plpgsql as $$
  begin
    return substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
  exception when others then
    return null;
  end $$;

  -- On another timeline what the server before had committed may be lost, and the ids of those transactions are given once
  -- more. All that is numbered from now on lies above what anybody may have read; every pair is free, so that its next owner
  -- reads from the mark that was kept. Who writes is waited for, since its numbers are of before; not for long: at the next beat.
  create or replace function :s.note_timeline_1() returns void language plpgsql set lock_timeout = '100ms' as $$
  declare
    before text := (select m.timeline from :s.meta m);
    here text := :s.timeline_1();
  begin
    if before = here or here is null then return; end if;
    if before <> '' then
      lock table :s.event in share row exclusive mode;
      update :s.pair p set node = null, graceful = false;
    end if;
    update :s.meta set timeline = here, first_xid = first_xid + case when before = '' then 0 else ${numbersApart} end;
  exception when lock_not_available then
    return;
  end $$;

  create or replace function :s.standing_of_group_1(p_group text, p_at double precision) returns jsonb language sql as $$
    select jsonb_build_object('now', p_at,
      'nodes', (select coalesce(jsonb_agg(jsonb_build_object('node', n.node, 'owns', n.owns, 'handlers', n.handlers,
        'left', n.lease_until - p_at) order by n.node), '[]') from :s.node n where n.group_name = p_group),
      'pairs', (select coalesce(jsonb_agg(jsonb_build_object('shard', p.shard, 'epoch', p.epoch, 'node', p.node,
        'graceful', p.graceful, 'lacks', p.lacks) order by p.shard), '[]') from :s.pair p where p.group_name = p_group),
      'registryVersion', m.registry_version, 'settingsVersion', m.settings_version)
    from :s.meta m
  $$;

  -- A node's beat but for the granting of pairs, which its node works out from this answer. Of the limits that it claims the
  -- answer has its shares; without any, it gives back what it had.
  create or replace function :s.beat_2(
    p_now double precision, p_node text, p_group text, p_takes boolean, p_handlers text, p_lease_ms double precision,
    p_release jsonb, p_low_marks jsonb, p_limits jsonb
  ) returns jsonb language plpgsql as $$
  declare
    at double precision;
  begin
    perform :s.lock_alone_1(${beatLock});
    at := :s.now_1(p_now);
    -- Its own lease may have run out: then what it holds goes through a takeover like any other.
    perform :s.drop_lapsed_1(at);
    perform :s.note_timeline_1();
    insert into :s.node values (p_node, p_group, p_takes, p_handlers, at + p_lease_ms)
    on conflict (node) do update set group_name = excluded.group_name, owns = excluded.owns, handlers = excluded.handlers,
      lease_until = excluded.lease_until;
    insert into :s.pair select p_group, n, 0, null, true, 0, null from generate_series(0, (select shards - 1 from :s.meta)) n
    where not exists (select from :s.pair p where p.group_name = p_group and p.shard = n)
    on conflict do nothing;
    update :s.pair p set node = null, graceful = true, lacks = r.lacks
    from jsonb_to_recordset(p_release) r("group" text, shard integer, epoch bigint, lacks text)
    where p.group_name = p_group and p.shard = r.shard and p.epoch = r.epoch and p.node = p_node;
    update :s.pair p set low_mark = m."position"
    from jsonb_to_recordset(p_low_marks) m("group" text, shard integer, epoch bigint, "position" bigint)
    where p.group_name = p_group and p.shard = m.shard and p.epoch = m.epoch and p.node = p_node and p.low_mark < m."position";
    if p_limits is null then
      delete from :s.lent l where l.node = p_node;
      return :s.standing_of_group_1(p_group, at);
    end if;
    return :s.standing_of_group_1(p_group, at) || jsonb_build_object('limits', :s.lend_all_1(p_node, p_limits, at));
  end $$;

  -- Of a node of the version before, which knows of no limits.
  create or replace function :s.beat_1(
    p_now double precision, p_node text, p_group text, p_takes boolean, p_handlers text, p_lease_ms double precision,
    p_release jsonb, p_low_marks jsonb
  ) returns jsonb language sql as $$
    select :s.beat_2(p_now, p_node, p_group, p_takes, p_handlers, p_lease_ms, p_release, p_low_marks, null)
  $$;

  -- Gives free pairs to a node; one whose epoch has moved on since went to another.
  create or replace function :s.grant_1(
    p_now double precision, p_node text, p_group text, p_shards integer[], p_epochs bigint[], p_lacks text[]
  ) returns jsonb language plpgsql as $$
  begin
    perform :s.lock_alone_1(${beatLock});
    -- A grant waits for what passed the check under the epoch before (G6): flushes hold the lock, transactions also the row.
    perform :s.lock_alone_1(l.number) from (
      select ${pairLock('p_group', 'u.shard')} as number from unnest(p_shards) u(shard) order by 1) l;
    perform from :s.pair p where p.group_name = p_group and p.shard = any(p_shards) order by p.shard for update;
    update :s.pair p set node = p_node, epoch = p.epoch + 1, lacks = g.lacks
    from unnest(p_shards, p_epochs, p_lacks) g(shard, epoch, lacks)
    where p.group_name = p_group and p.shard = g.shard and p.epoch = g.epoch and p.node is null
      and exists (select from :s.node n where n.node = p_node);
    return :s.standing_of_group_1(p_group, :s.now_1(p_now));
  end $$;

  -- A node that registers counts as alive until its first beat must have come. Answers who else lives, with what.
  create or replace function :s.announce_1(
    p_now double precision, p_node text, p_group text, p_handlers text, p_lease_ms double precision
  ) returns setof text language plpgsql as $$
  declare
    at double precision;
  begin
    perform :s.lock_alone_1(${beatLock});
    at := :s.now_1(p_now);
    perform :s.drop_lapsed_1(at);
    insert into :s.node values (p_node, p_group, false, p_handlers, at + p_lease_ms)
    on conflict (node) do update set handlers = excluded.handlers;
    return query select n.handlers from :s.node n where n.group_name = p_group and n.node <> p_node;
  end $$;

  -- Writes the next registry version; null where another node has written one since.
  create or replace function :s.write_registry_1(
    p_now double precision, p_group text, p_seen integer, p_closed text[], p_opened jsonb
  ) returns integer language plpgsql as $$
  declare
    version integer;
  begin
    update :s.meta set registry_version = registry_version + 1 where registry_version = p_seen returning registry_version into version;
    if not found then return null; end if;
    update :s.handler h set until_version = version where h.group_name = p_group and h.tag = any(p_closed) and h.until_version is null;
    insert into :s.handler (group_name, tag, since_version, name, sources, types, first_seen_at)
    select p_group, x.tag, version, x.name, x.sources, x.types, coalesce(x.first_seen_at, :s.now_1(p_now))
    from jsonb_to_recordset(p_opened) x(tag text, name text, sources text, types text, first_seen_at double precision);
    return version;
  end $$;
`
