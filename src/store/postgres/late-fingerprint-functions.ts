import { stablePlans } from './stable-plans.ts'

/**
 * Fingerprints that come after their event: what was accepted by the SQL function has none yet, since the tenant's key is no
 * business of the database. `unfingerprinted` lists such events under their own keys, and accepts that met an identity
 * where one of the two had none, under theirs, with the bytes that they brought where these are others.
 */
export const lateFingerprintFunctions = `
  -- A repeat that cannot be judged yet. The same bytes are the same content under any key; others wait for a fingerprint.
  create or replace function :s.repeat_later_1(
    p_now double precision, p_seq bigint, p_key uuid, p_id text, p_original uuid, p_content_type text, p_body bytea
  ) returns void language plpgsql ${stablePlans} as $$
  declare
    same boolean;
    known record;
  begin
    select coalesce(e.content_type = p_content_type and b.bytes = p_body, false) into same
      from :s.event e left join :s.body b on b.key = e.key where e.key = p_original;
    -- Retention has dropped the event: there is no journal to write to.
    if not found then return; end if;
    select o.* into known from :s.original_1(p_original) o;
    if same and known.fingerprint_key <> 0 then
      insert into :s.repeat values (p_original, p_key, p_seq, 'duplicate', p_now, p_id, null, known.fingerprint_key,
        known.fingerprint) on conflict do nothing;
    elsif same then
      insert into :s.unfingerprinted values (p_original, p_key, p_seq, p_now, p_id, null, null) on conflict do nothing;
    else
      insert into :s.unfingerprinted values (p_original, p_key, p_seq, p_now, p_id, p_content_type, p_body)
        on conflict do nothing;
    end if;
  end $$;

  -- A follow-up event: its own answer is nobody's, but a repeat is left on record.
  create or replace function :s.accept_emit_1(
    p_now double precision, p_position bigint, a :s.accept_item_1, p_more jsonb
  ) returns void language plpgsql as $$
  declare
    answer jsonb := :s.accept_item_at_1(p_now, p_position, false, a, p_more);
  begin
    if answer ->> 'o' = 'u' then
      perform :s.repeat_later_1(p_now, p_position, a.key, a.id, (answer ->> 'k')::uuid, a.content_type, a.bytes);
    end if;
  end $$;

  -- Puts repeats on record that came with the bytes of their event, which has its fingerprint by now.
  create or replace function :s.judge_same_1(p_keys uuid[]) returns void language sql ${stablePlans} as $$
    with judged as (
      delete from :s.unfingerprinted w using :s.late_fingerprint l
      where w.key = any(p_keys) and l.key = w.key and w.repeated_by <> w.key and w.bytes is null
      returning w.*, l.fingerprint_key, l.fingerprint)
    insert into :s.repeat
    select j.key, j.repeated_by, j.seq, 'duplicate', j.at, j.id, null, j.fingerprint_key, j.fingerprint
    from judged j join :s.event e on e.key = j.key on conflict do nothing
  $$;

  -- The same of all that came after the fingerprint; what waits of events that are gone is dropped.
  create or replace function :s.settle_waiting_1() returns void language plpgsql ${stablePlans} as $$
  begin
    perform from :s.unfingerprinted w where w.repeated_by <> w.key order by w.key, w.repeated_by for update;
    perform :s.judge_same_1(array(select distinct w.key from :s.unfingerprinted w where w.repeated_by <> w.key));
    delete from :s.unfingerprinted w where not exists (select from :s.event e where e.key = w.key);
  end $$;

  -- Appends fingerprints: of events, each under its own key, and of repeats, which are judged by them.
  create or replace function :s.append_fingerprints_1(
    p_keys uuid[], p_repeats uuid[], p_fingerprint_keys integer[], p_fingerprints text[]
  ) returns void language plpgsql ${stablePlans} as $$
  begin
    -- In one order, so that nodes which do the same work do not lock each other out.
    perform from :s.unfingerprinted w where w.key = any(p_keys) order by w.key, w.repeated_by for update;
    insert into :s.late_fingerprint
    select distinct on (u.key) u.key, u.k, u.h
    from unnest(p_keys, p_repeats, p_fingerprint_keys, p_fingerprints) u(key, repeated_by, k, h)
    join :s.event e on e.key = u.key and e.fingerprint_key = 0
    where u.repeated_by = u.key order by u.key on conflict do nothing;
    delete from :s.unfingerprinted w using :s.late_fingerprint l
      where w.key = any(p_keys) and w.repeated_by = w.key and l.key = w.key;
    with judged as (
      delete from :s.unfingerprinted w
      using unnest(p_keys, p_repeats, p_fingerprint_keys, p_fingerprints) u(key, repeated_by, k, h)
      where w.key = u.key and w.repeated_by = u.repeated_by and w.repeated_by <> w.key
        and exists (select from :s.original_1(w.key) o where o.fingerprint_key <> 0)
      returning w.*, u.k, u.h)
    insert into :s.repeat
    select j.key, j.repeated_by, j.seq,
      case when o.fingerprint_key = j.k and o.fingerprint = j.h then 'duplicate' else 'conflict' end, j.at, j.id, null, j.k, j.h
    from judged j join :s.event e on e.key = j.key join lateral :s.original_1(j.key) o on true
    on conflict do nothing;
    perform :s.judge_same_1(p_keys);
  end $$;
`
