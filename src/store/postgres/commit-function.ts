import { rowsOf } from './item-types.ts'
import { filteredKey, isUnknown, openGenerations } from './ledger.ts'
import { pairLock } from './pair-lock.ts'
import { stablePlans } from './stable-plans.ts'

/**
 * What nearly every commit's decisions have in common is asked once for all: whether their pairs are held, their events are
 * there, and nobody intervened. Only where the answer is no, each item is looked at: that took half of a settlement's time.
 * `offset 0` keeps it a look for each; else the planner may read all there is into a hash, or all between the bounds.
 */
const isHeld = `(all_held or exists (
            select from :s.pair p where p.group_name = u.group_name and p.shard = u.shard and p.epoch = u.epoch offset 0))`
const itsEventIsThere = `(all_there or exists (
            select from :s.event e where e.key = u.key and e.key >= p_least and e.key <= p_greatest offset 0))`

/** What of the list nobody has, by identity, so that no two commits hold each other up. */
const unknown = `select distinct on (u.identity) u.identity, u.key from unnest(p_accept) with ordinality ${rowsOf('accept_item_1')}
          where u.place <= p_accepts and ${isUnknown}
          order by u.identity, u.place`

/** Accepts that identity alone decides, together. */
const claimAll = `
        with claimed as (
          insert into :s.ledger as l
          select u.identity, u.key, w.generation from (${unknown}) u cross join ${openGenerations}
          order by u.identity, w.generation returning l.key, l.generation)
        select array_agg(c.key), count(*) into fresh, fresh_count
        from claimed c cross join :s.ledger_open o where c.generation = o.newest;`

/** The same where another transaction was in the way: whoever is first in the older generation goes on to the newer. */
const claimContended = `
        with older as (
          insert into :s.ledger as l
          select u.identity, u.key, o.oldest from (${unknown}) u cross join :s.ledger_open o order by u.identity
          on conflict do nothing returning l.identity, l.key),
        newer as (
          insert into :s.ledger as l
          select c.identity, c.key, o.newest from older c cross join :s.ledger_open o where o.oldest < o.newest order by c.identity
          on conflict do nothing returning l.key),
        claimed as (
          select c.key from older c cross join :s.ledger_open o where o.oldest = o.newest union all select n.key from newer n)
        select array_agg(c.key), count(*) into fresh, fresh_count from claimed c;`

/**
 * Repeats of what is in the journal with its fingerprint, and can have no other event of their own: as `accept_one_1` has it.
 * Their receipts tell what the first one's runs came to: asked for by itself, that took longer than the rest of a repeat. As
 * a look for each, and an object of JSON for each, it took a quarter more.
 */
const tellRepeats = (ending: string) => `
      with met as materialized (
        select u.place, u.key as repeated_by, u.id, u.fingerprint_key, u.fingerprint, e.key, e.accepted_at,
          e.fingerprint_key = u.fingerprint_key and e.fingerprint = u.fingerprint as is_same
        from unnest(p_accept) with ordinality ${rowsOf('accept_item_1')}
        cross join lateral ${filteredKey} l
        join :s.event e on e.key = l.key
        where u.place <= p_accepts and u.window_ms is null and u.fingerprint_key <> 0 and e.fingerprint_key <> 0
          and l.key <> u.key and (fresh is null or u.key <> all(fresh))
          and not exists (select from :s.succession c where c.key = l.key)),
      kept as (
        insert into :s.repeat
        select m.key, m.repeated_by, number + m.place - 1, case when m.is_same then 'duplicate' else 'conflict' end, "now",
          m.id, null, m.fingerprint_key, m.fingerprint from met m ${ending}),
      settled as (
        select distinct on (m.place, s.tag) m.place, s.tag, s.status from met m join :s.settlement s on s.key = m.key
        order by m.place, s.tag, s.generation desc, s.turn desc)
      select case when count(*) > 0 then jsonb_build_array(jsonb_build_object(
          'places', array_agg(m.place::integer), 'same', array_agg(m.is_same), 'keys', array_agg(m.key),
          'at', array_agg(m.accepted_at),
          'settled', (select jsonb_agg(jsonb_build_array(s.place, s.tag, s.status)) from settled s))) end,
        coalesce(array_agg(m.place::integer), '{}')
      into accept, told from met m;`

const keepCheckpoints = (ending: string) => `
        with kept as (
          insert into :s.checkpoint as c
          select u.key, number + u.place - 1, u.epoch, "now", u.generation, u.attempt, false, u.tag, u.step, u.value, u.rest
          from unnest(p_checkpoint) with ordinality ${rowsOf('checkpoint_item_1')}
          where ${isHeld} and ${itsEventIsThere}
          ${ending} returning c.seq)
        select coalesce(array_agg((k.seq - number + 1)::integer), '{}') into written from kept k;`

/** First settlements that end their run: another of the run would have the same key, since each run's first has. */
const keepSettlements = (ending: string) => `
        with kept as (
          insert into :s.settlement as s
          select u.key, number + u.place - 1, u.epoch, "now", u.since, u.attempted_at, u.generation, u.turn, u.attempt, u.status,
            u.tag, u.group_name, u.handler, u.handler_version, u.result, u.rest
          from unnest(p_settle) with ordinality ${rowsOf('settle_item_1')}
          where u.alone and u.generation = 1 and u.turn = 1 and u.status = any(:terminal) and u.status <> :dead
            and ${isHeld} and ${itsEventIsThere}
            and (nobody_intervened or not exists (
              select from :s.intervention v where v.event = u.key and v.tag = u.tag and v."position" > u.seen offset 0))
          ${ending} returning s.seq)
        select coalesce(array_agg((k.seq - number + 1)::integer), '{}') into written from kept k;`

/**
 * A statement in two forms. A plain insert takes half the time of `on conflict`, and less log; a row that is there already is
 * an error of the whole commit (23505), which is then asked again as contended.
 */
const inBoth = (statement: (ending: string) => string) => `
      if p_contended then ${statement('on conflict do nothing')}
      else ${statement('')}
      end if;`

/** The one door for writes: a whole commit in one call. */
export const commitFunction = `
  -- One commit: every item judged alone, in the order accept, intervene, begin, checkpoint, settle, answer, reject.
  create or replace function :s.commit_2(
    p_now double precision, p_careful boolean, p_contended boolean, p_pair_groups text[], p_pair_shards integer[],
    p_pair_epochs bigint[], p_accepts integer, p_emit_of integer[], p_plain boolean, p_unclaimed boolean,
    p_accept :s.accept_item_1[], p_more jsonb, p_intervene jsonb, p_begin :s.begin_item_1[],
    p_checkpoint :s.checkpoint_item_1[], p_settle :s.settle_item_1[], p_answer jsonb, p_reject jsonb,
    p_keys uuid[], p_least uuid, p_greatest uuid, p_filtered_from integer, p_filtered_to integer, p_token uuid,
    p_suspected integer[],
    out "now" double precision, out first_number bigint, out accept jsonb, out intervene jsonb, out begin_ jsonb,
    out checkpoint jsonb, out settle jsonb, out answer jsonb
  ) language plpgsql ${stablePlans} set lock_timeout = '250ms' as $$
  declare
    n_accept integer := coalesce(cardinality(p_accept), 0);
    n_begin integer := coalesce(cardinality(p_begin), 0);
    n_checkpoint integer := coalesce(cardinality(p_checkpoint), 0);
    n_settle integer := coalesce(cardinality(p_settle), 0);
    n_intervene integer := coalesce(jsonb_array_length(p_intervene), 0);
    fresh uuid[];
    fresh_count integer := 0;
    told integer[] := '{}';
    filtered_from integer := 0;
    filtered_to integer := -1;
    suspected integer[];
    number bigint;
    i integer;
    item jsonb;
    one_checkpoint :s.checkpoint_item_1;
    one_settle :s.settle_item_1;
    found_row record;
    outcome text;
    stale boolean;
    written integer[];
    begun integer;
    all_held boolean;
    all_there boolean;
    nobody_intervened boolean;
  begin
    "now" := :s.now_1(p_now);
    first_number := :s.take_numbers_1(n_accept + n_intervene + n_begin + n_checkpoint + n_settle);
    number := first_number;

    if cardinality(p_pair_groups) > 0 then
      -- The fence (G6): a takeover, which takes these locks alone, waits for this commit or is seen by it. Locks of rows
      -- would write 57 bytes of log each, and a multixact where two flushes of a node meet.
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'Hapax commits at read committed and found %: alter role … set default_transaction_isolation to "read committed"',
          current_setting('transaction_isolation') using errcode = '25001';
      end if;
      perform pg_advisory_xact_lock_shared(l.number) from (
        select ${pairLock('u.group_name', 'u.shard')} as number from unnest(p_pair_groups, p_pair_shards) u(group_name, shard)
        order by 1) l;
      -- In one scan of the index, the pairs in their order: a look for each took a fifteenth of a settlement.
      select coalesce(array_agg(p.group_name) = p_pair_groups and array_agg(p.shard) = p_pair_shards
        and array_agg(p.epoch) = p_pair_epochs, false) into all_held
      from (
        select p.group_name, p.shard, p.epoch from :s.pair p
        where p.group_name = any(p_pair_groups) and p.shard = any(p_pair_shards) order by p.group_name, p.shard) p;
      select count(*) = cardinality(p_keys) into all_there
      from :s.event e where e.key = any(p_keys) and e.key >= p_least and e.key <= p_greatest;
    end if;

    -- Filters of another history say nothing here: a schema made anew, a server that lost its last commits.
    if p_token is not null then
      if exists (select from :s.ledger_generation g where g.number = p_filtered_to and g.token = p_token) then
        filtered_from := p_filtered_from;
        filtered_to := p_filtered_to;
        suspected := p_suspected;
      end if;
    end if;

    if p_accepts > 0 and p_plain and not p_careful then
      if p_contended then ${claimContended}
      else ${claimAll}
      end if;
      if fresh_count > 0 then
        insert into :s.event
        select u.key, number + u.place - 1, u.shard, u.registry_version, u.fingerprint_key, u.flags, "now", u.handed_epoch,
          u.identity, null, u.tenant, u.source, u.id, u.type, u.fingerprint, u.content_type, u.handed_group, u.order_key, u.rest
        from unnest(p_accept) with ordinality ${rowsOf('accept_item_1')}
        where u.place <= p_accepts and (fresh_count = p_accepts or u.key = any(fresh));
        insert into :s.body
        select u.key, u.bytes from unnest(p_accept) with ordinality ${rowsOf('accept_item_1')}
        where u.place <= p_accepts and (fresh_count = p_accepts or u.key = any(fresh));
        if p_unclaimed then
          insert into :s.unclaimed
          select number + u.place - 1, u.key from unnest(p_accept) with ordinality ${rowsOf('accept_item_1')}
          where u.place <= p_accepts and u.flags & 2 <> 0 and u.key = any(fresh);
        end if;
      end if;
    end if;
    if fresh_count < p_accepts and p_plain and not p_careful and p_more is null then
${inBoth(tellRepeats)}
    end if;
    if fresh_count + cardinality(told) < p_accepts then
      for i in 1 .. p_accepts loop
        if p_accept[i].key = any(fresh) or i = any(told) then continue; end if;
        item := :s.accept_item_at_1("now", number + i - 1, p_careful, p_accept[i], p_more -> (i - 1)::text);
        accept := coalesce(accept, '[]') || jsonb_build_array(item || jsonb_build_object('i', i - 1));
      end loop;
    end if;
    number := number + p_accepts;

    for i in 0 .. n_intervene - 1 loop
      intervene := coalesce(intervene, '[]') || jsonb_build_array(:s.intervene_one_1("now", number, p_intervene -> i));
      number := number + 1;
    end loop;

    if n_begin > 0 then
      insert into :s.begin_record
      select u.key, number + u.place - 1, u.epoch, u.at, u.generation, u.attempt, u.tag, u.step, u.address
      from unnest(p_begin) with ordinality ${rowsOf('begin_item_1')}
      where ${isHeld} and ${itsEventIsThere}
      on conflict do nothing;
      get diagnostics begun = row_count;
      if begun < n_begin then
        select jsonb_agg(u.place - 1) into begin_
        from unnest(p_begin) with ordinality ${rowsOf('begin_item_1')}
        where not exists (select from :s.begin_record r where r.key = u.key and r.tag = u.tag and r.generation = u.generation
            and r.attempt = u.attempt and r.step = u.step and r.key >= p_least and r.key <= p_greatest
            and (r.epoch = u.epoch or ${isHeld}) offset 0);
      end if;
      number := number + n_begin;
    end if;

    if n_checkpoint > 0 then
${inBoth(keepCheckpoints)}
      if cardinality(written) < n_checkpoint then
        for i in 1 .. n_checkpoint loop
          if i = any(written) then continue; end if;
          one_checkpoint := p_checkpoint[i];
          stale := not exists (select from :s.pair p where p.group_name = one_checkpoint.group_name
            and p.shard = one_checkpoint.shard and p.epoch = one_checkpoint.epoch);
          select k.* into found_row from :s.checkpoint k where k.key = one_checkpoint.key and k.tag = one_checkpoint.tag
            and k.generation = one_checkpoint.generation and k.step = one_checkpoint.step;
          if found and found_row.attempt = one_checkpoint.attempt and found_row.epoch = one_checkpoint.epoch
              and not found_row.copied then
            continue;
          end if;
          checkpoint := coalesce(checkpoint, '[]') || jsonb_build_array(jsonb_build_object(
            'i', i - 1, 'c', case when stale or found_row.key is null then null else to_jsonb(found_row) end));
        end loop;
      end if;
      for i in 1 .. coalesce(cardinality(p_emit_of), 0) loop
        if p_emit_of[i] = any(written) then
          -- Followed by nothing: an emit's own answer is nobody's.
          perform :s.accept_emit_1("now", number + n_checkpoint + i - 1, p_accept[p_accepts + i],
            p_more -> (p_accepts + i - 1)::text);
        end if;
      end loop;
      number := number + n_checkpoint + coalesce(cardinality(p_emit_of), 0);
    end if;

    if n_settle > 0 then
      select not exists (select from :s.intervention v where v.event >= p_least and v.event <= p_greatest) into nobody_intervened;
${inBoth(keepSettlements)}
      if cardinality(written) > 0 and exists (select from :s.unclaimed limit 1) then
        delete from :s.unclaimed u where u."position" in (
          select e."position" from unnest(written) w cross join lateral (
            select e."position" from :s.event e where e.key = p_settle[w].key and e.key >= p_least and e.key <= p_greatest offset 0) e);
      end if;
      if cardinality(written) < n_settle then
        for i in 1 .. n_settle loop
          if i = any(written) then continue; end if;
          one_settle := p_settle[i];
          outcome := :s.settle_one_1("now", number + i - 1, one_settle.group_name, one_settle.shard, one_settle.epoch,
            one_settle.key, one_settle.tag, one_settle.generation, one_settle.turn, one_settle.attempt, one_settle.status,
            one_settle.since, one_settle.due_at, one_settle.seen, one_settle.attempted_at, one_settle.handler,
            one_settle.handler_version, one_settle.result, one_settle.rest, one_settle.keep);
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
  -- As nodes call it that read no filters, and are told of each repeat by itself.
  create or replace function :s.commit_1(
    p_now double precision, p_careful boolean, p_contended boolean, p_pair_groups text[], p_pair_shards integer[],
    p_pair_epochs bigint[], p_accepts integer, p_emit_of integer[], p_plain boolean, p_unclaimed boolean,
    p_accept :s.accept_item_1[], p_more jsonb, p_intervene jsonb, p_begin :s.begin_item_1[],
    p_checkpoint :s.checkpoint_item_1[], p_settle :s.settle_item_1[], p_answer jsonb, p_reject jsonb,
    p_keys uuid[], p_least uuid, p_greatest uuid,
    out "now" double precision, out first_number bigint, out accept jsonb, out intervene jsonb, out begin_ jsonb,
    out checkpoint jsonb, out settle jsonb, out answer jsonb
  ) language sql as $$
    select c."now", c.first_number, (
      select jsonb_agg(t.one) from (
        select a as one from jsonb_array_elements(c.accept) a where not a ? 'places'
        union all
        select jsonb_build_object('i', (a -> 'places' ->> n)::integer - 1, 'k', a -> 'keys' -> n, 'at', a -> 'at' -> n, 'r', null,
          'o', case when (a -> 'same' ->> n)::boolean then 'd' else 'c' end,
          's', (select jsonb_object_agg(s ->> 1, s -> 2) from jsonb_array_elements(nullif(a -> 'settled', 'null')) s
            where s -> 0 = a -> 'places' -> n))
        from jsonb_array_elements(c.accept) a cross join generate_series(0, jsonb_array_length(a -> 'places') - 1) n
        where a ? 'places') t),
      c.intervene, c.begin_, c.checkpoint, c.settle, c.answer
    from :s.commit_2(p_now, p_careful, p_contended, p_pair_groups, p_pair_shards, p_pair_epochs, p_accepts, p_emit_of,
      p_plain, p_unclaimed, p_accept, p_more, p_intervene, p_begin, p_checkpoint, p_settle, p_answer, p_reject, p_keys, p_least,
      p_greatest, null, null, null, null) c
  $$;
`
