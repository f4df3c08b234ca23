/** What owners and people decide, one at a time, and the two ends of a transaction that a handler writes in. */
export const decisionFunctions = `
  -- One settlement that is not the first and last of its run.
  create or replace function :s.settle_one_1(
    p_now double precision, p_seq bigint, p_group text, p_shard integer, p_epoch bigint, p_key uuid, p_tag text,
    p_generation integer, p_turn integer, p_attempt integer, p_status integer, p_since double precision,
    p_due_at double precision, p_seen bigint, p_attempted_at double precision, p_handler text, p_version text,
    p_result text, p_rest text, p_keep text
  ) returns text language plpgsql as $$
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
    delete from :s.unclaimed u where u."position" = event."position";
    return 'settled';
  end $$;

  create or replace function :s.intervene_one_1(p_now double precision, p_position bigint, p_item jsonb)
  returns jsonb language plpgsql as $$
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
`
