import { stablePlans } from './stable-plans.ts'

/** What is laid in ranges, the truth about an event first: once its range is gone, so is the event. */
export const rangedRelations = ['event', 'body', 'settlement', 'checkpoint', 'begin_record', 'repeat'] as const

/** One of {@link rangedRelations}. */
export type RangedRelation = (typeof rangedRelations)[number]

/** Runs as the owner of the tables, so that a role that only serves keeps ranges in order. */
export const asOwner = 'security definer set search_path = pg_catalog, pg_temp'

/** What whoever changes tables holds alone until all can know what was changed. */
export const tablesLock = "hashtext('hapax ranges'), hashtext(':s')"

/** At most one node at a time changes tables, and none waits longer than it says. */
export const alone = `
    perform set_config('lock_timeout', p_wait_ms::text, true);
    perform pg_advisory_xact_lock(${tablesLock});`

/**
 * Ranges of the journal: made ahead, looked through, dropped. Whatever changes a table asks for a lock that stands in the way
 * of all others, so it waits for a moment only, and gives way.
 */
export const rangeFunctions = `
  -- The least key of a time: its first 48 bits are milliseconds.
  create or replace function :s.edge_1(p_at bigint) returns uuid language sql immutable as $$
    select (lpad(to_hex(p_at), 12, '0') || '00000000000000000000')::uuid
  $$;

  -- Makes the range of now and the next two, where they are missing. A time whose keys lie in the default already stays there.
  create or replace function :s.make_ranges_1(
    p_now double precision, p_relation text, p_width_ms bigint, p_wait_ms integer
  ) returns integer language plpgsql ${asOwner} as $$
  declare
    now_at bigint := :s.now_1(p_now)::bigint;
    first_at bigint := now_at / p_width_ms * p_width_ms;
    from_at bigint;
    to_at bigint;
    is_taken boolean;
    name text;
    made integer := 0;
  begin
    ${alone}
    select high_at into from_at from :s.journal_range where relation = p_relation order by low_at desc limit 1;
    from_at := greatest(from_at, first_at);
    while from_at <= first_at + 2 * p_width_ms loop
      to_at := (from_at / p_width_ms + 1) * p_width_ms;
      execute format('select exists (select from :s.%I where key >= $1 and key < $2)', p_relation || '_default')
        into is_taken using :s.edge_1(from_at), :s.edge_1(to_at);
      if not is_taken then
        name := p_relation || to_char(to_timestamp(from_at / 1000.0) at time zone 'UTC',
          case when from_at % 86400000 = 0 then '_YYYYMMDD' else '_YYYYMMDD_HH24MISS_MS' end);
        -- Attached, not made as a partition: that would shut out writers too.
        execute format('create table :s.%I (like :s.%I including all)', name, p_relation);
        execute format('alter table :s.%I attach partition :s.%I for values from (%L) to (%L)',
          p_relation, name, :s.edge_1(from_at), :s.edge_1(to_at));
        insert into :s.journal_range values (p_relation, from_at, to_at, name);
        made := made + 1;
      end if;
      from_at := to_at;
    end loop;
    return made;
  end $$;

  -- The youngest range that has doubled since it got its statistics: nobody gives its parent any, and its own come late.
  create or replace function :s.grown_range_1() returns text language sql stable as $$
    select r.name from :s.journal_range r join pg_class c on c.relname = r.name and c.relnamespace = to_regnamespace(':s')
    where pg_relation_size(c.oid) > greatest(1048576, 2 * c.relpages::bigint * current_setting('block_size')::bigint)
    order by r.low_at desc limit 1
  $$;

  create or replace function :s.analyse_range_1() returns text language plpgsql ${asOwner} as $$
  declare
    found_name text := :s.grown_range_1();
  begin
    if found_name is not null then
      perform set_config('lock_timeout', '100', true);
      execute format('analyze :s.%I', found_name);
    end if;
    return found_name;
  exception when lock_not_available then
    return null;
  end $$;

  -- How far this range was looked through; begins where it was not. What transactions write that are open now, or begin later,
  -- lies at the mark or above it.
  create or replace function :s.range_scan_1(p_relation text, p_low_at bigint, p_high_at bigint) returns :s.range_scan
  language plpgsql as $$
  declare
    scan :s.range_scan;
  begin
    select s.* into scan from :s.range_scan s where s.relation = p_relation;
    if found and scan.low_at = p_low_at then return scan; end if;
    delete from :s.range_kept k where k.relation = p_relation;
    insert into :s.range_scan as s
    select p_relation, p_low_at, p_high_at, (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + m.first_xid) * 8192,
      :s.edge_1(p_low_at - 1), 0, false
    from :s.meta m
    on conflict (relation) do update set low_at = excluded.low_at, high_at = excluded.high_at, mark = excluded.mark,
      after = excluded.after, ended = 0, is_through = false
    returning s.* into scan;
    return scan;
  end $$;

  create or replace function :s.range_page_1(p_low_at bigint, p_high_at bigint, p_after uuid, p_rows integer) returns table (
    key uuid, source text, type text, registry_version integer, accepted_at double precision, stands boolean, settled text[]
  ) language plpgsql ${stablePlans} as $$
  #variable_conflict use_column
  begin
    return query select e.key, e.source, e.type, e.registry_version, e.accepted_at,
      exists (select from :s.standing t where t.key = e.key)
        or exists (select from :s.unfingerprinted w where w.key = e.key and w.repeated_by = e.key),
      array(select distinct s.tag from :s.settlement s where s.key = e.key)
    from :s.event e
    where e.key > p_after and e.key >= :s.edge_1(p_low_at) and e.key < :s.edge_1(p_high_at)
    order by e.key limit p_rows;
  end $$;

  -- A page was judged: what stays is noted, and the identities of what goes outlive it. False: another node was first.
  create or replace function :s.range_judged_1(
    p_relation text, p_low_at bigint, p_from uuid, p_after uuid, p_is_through boolean, p_stays uuid[], p_goes uuid[]
  ) returns boolean language plpgsql ${stablePlans} as $$
  begin
    update :s.range_scan s set after = p_after, ended = s.ended + coalesce(cardinality(p_goes), 0), is_through = p_is_through
      where s.relation = p_relation and s.low_at = p_low_at and s.after = p_from and not s.is_through;
    if not found then return false; end if;
    insert into :s.range_kept select p_relation, k from unnest(p_stays) k on conflict do nothing;
    if p_relation = 'event' then
      insert into :s.origin
      select e.key, e."position", e.identity, e.content, e.accepted_at, e.fingerprint_key, e.fingerprint
      from unnest(p_goes) g(key) join :s.event e on e.key = g.key
      on conflict do nothing;
    end if;
    return true;
  end $$;

  create or replace function :s.lock_holders_1(p_relation text) returns table (virtualtransaction text)
  language sql volatile as $$
    select l.virtualtransaction from pg_locks l
    where l.relation = to_regclass(format(':s.%I', p_relation)) and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
  $$;

  -- Who holds a table for long is not waited for: whoever came after us would wait behind us.
  create or replace function :s.is_held_1(p_relation text) returns boolean language plpgsql as $$
  declare
    holders text[] := array(select l.virtualtransaction from :s.lock_holders_1(p_relation) l);
  begin
    if holders = '{}' then return false; end if;
    perform pg_sleep(0.05);
    return exists (select from :s.lock_holders_1(p_relation) l where l.virtualtransaction = any(holders));
  end $$;

  -- Drops a range, and keeps of it in the default: where it was looked through, what was noted, what stands, and what came
  -- since; else, since its events are gone, what belongs to those that stay.
  create or replace function :s.drop_range_1(
    p_now double precision, p_relation text, p_low_at bigint, p_most integer, p_wait_ms integer,
    out outcome text, out dropped bigint
  ) language plpgsql ${asOwner} as $$
  declare
    part :s.journal_range;
    scan :s.range_scan;
    low uuid := :s.edge_1(p_low_at);
    high uuid;
    stays uuid[];
  begin
    dropped := 0;
    if :s.is_held_1(p_relation) then
      outcome := 'busy';
      return;
    end if;
    begin
      ${alone}
      select r.* into part from :s.journal_range r where r.relation = p_relation and r.low_at = p_low_at;
      if not found then
        outcome := 'gone';
        return;
      end if;
      high := :s.edge_1(part.high_at);
      execute format('lock table only :s.%I in access exclusive mode', p_relation);
      select s.* into scan from :s.range_scan s where s.relation = p_relation and s.low_at = p_low_at and s.is_through;
      if found then
        stays := array(
          select k.key from :s.range_kept k where k.relation = p_relation
          union select t.key from :s.standing t where t.key >= low and t.key < high
          union select w.key from :s.unfingerprinted w where w.key >= low and w.key < high and w.repeated_by = w.key
          union select i.event from :s.intervention i where i.event >= low and i.event < high and i."position" >= scan.mark
          union select e.key from :s.meta m cross join generate_series(0, m.shards - 1) n cross join lateral (
            select e.key from :s.event e
            where e.shard = n and e."position" >= scan.mark and e.key >= low and e.key < high) e
          limit p_most + 1);
        select greatest(0, scan.ended - cardinality(stays) + count(*)) into dropped
          from :s.range_kept k where k.relation = p_relation;
      elsif p_relation <> 'event' and not exists (select from :s.journal_range r
          where r.relation = 'event' and r.low_at < part.high_at and r.high_at > p_low_at) then
        stays := array(select e.key from :s.event e where e.key >= low and e.key < high limit p_most + 1);
      else
        outcome := 'gone';
        return;
      end if;
      if cardinality(stays) > p_most then
        update :s.journal_range r set tried_at = :s.now_1(p_now) where r.relation = p_relation and r.low_at = p_low_at;
        delete from :s.range_scan s where s.relation = p_relation and s.low_at = p_low_at;
        outcome := 'much';
        dropped := 0;
        return;
      end if;
      execute format('alter table :s.%I detach partition :s.%I', p_relation, part.name);
      execute format('insert into :s.%I select t.* from :s.%I t where t.key = any($1)', p_relation, part.name) using stays;
      execute format('drop table :s.%I', part.name);
      delete from :s.journal_range r where r.relation = p_relation and r.low_at = p_low_at;
      delete from :s.range_scan s where s.relation = p_relation and s.low_at = p_low_at;
      delete from :s.range_kept k where k.relation = p_relation;
      outcome := 'dropped';
    exception when lock_not_available then
      outcome := 'busy';
      dropped := 0;
    end;
  end $$;

  -- They run with their owner's rights: for who is told so, not for everyone who may use the schema.
  revoke execute on function :s.make_ranges_1(double precision, text, bigint, integer), :s.analyse_range_1(),
    :s.drop_range_1(double precision, text, bigint, integer, integer) from public;
`
