import { limits } from '../../kit/limits.ts'
import { plansByKey, stablePlans } from './stable-plans.ts'

// In full where it may be due: of what has settled runs, which a takeover passes over, the body is not read; nor a large one,
// since a page has more rows than are taken of it.
const event = `e.*, s.settled, b.is_whole, b.bytes`
const itsRest = `
        cross join lateral (
          select case when a.unfinished = 1
            then array(select distinct s.tag from :s.settlement s where s.key = e.key) end as settled offset 0) s
        cross join lateral (select coalesce(cardinality(s.settled), 0) = 0 as is_whole offset 0) w
        left join lateral (
          select b.bytes, octet_length(b.bytes) > ${limits.tailBodyBytes} as is_large from :s.body b
          where w.is_whole and b.key = e.key offset 0) x on true
        cross join lateral (
          select w.is_whole and x.is_large is not true as is_whole, case when x.is_large is not true then x.bytes end as bytes
          offset 0) b`
const columns = `e.registry_version, e.key, e.position, e.source, e.type, e.settled, e.is_whole, e.shard, e.fingerprint_key, e.flags,
        e.accepted_at, e.tenant, e.id, e.fingerprint, e.content_type, e.order_key, e.rest, e.bytes`
/** Those of a row that is no event, all but the registry's version, with their types. */
const noEvent = `null::uuid, null::bigint, null::text, null::text, null::text[], null::boolean, null::integer, null::integer,
        null::integer, null::double precision, null::text, null::text, null::text, null::text, null::text, null::text, null::bytea`
// Also what this node had let go of comes again, where all that is unfinished is asked for.
const handed =
  '(a.unfinished = 1 or e.handed_epoch is distinct from a.epoch or e.handed_group is distinct from a.group_name)'

const between = 't.key >= p_least and t.key <= p_greatest'

/**
 * What is read again and again, as functions: their plans are made once per connection and do not change with statistics, and
 * a pooler of transactions keeps them. Sent as they are, a third of their time went into planning over all ranges.
 */
export const readFunctions = `
  -- What came to these pairs: one statement, so that what it finds is of one snapshot.
  create or replace function :s.tail_1(
    p_groups text[], p_shards integer[], p_epochs bigint[], p_after bigint[], p_asked_after bigint[], p_rows integer[],
    p_unfinished integer[], p_late_places integer[], p_late_first bigint[], p_late_last bigint[], p_asked_places integer[],
    p_asked_first bigint[], p_asked_last bigint[]
  ) returns table (
    kind text, place integer, epoch bigint, low_mark bigint, first_xid bigint, snapshot text, intervention jsonb,
    registry_version integer, key uuid, "position" bigint, source text, type text, settled text[], is_whole boolean, shard integer,
    fingerprint_key integer, flags integer, accepted_at double precision, tenant text, id text, fingerprint text, content_type text,
    order_key text, rest text, bytes bytea
  ) language plpgsql ${stablePlans} as $$
  #variable_conflict use_column
  begin
    return query
      with asked as (
        select a.*, p.epoch as now_epoch, p.low_mark
        from unnest(p_groups, p_shards, p_epochs, p_after, p_asked_after, p_rows, p_unfinished)
          with ordinality a(group_name, shard, epoch, after, asked_after, rows, unfinished, place)
        left join :s.pair p on p.group_name = a.group_name and p.shard = a.shard),
      held as (select * from asked a where a.epoch = a.now_epoch)
      select 'snapshot', 0, null::bigint, null::bigint, m.first_xid, pg_current_snapshot()::text, null::jsonb,
        m.registry_version, ${noEvent}
      from :s.meta m
      union all
      -- Of most pairs there is nothing to say: a poll of 64 that found nothing answered as many rows.
      select 'pair', a.place::integer, a.now_epoch, a.low_mark, null, null, null, null, ${noEvent}
      from asked a where a.now_epoch is distinct from a.epoch or a.after is null
      union all
      select 'late', a.place::integer, null, null, null, null, null, ${columns}
      from held a
      join unnest(p_late_places, p_late_first, p_late_last) l(place, first, last) on l.place = a.place
      cross join lateral (
        select ${event} from (
          select e.* from :s.event e where e.shard = a.shard and e.position between l.first and l.last
            and e.position <= a.after and ${handed}
          order by e.position offset 0) e ${itsRest}) e
      union all
      select 'fresh', a.place::integer, null, null, null, null, null, ${columns}
      from held a
      cross join lateral (
        select ${event} from (
          select e.* from :s.event e
          where e.shard = a.shard and e.position > coalesce(a.after, greatest(0, a.low_mark - 1)) and ${handed}
          order by e.position limit a.rows) e ${itsRest}) e
      union all
      select 'intervention', a.place::integer, null, null, null, null, to_jsonb(i), null, ${noEvent}
      from held a
      cross join lateral (
        select i.* from :s.intervention i where i.shard = a.shard and i.answer is null and i.position > a.asked_after) i
      union all
      select 'intervention', a.place::integer, null, null, null, null, to_jsonb(i), null, ${noEvent}
      from held a
      join unnest(p_asked_places, p_asked_first, p_asked_last) l(place, first, last) on l.place = a.place
      cross join lateral (
        select i.* from :s.intervention i
        where i.shard = a.shard and i.answer is null and i.position between l.first and l.last
          and i.position <= a.asked_after) i;
  end $$;

  -- The runs of ordered handlers that stand: they may hold their key.
  create or replace function :s.standing_1(p_group text, p_shard integer) returns table ("row" jsonb)
  language plpgsql ${stablePlans} as $$
  #variable_conflict use_column
  begin
    return query
      select to_jsonb(s) || jsonb_build_object('position', t.position, 'order_key', t.order_key, 'tenant', e.tenant,
        'begun', s.attempt > 0 or exists (
          select from :s.begin_record b where b.key = s.key and b.tag = s.tag and b.generation = s.generation))
      from :s.standing t
      join :s.settlement s on s.key = t.key and s.tag = t.tag and s.generation = t.generation and s.turn = t.turn
      join :s.event e on e.key = t.key
      where t.group_name = p_group and t.shard = p_shard and t.order_key is not null order by t.position;
  end $$;

  -- All that the runs of these events left; where it is asked for, the repeats, and the places of the events. The bounds, the least and the greatest
  -- of the keys, keep all ranges but theirs closed; planned for the keys themselves, a page took a millisecond more.
  create or replace function :s.records_1(p_keys uuid[], p_least uuid, p_greatest uuid, p_repeats boolean, p_places boolean)
  returns table (kind text, "row" jsonb) language plpgsql ${stablePlans} as $$
  #variable_conflict use_column
  begin
    return query
      select 'settlement', to_jsonb(t) from :s.settlement t where t.key = any(p_keys) and ${between}
      union all select 'checkpoint', to_jsonb(t) from :s.checkpoint t where t.key = any(p_keys) and ${between}
      union all select 'begin', to_jsonb(t) from :s.begin_record t where t.key = any(p_keys) and ${between}
      union all select 'intervention', to_jsonb(t) from :s.intervention t where t.event = any(p_keys)
      union all select 'event', jsonb_build_object('key', t.key, 'position', t."position") from :s.event t
        where p_places and t.key = any(p_keys) and ${between}
      union all select 'repeat', to_jsonb(t) from :s.repeat t where p_repeats and t.key = any(p_keys) and ${between};
  end $$;

  create or replace function :s.events_1(p_keys uuid[], p_least uuid, p_greatest uuid) returns table (
    key uuid, "position" bigint, shard integer, registry_version integer, fingerprint_key integer, flags integer,
    accepted_at double precision, tenant text, source text, id text, type text, fingerprint text, content_type text,
    order_key text, rest text, bytes bytea
  ) language plpgsql ${stablePlans} as $$
  #variable_conflict use_column
  begin
    return query
      select t.key, t."position", t.shard, t.registry_version, t.fingerprint_key, t.flags, t.accepted_at, t.tenant, t.source,
        t.id, t.type, t.fingerprint, t.content_type, t.order_key, t.rest, b.bytes
      from :s.event t left join lateral (select b.bytes from :s.body b where b.key = t.key offset 0) b on true
      where t.key = any(p_keys) and ${between};
  end $$;

  create or replace function :s.repeat_counts_1(p_keys uuid[]) returns table (key uuid, duplicates bigint, conflicts bigint)
  language plpgsql stable ${plansByKey} as $$
  #variable_conflict use_column
  begin
    return query
      select t.key, count(*) filter (where t.kind = 'duplicate'), count(*) filter (where t.kind <> 'duplicate')
      from :s.repeat t where t.key = any(p_keys) group by t.key;
  end $$;

  -- A list for people, newest first: the statement is put together as they ask, and its plan must not change with statistics
  -- either. Its values are the places of $1.
  create or replace function :s.list_1(p_statement text, p_values text[]) returns table ("row" jsonb)
  language plpgsql stable ${plansByKey} as $$
  begin
    return query execute 'select to_jsonb(l) from (' || p_statement || ') l' using p_values;
  end $$;
`
