/** Version of the functions: a node calls those of its own, so that old nodes go on beside a newer schema. */
export const functionsVersion = 1

/**
 * Plans that do not change with statistics: every statement of the hot way is a nested loop of index probes. With a table
 * analysed while it was nearly empty, the planner took the whole table for a handful of rows.
 */
const stablePlans = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set plan_cache_mode = force_generic_plan`

/**
 * The functions. A commit is one call, so that a flush is one round trip and no lock is held while a client thinks.
 * Outcomes as one character: `a` accepted, `d` duplicate, `c` conflict, `f` in flight; `w` written, `s` stale.
 */
export const functions = `
  -- The first of so many record numbers of this transaction (see tables.ts).
  create or replace function :s.take_numbers_1(p_count integer) returns bigint language plpgsql as $$
  declare
    taken integer := coalesce(nullif(current_setting('hapax.numbers', true), ''), '0')::integer;
  begin
    if taken + p_count > 8191 then
      raise exception 'one transaction takes at most 8191 records of Hapax' using errcode = '54000';
    end if;
    perform set_config('hapax.numbers', (taken + p_count)::text, true);
    return (pg_current_xact_id()::text::bigint + (select first_xid from :s.meta)) * 8192 + taken + 1;
  end $$;

  create or replace function :s.now_1(p_now double precision) returns double precision language sql as $$
    select coalesce(p_now, floor(extract(epoch from clock_timestamp()) * 1000)::double precision)
  $$;

  -- Judges one accept by its key, then its identity, then, where the id is not signed, its content.
  create or replace function :s.accept_one_1(
    p_now double precision, p_position bigint, p_key uuid, p_shard integer, p_identity uuid, p_contents uuid[],
    p_tenant text, p_source text, p_id text, p_type text, p_fingerprint_keys integer[], p_fingerprints text[],
    p_registry_version integer, p_flags integer, p_content_type text, p_order_key text, p_rest text,
    p_window double precision, p_content_window double precision, p_handed_group text, p_handed_epoch bigint, p_body bytea
  ) returns jsonb language plpgsql ${stablePlans} as $$
  declare
    before uuid;
    claimed boolean := false;
    locked boolean := false;
    known record;
    own record;
    twin record;
    content uuid;
    content_before uuid;
  begin
    if p_content_window is not null then
      perform pg_advisory_xact_lock(hashtextextended(p_contents[1]::text, 0));
    end if;
    loop
      select key into before from :s.ledger where identity = p_identity;
      if not found then
        -- Where content may decide, it is judged before the identity is claimed; the lock above holds others off.
        if p_content_window is not null then
          for content in select unnest(p_contents) loop
            select o.* into twin from :s.ledger l join lateral :s.original_1(l.key) o on true
              where l.identity = content and p_now - o.accepted_at <= p_content_window;
            if found then
              return :s.repeat_1(p_now, p_position, p_key, p_id, p_fingerprint_keys, p_fingerprints,
                twin.key, twin.accepted_at, twin.fingerprint_key, twin.fingerprint, twin.in_journal, 'same_signed_content');
            end if;
          end loop;
        end if;
        insert into :s.ledger values (p_identity, p_key) on conflict do nothing;
        claimed := found;
        exit when claimed;
        continue;
      end if;
      select o.* into known from :s.original_1(before) o;
      if not found then
        -- Retention has forgotten the event that the entry names.
        update :s.ledger set key = p_key where identity = p_identity and key = before;
        claimed := found;
        exit when claimed;
        continue;
      end if;
      if before = p_key then
        return jsonb_build_object('o', 'a', 'at', known.accepted_at, 'p', known."position");
      end if;
      -- Its own event may lie behind a later one of the same identity: windows pass.
      select e.accepted_at, e."position" into own from :s.event e
        where e.key = p_key and exists (select from :s.succession s where s.key = before);
      if found then
        return jsonb_build_object('o', 'a', 'at', own.accepted_at, 'p', own."position");
      end if;
      if p_window is null or p_now - known.accepted_at <= p_window then
        return :s.repeat_1(p_now, p_position, p_key, p_id, p_fingerprint_keys, p_fingerprints,
          known.key, known.accepted_at, known.fingerprint_key, known.fingerprint, known.in_journal, null);
      end if;
      if not locked then
        perform from :s.ledger where identity = p_identity for update;
        locked := true;
        continue;
      end if;
      if p_content_window is not null then
        for content in select unnest(p_contents) loop
          select o.* into twin from :s.ledger l join lateral :s.original_1(l.key) o on true
            where l.identity = content and p_now - o.accepted_at <= p_content_window;
          if found then
            return :s.repeat_1(p_now, p_position, p_key, p_id, p_fingerprint_keys, p_fingerprints,
              twin.key, twin.accepted_at, twin.fingerprint_key, twin.fingerprint, twin.in_journal, 'same_signed_content');
          end if;
        end loop;
      end if;
      update :s.ledger set key = p_key where identity = p_identity;
      insert into :s.succession values (p_key, before) on conflict do nothing;
      exit;
    end loop;
    content := case when p_content_window is null then null else p_contents[1] end;
    insert into :s.event values (p_key, p_position, p_shard, p_registry_version, p_fingerprint_keys[1], p_flags, p_now,
      p_handed_epoch, p_identity, content, p_tenant, p_source, p_id, p_type, p_fingerprints[1], p_content_type,
      p_handed_group, p_order_key, p_rest);
    insert into :s.body values (p_key, p_body);
    if p_flags & 2 <> 0 then insert into :s.unclaimed values (p_key); end if;
    if content is not null then
      insert into :s.ledger values (content, p_key) on conflict (identity) do update set key = excluded.key;
    end if;
    return jsonb_build_object('o', 'a', 'at', p_now, 'p', p_position);
  end $$;

  -- What is known of the event that the ledger names.
  create or replace function :s.original_1(p_key uuid) returns table (
    key uuid, "position" bigint, accepted_at double precision, fingerprint_key integer, fingerprint text, in_journal boolean
  ) language sql stable rows 1 ${stablePlans} as $$
    select e.key, e."position", e.accepted_at, e.fingerprint_key, e.fingerprint, true from :s.event e where e.key = p_key
    union all
    select o.key, o."position", o.accepted_at, o.fingerprint_key, o.fingerprint, false from :s.origin o where o.key = p_key
    limit 1
  $$;

  -- Leaves the repeat on record at the original; where retention has dropped that, there is no journal to write to.
  create or replace function :s.repeat_1(
    p_now double precision, p_seq bigint, p_key uuid, p_id text, p_fingerprint_keys integer[], p_fingerprints text[],
    p_original uuid, p_accepted_at double precision, p_known_key integer, p_known text, p_in_journal boolean, p_reason text
  ) returns jsonb language plpgsql ${stablePlans} as $$
  declare
    same boolean := p_reason is not null or exists (
      select from unnest(p_fingerprint_keys, p_fingerprints) f(k, h) where f.k = p_known_key and f.h = p_known);
  begin
    if p_in_journal then
      insert into :s.repeat values (p_original, p_key, p_seq, case when same then 'duplicate' else 'conflict' end, p_now,
        p_id, p_reason, p_fingerprint_keys[1], p_fingerprints[1]) on conflict do nothing;
    end if;
    return jsonb_build_object('o', case when same then 'd' else 'c' end, 'k', p_original, 'at', p_accepted_at, 'r', p_reason);
  end $$;

  -- One settlement that is not the first and last of its run.
  create or replace function :s.settle_one_1(
    p_now double precision, p_seq bigint, p_group text, p_shard integer, p_epoch bigint, p_key uuid, p_tag text,
    p_generation integer, p_turn integer, p_attempt integer, p_status integer, p_since double precision,
    p_due_at double precision, p_seen bigint, p_attempted_at double precision, p_handler text, p_version text,
    p_result text, p_rest text, p_keep text
  ) returns text language plpgsql ${stablePlans} as $$
  declare
    event record;
    same boolean;
    latest record;
    from_generation integer := 1;
    below bigint;
  begin
    select exists (select from :s.settlement s where s.key = p_key and s.tag = p_tag and s.generation = p_generation
      and s.turn = p_turn and s.epoch = p_epoch and s.status = p_status and s.since = p_since and s.attempt = p_attempt
      and s.attempted_at is not distinct from p_attempted_at and s.result is not distinct from p_result
      and s.rest is not distinct from p_rest) into same;
    if same then return 'settled'; end if;
    if not exists (select from :s.pair p where p.group_name = p_group and p.shard = p_shard and p.epoch = p_epoch) then
      return 'stale';
    end if;
    select e."position", e.order_key into event from :s.event e where e.key = p_key;
    if not found then return 'stale'; end if;
    select s.generation, s.turn, s.status into latest from :s.settlement s where s.key = p_key and s.tag = p_tag
      order by s.generation desc, s.turn desc limit 1;
    if found then
      from_generation := latest.generation;
      if latest.generation > p_generation or latest.generation = p_generation
          and (latest.status = any(:terminal) or latest.turn >= p_turn) then
        return 'finished';
      end if;
    end if;
    if exists (select from :s.intervention i where i.event = p_key and i.tag = p_tag and i."position" > p_seen) then
      return 'look_again';
    end if;
    insert into :s.settlement values (p_key, p_seq, p_epoch, p_now, p_since, p_attempted_at, p_generation, p_turn, p_attempt,
      p_status, p_tag, p_group, p_handler, p_version, p_result, p_rest) on conflict do nothing;
    if not found then return 'finished'; end if;
    if p_generation > from_generation then
      if p_keep is distinct from 'none' then
        if p_keep is not null then
          select c.seq into below from :s.checkpoint c where c.key = p_key and c.tag = p_tag
            and c.generation = from_generation and c.step = substr(p_keep, 8);
        end if;
        insert into :s.checkpoint
        select c.key, c.seq, c.epoch, c.at, p_generation, c.attempt, true, c.tag, c.step, c.value, c.rest
        from :s.checkpoint c where c.key = p_key and c.tag = p_tag and c.generation = from_generation
          and c.seq < coalesce(below, 9223372036854775807)
        on conflict do nothing;
      end if;
    end if;
    if p_status <> all(:terminal) or p_status = :dead then
      insert into :s.standing values (p_key, p_tag, event."position", p_seq, p_group, p_shard, p_generation, p_turn, p_status,
        case when p_status = :dead then null else p_due_at end, event.order_key)
      on conflict (key, tag) do update set seq = excluded.seq, group_name = excluded.group_name, shard = excluded.shard,
        generation = excluded.generation, turn = excluded.turn, status = excluded.status, due_at = excluded.due_at;
    else
      delete from :s.standing st where st.key = p_key and st.tag = p_tag;
    end if;
    delete from :s.unclaimed u where u.key = p_key;
    return 'settled';
  end $$;

  -- One commit: every item judged alone, in the order accept, intervene, begin, checkpoint, settle, answer, reject.
  create or replace function :s.commit_1(
    p_now double precision, p_careful boolean,
    p_pair_groups text[], p_pair_shards integer[],
    p_accepts integer, p_emit_of integer[], p_plain boolean,
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
          on conflict do nothing returning e."position", e.key),
        bodies as (
          insert into :s.body
          select k.key, substring(a_bytes from a_byte_from[k."position" - number + 1] for a_byte_count[k."position" - number + 1])
          from kept k)
        select array_agg((k."position" - number + 1)::integer) into written from kept k;
        insert into :s.unclaimed
        select u.key from unnest(a_key, a_flags) with ordinality u(key, flags, place)
        where u.place <= p_accepts and u.flags & 2 <> 0 and u.key = any(fresh) on conflict do nothing;
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

  -- The accept at one place of the lists; carefully: what another transaction holds is in flight, and spoils no neighbour.
  create or replace function :s.accept_at_1(
    p_now double precision, p_position bigint, p_place integer, p_careful boolean,
    a_key uuid[], a_shard integer[], a_identity uuid[], a_tenant text[], a_source text[], a_id text[], a_type text[],
    a_fingerprint_key integer[], a_fingerprint text[], a_registry_version integer[], a_flags integer[],
    a_content_type text[], a_order_key text[], a_rest text[], a_window double precision[], a_content_window double precision[],
    a_handed_group text[], a_handed_epoch bigint[], a_bytes bytea, a_byte_from integer[], a_byte_count integer[], a_more jsonb
  ) returns jsonb language plpgsql as $$
  declare
    i integer := p_place;
    more jsonb := a_more -> (p_place - 1)::text;
    keys integer[] := array[a_fingerprint_key[i]];
    hashes text[] := array[a_fingerprint[i]];
    contents uuid[];
  begin
    if more is not null then
      select coalesce(array_agg(x::integer), '{}') into keys from jsonb_array_elements_text(more -> 'keys') x;
      select coalesce(array_agg(x), '{}') into hashes from jsonb_array_elements_text(more -> 'hashes') x;
      select array_agg(x::uuid) into contents from jsonb_array_elements_text(more -> 'contents') x;
    end if;
    if p_careful then
      begin
        return :s.accept_one_1(p_now, p_position, a_key[i], a_shard[i], a_identity[i], contents, a_tenant[i], a_source[i], a_id[i],
          a_type[i], keys, hashes, a_registry_version[i], a_flags[i], a_content_type[i], a_order_key[i], a_rest[i], a_window[i],
          a_content_window[i], a_handed_group[i], a_handed_epoch[i], substring(a_bytes from a_byte_from[i] for a_byte_count[i]));
      exception when lock_not_available then
        return jsonb_build_object('o', 'f');
      end;
    end if;
    return :s.accept_one_1(p_now, p_position, a_key[i], a_shard[i], a_identity[i], contents, a_tenant[i], a_source[i], a_id[i],
      a_type[i], keys, hashes, a_registry_version[i], a_flags[i], a_content_type[i], a_order_key[i], a_rest[i], a_window[i],
      a_content_window[i], a_handed_group[i], a_handed_epoch[i], substring(a_bytes from a_byte_from[i] for a_byte_count[i]));
  end $$;

  -- An accept inside the caller's own transaction, which it never aborts: what another one holds open is in flight.
  create or replace function :s.accept_within_1(
    p_now double precision, p_key uuid, p_shard integer, p_identity uuid, p_contents uuid[], p_tenant text, p_source text,
    p_id text, p_type text, p_fingerprint_keys integer[], p_fingerprints text[], p_registry_version integer,
    p_flags integer, p_content_type text, p_order_key text, p_rest text, p_window double precision,
    p_content_window double precision, p_body bytea
  ) returns jsonb language plpgsql set lock_timeout = '250ms' as $$
  declare
    number bigint := :s.take_numbers_1(1);
  begin
    return :s.accept_one_1(:s.now_1(p_now), number, p_key, p_shard, p_identity, p_contents, p_tenant, p_source, p_id, p_type,
      p_fingerprint_keys, p_fingerprints, p_registry_version, p_flags, p_content_type, p_order_key, p_rest, p_window,
      p_content_window, null, null, p_body);
  exception when lock_not_available then
    return jsonb_build_object('o', 'f');
  end $$;

  -- What stands before a transaction's function is called, which gets a token: its transaction must still be the same after.
  create or replace function :s.transaction_begin_1(
    p_token text, p_group text, p_shard integer, p_epoch bigint, p_key uuid, p_tag text, p_generation integer, p_step text
  ) returns jsonb language plpgsql as $$
  declare
    kept record;
  begin
    perform set_config('hapax.transaction', p_token, true);
    select c.* into kept from :s.checkpoint c
      where c.key = p_key and c.tag = p_tag and c.generation = p_generation and c.step = p_step;
    if found then return jsonb_build_object('o', 'refused', 'c', to_jsonb(kept)); end if;
    if not exists (select from :s.pair p where p.group_name = p_group and p.shard = p_shard and p.epoch = p_epoch) then
      return jsonb_build_object('o', 'stale');
    end if;
    return null;
  end $$;

  -- The last statement of a transaction: the fence (G6), held until its commit, and the checkpoint.
  create or replace function :s.transaction_end_1(
    p_now double precision, p_token text, p_group text, p_shard integer, p_epoch bigint, p_key uuid, p_tag text,
    p_generation integer, p_attempt integer, p_step text, p_value text, p_rest text
  ) returns jsonb language plpgsql as $$
  declare
    kept record;
  begin
    if current_setting('hapax.transaction', true) is distinct from p_token then
      return jsonb_build_object('o', 'ended');
    end if;
    perform set_config('idle_in_transaction_session_timeout', '1s', true);
    perform from :s.pair p where p.group_name = p_group and p.shard = p_shard and p.epoch = p_epoch for key share;
    if not found or not exists (select from :s.event e where e.key = p_key) then
      return jsonb_build_object('o', 'stale');
    end if;
    insert into :s.checkpoint values (p_key, :s.take_numbers_1(1), p_epoch, :s.now_1(p_now), p_generation, p_attempt, false,
      p_tag, p_step, p_value, p_rest) on conflict do nothing;
    if found then return jsonb_build_object('o', 'written'); end if;
    select c.* into kept from :s.checkpoint c
      where c.key = p_key and c.tag = p_tag and c.generation = p_generation and c.step = p_step;
    return jsonb_build_object('o', 'refused', 'c', to_jsonb(kept));
  end $$;

  create or replace function :s.intervene_one_1(p_now double precision, p_position bigint, p_item jsonb)
  returns jsonb language plpgsql ${stablePlans} as $$
  declare
    v_key uuid := (p_item ->> 'key')::uuid;
    v_event uuid := (p_item ->> 'event')::uuid;
    v_tag text := p_item ->> 'tag';
    v_shard integer;
    before bigint;
    twin uuid;
  begin
    select i."position" into before from :s.intervention i where i.key = v_key;
    if found then return jsonb_build_object('o', 'w', 'p', before); end if;
    -- Whoever asks the same run at the same time waits here, so that one id is written once.
    select e.shard into v_shard from :s.event e where e.key = v_event for no key update;
    if not found then return jsonb_build_object('o', 'n'); end if;
    if p_item ->> 'id' is not null then
      select i.key into twin from :s.intervention i where i.event = v_event and i.tag = v_tag and i.verb = p_item ->> 'verb'
        and i.id = p_item ->> 'id' order by i."position" limit 1;
      if found then return jsonb_build_object('o', 'd', 'k', twin); end if;
    end if;
    insert into :s.intervention values (v_key, p_position, v_event, v_shard, v_tag, p_item ->> 'verb', p_item ->> 'name',
      p_item ->> 'id', p_item ->> 'detail', p_item ->> 'reason', p_item ->> 'actor', p_now);
    return jsonb_build_object('o', 'w', 'p', p_position);
  end $$;

  -- A node's beat but for the granting of pairs, which its node works out from this answer.
  create or replace function :s.beat_1(
    p_now double precision, p_node text, p_group text, p_takes boolean, p_handlers text, p_lease_ms double precision,
    p_release jsonb, p_low_marks jsonb
  ) returns jsonb language plpgsql as $$
  declare
    at double precision;
  begin
    perform pg_advisory_xact_lock(hashtext('hapax beat'), ':s'::regnamespace::oid::integer);
    at := :s.now_1(p_now);
    -- Its own lease may have run out: then what it holds goes through a takeover like any other.
    perform :s.drop_lapsed_1(at);
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
    return :s.standing_of_group_1(p_group, at);
  end $$;

  create or replace function :s.drop_lapsed_1(p_at double precision) returns void language plpgsql as $$
  begin
    delete from :s.node n where n.lease_until < p_at;
    if found then
      update :s.pair p set node = null, graceful = false
      where p.node is not null and not exists (select from :s.node n where n.node = p.node);
    end if;
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

  -- Gives free pairs to a node; one whose epoch has moved on since went to another.
  create or replace function :s.grant_1(
    p_now double precision, p_node text, p_group text, p_shards integer[], p_epochs bigint[], p_lacks text[]
  ) returns jsonb language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(hashtext('hapax beat'), ':s'::regnamespace::oid::integer);
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
    perform pg_advisory_xact_lock(hashtext('hapax beat'), ':s'::regnamespace::oid::integer);
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

  create or replace function :s.change_setting_1(
    p_now double precision, p_verb text, p_what text, p_name text, p_actor text, p_reason text
  ) returns void language plpgsql as $$
  begin
    if p_verb = 'pause' then
      insert into :s.pause values (p_what, p_name, :s.now_1(p_now), p_actor, p_reason) on conflict do nothing;
    else
      delete from :s.pause p where p.what = p_what and p.name = p_name;
    end if;
    if found then update :s.meta set settings_version = settings_version + 1; end if;
  end $$;
`
