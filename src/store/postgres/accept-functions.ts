import { ledgerKey } from './ledger.ts'
import { stablePlans } from './stable-plans.ts'

/**
 * Accepts: judged by identity and content, alone or within a caller's own transaction. The settings of {@link stablePlans} are
 * those of the functions that are called from outside: set again by each that these call, they took half of a repeat's time.
 */
export const acceptFunctions = `
  -- What is known of the event that the ledger names; its fingerprint's key is 0 where it has none yet.
  create or replace function :s.original_1(p_key uuid) returns table (
    key uuid, "position" bigint, accepted_at double precision, fingerprint_key integer, fingerprint text, in_journal boolean
  ) language sql stable rows 1 as $$
    select k.key, k."position", k.accepted_at,
      case when k.fingerprint_key <> 0 then k.fingerprint_key
        else coalesce((select l.fingerprint_key from :s.late_fingerprint l where l.key = k.key), 0) end,
      case when k.fingerprint_key <> 0 then k.fingerprint
        else coalesce((select l.fingerprint from :s.late_fingerprint l where l.key = k.key), '') end,
      k.in_journal
    from (
      select e.key, e."position", e.accepted_at, e.fingerprint_key, e.fingerprint, true as in_journal
      from :s.event e where e.key = p_key
      union all
      select o.key, o."position", o.accepted_at, o.fingerprint_key, o.fingerprint, false from :s.origin o where o.key = p_key
      limit 1) k
  $$;

  -- Leaves the repeat on record at the original; where retention has dropped that, there is no journal to write to.
  create or replace function :s.repeat_1(
    p_now double precision, p_seq bigint, p_key uuid, p_id text, p_fingerprint_keys integer[], p_fingerprints text[],
    p_original uuid, p_accepted_at double precision, p_known_key integer, p_known text, p_in_journal boolean, p_reason text
  ) returns jsonb language plpgsql as $$
  declare
    same boolean := p_reason is not null or exists (
      select from unnest(p_fingerprint_keys, p_fingerprints) f(k, h) where f.k = p_known_key and f.h = p_known);
  begin
    -- Of an accept by SQL: there is nothing yet to compare, or to compare with.
    if p_reason is null and (p_known_key = 0 or p_fingerprint_keys[1] = 0) then
      return jsonb_build_object('o', 'u', 'k', p_original);
    end if;
    if p_in_journal then
      insert into :s.repeat values (p_original, p_key, p_seq, case when same then 'duplicate' else 'conflict' end, p_now,
        p_id, p_reason, p_fingerprint_keys[1], p_fingerprints[1]) on conflict do nothing;
    end if;
    return jsonb_build_object('o', case when same then 'd' else 'c' end, 'k', p_original, 'at', p_accepted_at, 'r', p_reason);
  end $$;

  -- Judges one accept by its key, then its identity, then, where the id is not signed, its content.
  create or replace function :s.accept_one_1(
    p_now double precision, p_position bigint, p_key uuid, p_shard integer, p_identity uuid, p_contents uuid[],
    p_tenant text, p_source text, p_id text, p_type text, p_fingerprint_keys integer[], p_fingerprints text[],
    p_registry_version integer, p_flags integer, p_content_type text, p_order_key text, p_rest text,
    p_window double precision, p_content_window double precision, p_handed_group text, p_handed_epoch bigint, p_body bytea
  ) returns jsonb language plpgsql as $$
  declare
    before uuid;
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
      before := ${ledgerKey('p_identity')};
      if before is null then
        -- Where content may decide, it is judged before the identity is claimed; the lock above holds others off.
        if p_content_window is not null then
          for content in select unnest(p_contents) loop
            select o.* into twin from ${ledgerKey('content')} l cross join lateral :s.original_1(l.key) o
              where p_now - o.accepted_at <= p_content_window;
            if found then
              return :s.repeat_1(p_now, p_position, p_key, p_id, p_fingerprint_keys, p_fingerprints,
                twin.key, twin.accepted_at, twin.fingerprint_key, twin.fingerprint, twin.in_journal, 'same_signed_content');
            end if;
          end loop;
        end if;
        exit when :s.claim_1(p_identity, p_key, null);
        continue;
      end if;
      select o.* into known from :s.original_1(before) o;
      if not found then
        -- Retention has forgotten the event that the entry names.
        exit when :s.claim_1(p_identity, p_key, before);
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
      if p_content_window is not null then
        for content in select unnest(p_contents) loop
          select o.* into twin from ${ledgerKey('content')} l cross join lateral :s.original_1(l.key) o
            where p_now - o.accepted_at <= p_content_window;
          if found then
            return :s.repeat_1(p_now, p_position, p_key, p_id, p_fingerprint_keys, p_fingerprints,
              twin.key, twin.accepted_at, twin.fingerprint_key, twin.fingerprint, twin.in_journal, 'same_signed_content');
          end if;
        end loop;
      end if;
      if :s.claim_1(p_identity, p_key, before) then
        insert into :s.succession values (p_key, before) on conflict do nothing;
        exit;
      end if;
    end loop;
    content := case when p_content_window is null then null else p_contents[1] end;
    insert into :s.event values (p_key, p_position, p_shard, p_registry_version, p_fingerprint_keys[1], p_flags, p_now,
      p_handed_epoch, p_identity, content, p_tenant, p_source, p_id, p_type, p_fingerprints[1], p_content_type,
      p_handed_group, p_order_key, p_rest);
    insert into :s.body values (p_key, p_body);
    if p_flags & 2 <> 0 then insert into :s.unclaimed values (p_position, p_key); end if;
    if content is not null then
      loop
        exit when :s.claim_1(content, p_key, ${ledgerKey('content')});
      end loop;
    end if;
    return jsonb_build_object('o', 'a', 'at', p_now, 'p', p_position);
  end $$;

  -- One accept of a list; carefully: what another transaction holds is in flight, and spoils no neighbour.
  create or replace function :s.accept_item_at_1(
    p_now double precision, p_position bigint, p_careful boolean, a :s.accept_item_1, p_more jsonb
  ) returns jsonb language plpgsql as $$
  declare
    keys integer[] := array[a.fingerprint_key];
    hashes text[] := array[a.fingerprint];
    contents uuid[];
  begin
    if p_more is not null then
      select coalesce(array_agg(x::integer), '{}') into keys from jsonb_array_elements_text(p_more -> 'keys') x;
      select coalesce(array_agg(x), '{}') into hashes from jsonb_array_elements_text(p_more -> 'hashes') x;
      select array_agg(x::uuid) into contents from jsonb_array_elements_text(p_more -> 'contents') x;
    end if;
    if p_careful then
      begin
        return :s.accept_one_1(p_now, p_position, a.key, a.shard, a.identity, contents, a.tenant, a.source, a.id, a.type, keys,
          hashes, a.registry_version, a.flags, a.content_type, a.order_key, a.rest, a.window_ms, a.content_window_ms,
          a.handed_group, a.handed_epoch, a.bytes);
      exception when lock_not_available then
        return jsonb_build_object('o', 'f');
      end;
    end if;
    return :s.accept_one_1(p_now, p_position, a.key, a.shard, a.identity, contents, a.tenant, a.source, a.id, a.type, keys,
      hashes, a.registry_version, a.flags, a.content_type, a.order_key, a.rest, a.window_ms, a.content_window_ms,
      a.handed_group, a.handed_epoch, a.bytes);
  end $$;

  -- An accept inside the caller's own transaction, which it never aborts: what another one holds open is in flight.
  create or replace function :s.accept_within_1(
    p_now double precision, p_key uuid, p_shard integer, p_identity uuid, p_contents uuid[], p_tenant text, p_source text,
    p_id text, p_type text, p_fingerprint_keys integer[], p_fingerprints text[], p_registry_version integer,
    p_flags integer, p_content_type text, p_order_key text, p_rest text, p_window double precision,
    p_content_window double precision, p_body bytea
  ) returns jsonb language plpgsql ${stablePlans} set lock_timeout = '250ms' as $$
  declare
    number bigint := :s.take_numbers_1(1);
    answer jsonb;
  begin
    answer := :s.accept_one_1(:s.now_1(p_now), number, p_key, p_shard, p_identity, p_contents, p_tenant, p_source, p_id, p_type,
      p_fingerprint_keys, p_fingerprints, p_registry_version, p_flags, p_content_type, p_order_key, p_rest, p_window,
      p_content_window, null, null, p_body);
    if answer ->> 'o' = 'u' then
      perform :s.repeat_later_1(:s.now_1(p_now), number, p_key, p_id, (answer ->> 'k')::uuid, p_content_type, p_body);
    end if;
    return answer;
  exception when lock_not_available then
    return jsonb_build_object('o', 'f');
  end $$;
`
