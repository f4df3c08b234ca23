import { stablePlans } from './stable-plans.ts'

/** The one door for writes: a whole commit in one call. */
export const commitFunction = `
  -- One commit: every item judged alone, in the order accept, intervene, begin, checkpoint, settle, answer, reject.
  create or replace function :s.commit_1(
    p_now double precision, p_careful boolean,
    p_pair_groups text[], p_pair_shards integer[],
    p_accepts integer, p_emit_of integer[], p_plain boolean, p_unclaimed boolean,
    a_key uuid[], a_shard integer[], a_identity uuid[], a_tenant text[], a_source text[], a_id text[], a_type text[],
    a_fingerprint_key integer[], a_fingerprint text[], a_registry_version integer[], a_flags integer[],
    a_content_type text[], a_order_key text[], a_rest text[], a_window double precision[], a_content_window double precision[],
    a_handed_group text[], a_handed_epoch bigint[], a_bytes bytea, a_byte_from integer[], a_byte_count integer[], a_more jsonb,
    p_intervene jsonb,
    b_group text[], b_shard integer[], b_epoch bigint[], b_key uuid[], b_tag text[], b_generation integer[], b_attempt integer[],
    b_step text[], b_address text[], b_at double precision[],
    c_group text[], c_shard integer[], c_epoch bigint[], c_key uuid[], c_tag text[], c_generation integer[], c_attempt integer[],
    c_step text[], c_value text[], c_rest text[],
    s_group text[], s_shard integer[], s_epoch bigint[], s_key uuid[], s_tag text[], s_generation integer[], s_attempt integer[],
    s_turn integer[], s_status integer[], s_since double precision[], s_due_at double precision[], s_seen bigint[],
    s_attempted_at double precision[], s_handler text[], s_version text[], s_result text[], s_rest text[], s_keep text[],
    s_alone integer[],
    p_answer jsonb, p_reject jsonb,
    out "now" double precision, out first_number bigint, out accept jsonb, out intervene jsonb, out begin_ jsonb,
    out checkpoint jsonb, out settle jsonb, out answer jsonb
  ) language plpgsql ${stablePlans} set lock_timeout = '250ms' as $$
  declare
    n_accept integer := coalesce(cardinality(a_key), 0);
    n_begin integer := coalesce(cardinality(b_key), 0);
    n_checkpoint integer := coalesce(cardinality(c_key), 0);
    n_settle integer := coalesce(cardinality(s_key), 0);
    n_intervene integer := coalesce(jsonb_array_length(p_intervene), 0);
    fresh uuid[];
    number bigint;
    i integer;
    item jsonb;
    found_row record;
    outcome text;
    stale boolean;
    written integer[];
  begin
    "now" := :s.now_1(p_now);
    first_number := :s.take_numbers_1(n_accept + n_intervene + n_begin + n_checkpoint + n_settle);
    number := first_number;

    if cardinality(p_pair_groups) > 0 then
      -- The fence (G6): a takeover, which takes these rows for update, waits for this commit or is seen by it.
      perform from :s.pair p where (p.group_name, p.shard) in (select * from unnest(p_pair_groups, p_pair_shards))
        order by p.group_name, p.shard for key share;
    end if;

    if p_accepts > 0 and p_plain and not p_careful then
      with claimed as (
        insert into :s.ledger as l
        select distinct on (u.identity) u.identity, u.key
        from unnest(a_identity, a_key) with ordinality u(identity, key, place) where u.place <= p_accepts
        order by u.identity, u.place
        on conflict do nothing returning l.key)
      select array_agg(c.key) into fresh from claimed c;
      if fresh is not null then
        with kept as (
          insert into :s.event as e
          select u.key, number + u.place - 1, u.shard, u.registry_version, u.fingerprint_key, u.flags, "now", u.handed_epoch,
            u.identity, null, u.tenant, u.source, u.id, u.type, u.fingerprint, u.content_type, u.handed_group, u.order_key, u.rest
          from unnest(a_key, a_shard, a_registry_version, a_fingerprint_key, a_flags, a_handed_epoch, a_identity, a_tenant,
            a_source, a_id, a_type, a_fingerprint, a_content_type, a_handed_group, a_order_key, a_rest)
            with ordinality u(key, shard, registry_version, fingerprint_key, flags, handed_epoch, identity, tenant,
              source, id, type, fingerprint, content_type, handed_group, order_key, rest, place)
          where u.place <= p_accepts and (cardinality(fresh) = p_accepts or u.key = any(fresh))
          returning e."position", e.key),
        bodies as (
          insert into :s.body
          select k.key, substring(a_bytes from a_byte_from[k."position" - number + 1] for a_byte_count[k."position" - number + 1])
          from kept k)
        select array_agg((k."position" - number + 1)::integer) into written from kept k;
        if p_unclaimed then
          insert into :s.unclaimed
          select u.key from unnest(a_key, a_flags) with ordinality u(key, flags, place)
          where u.place <= p_accepts and u.flags & 2 <> 0 and u.key = any(fresh) on conflict do nothing;
        end if;
      end if;
    end if;
    for i in 1 .. p_accepts loop
      exit when cardinality(written) = p_accepts;
      if i = any(written) then continue; end if;
      item := :s.accept_at_1("now", number + i - 1, i, p_careful, a_key, a_shard, a_identity, a_tenant, a_source, a_id, a_type,
        a_fingerprint_key, a_fingerprint, a_registry_version, a_flags, a_content_type, a_order_key, a_rest, a_window,
        a_content_window, a_handed_group, a_handed_epoch, a_bytes, a_byte_from, a_byte_count, a_more);
      accept := coalesce(accept, '[]') || jsonb_build_array(item || jsonb_build_object('i', i - 1));
    end loop;
    number := number + p_accepts;

    for i in 0 .. n_intervene - 1 loop
      intervene := coalesce(intervene, '[]') || jsonb_build_array(:s.intervene_one_1("now", number, p_intervene -> i));
      number := number + 1;
    end loop;

    if n_begin > 0 then
      insert into :s.begin_record
      select u.key, number + u.place - 1, u.epoch, u.at, u.generation, u.attempt, u.tag, u.step, u.address
      from unnest(b_group, b_shard, b_epoch, b_key, b_tag, b_generation, b_attempt, b_step, b_address, b_at)
        with ordinality u(group_name, shard, epoch, key, tag, generation, attempt, step, address, at, place)
      join :s.pair p on p.group_name = u.group_name and p.shard = u.shard and p.epoch = u.epoch
      join :s.event e on e.key = u.key
      on conflict do nothing;
      select jsonb_agg(u.place - 1) into begin_
      from unnest(b_group, b_shard, b_epoch, b_key, b_tag, b_generation, b_attempt, b_step)
        with ordinality u(group_name, shard, epoch, key, tag, generation, attempt, step, place)
      where not exists (select from :s.begin_record r where r.key = u.key and r.tag = u.tag and r.generation = u.generation
          and r.attempt = u.attempt and r.step = u.step
          and (r.epoch = u.epoch or exists (
            select from :s.pair p where p.group_name = u.group_name and p.shard = u.shard and p.epoch = u.epoch)));
      number := number + n_begin;
    end if;

    if n_checkpoint > 0 then
      with ready as (
        select u.*, number + u.place - 1 as seq
        from unnest(c_group, c_shard, c_epoch, c_key, c_tag, c_generation, c_attempt, c_step, c_value, c_rest)
          with ordinality u(group_name, shard, epoch, key, tag, generation, attempt, step, value, rest, place)
        join :s.pair p on p.group_name = u.group_name and p.shard = u.shard and p.epoch = u.epoch
        join :s.event e on e.key = u.key),
      kept as (
        insert into :s.checkpoint as c
        select r.key, r.seq, r.epoch, "now", r.generation, r.attempt, false, r.tag, r.step, r.value, r.rest from ready r
        on conflict do nothing returning c.seq)
      select coalesce(array_agg((k.seq - number + 1)::integer), '{}') into written from kept k;
      if cardinality(written) < n_checkpoint then
        for i in 1 .. n_checkpoint loop
          if i = any(written) then continue; end if;
          stale := not exists (select from :s.pair p
            where p.group_name = c_group[i] and p.shard = c_shard[i] and p.epoch = c_epoch[i]);
          select c.* into found_row from :s.checkpoint c
            where c.key = c_key[i] and c.tag = c_tag[i] and c.generation = c_generation[i] and c.step = c_step[i];
          if found and found_row.attempt = c_attempt[i] and found_row.epoch = c_epoch[i] and not found_row.copied then
            continue;
          end if;
          checkpoint := coalesce(checkpoint, '[]') || jsonb_build_array(jsonb_build_object(
            'i', i - 1, 'c', case when stale or found_row.key is null then null else to_jsonb(found_row) end));
        end loop;
      end if;
      for i in 1 .. coalesce(cardinality(p_emit_of), 0) loop
        if p_emit_of[i] = any(written) then
          -- Followed by nothing: an emit's own answer is nobody's.
          perform :s.accept_at_1("now", number + n_checkpoint + i - 1, p_accepts + i, false, a_key, a_shard, a_identity, a_tenant,
            a_source, a_id, a_type, a_fingerprint_key, a_fingerprint, a_registry_version, a_flags, a_content_type, a_order_key,
            a_rest, a_window, a_content_window, a_handed_group, a_handed_epoch, a_bytes, a_byte_from, a_byte_count, a_more);
        end if;
      end loop;
      number := number + n_checkpoint + coalesce(cardinality(p_emit_of), 0);
    end if;

    if n_settle > 0 then
      with ready as (
        select u.*, number + u.place - 1 as seq
        from unnest(s_group, s_shard, s_epoch, s_key, s_tag, s_generation, s_attempt, s_turn, s_status, s_since, s_seen,
          s_attempted_at, s_handler, s_version, s_result, s_rest, s_alone)
          with ordinality u(group_name, shard, epoch, key, tag, generation, attempt, turn, status, since, seen,
            attempted_at, handler, handler_version, result, rest, alone, place)
        join :s.pair p on p.group_name = u.group_name and p.shard = u.shard and p.epoch = u.epoch
        join :s.event e on e.key = u.key
        where u.alone = 1 and u.generation = 1 and u.turn = 1 and u.status = any(:terminal) and u.status <> :dead
          and not exists (select from :s.intervention v where v.event = u.key and v.tag = u.tag and v."position" > u.seen)),
      kept as (
        insert into :s.settlement as s
        select r.key, r.seq, r.epoch, "now", r.since, r.attempted_at, r.generation, r.turn, r.attempt, r.status, r.tag,
          r.group_name, r.handler, r.handler_version, r.result, r.rest from ready r
        on conflict do nothing returning s.seq)
      select coalesce(array_agg((k.seq - number + 1)::integer), '{}') into written from kept k;
      if cardinality(written) > 0 and exists (select from :s.unclaimed limit 1) then
        delete from :s.unclaimed u where u.key in (select s_key[w] from unnest(written) w);
      end if;
      if cardinality(written) < n_settle then
        for i in 1 .. n_settle loop
          if i = any(written) then continue; end if;
          outcome := :s.settle_one_1("now", number + i - 1, s_group[i], s_shard[i], s_epoch[i], s_key[i], s_tag[i],
            s_generation[i], s_turn[i], s_attempt[i], s_status[i], s_since[i], s_due_at[i], s_seen[i], s_attempted_at[i],
            s_handler[i], s_version[i], s_result[i], s_rest[i], s_keep[i]);
          if outcome <> 'settled' then
            settle := coalesce(settle, '[]') || jsonb_build_array(jsonb_build_object('i', i - 1, 'o', outcome));
          end if;
        end loop;
      end if;
    end if;

    for i in 0 .. coalesce(jsonb_array_length(p_answer), 0) - 1 loop
      item := p_answer -> i;
      if exists (select from :s.pair p where p.group_name = item ->> 'group' and p.shard = (item ->> 'shard')::integer
          and p.epoch = (item ->> 'epoch')::bigint) then
        update :s.intervention v set answer = item ->> 'outcome', answer_reason = item ->> 'reason', answered_at = "now"
          where v.key = (item ->> 'intervention')::uuid and v.answer is null;
      else
        answer := coalesce(answer, '[]') || to_jsonb(i);
      end if;
    end loop;

    if p_reject is not null then
      insert into :s.rejected as r
      select x.source, x.code, sum(x.count) from jsonb_to_recordset(p_reject) x(source text, code text, count bigint)
      group by x.source, x.code order by x.source, x.code
      on conflict (source, code) do update set count = r.count + excluded.count;
    end if;
  end $$;
`
