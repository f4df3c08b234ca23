import { limits } from '../../kit/limits.ts'
import { eventFlags } from '../sql/rest.ts'
import { stablePlans } from './stable-plans.ts'

/** Under no other right than the owner's, and with no name that the caller could put in the way. */
const asOwner = 'security definer set search_path = pg_catalog, pg_temp'

/** What `hapax.accept` takes, as it stands in the catalogue: a later version with other arguments drops this one first. */
const argumentTypes = 'text, text, text, bytea, text, text, timestamptz, text, text, jsonb'

/** Whether some pattern of a list takes the text; lists of patterns are taken apart only where one has a wildcard. */
const taken = (patterns: string, text: string) => `(${patterns}::jsonb ? ${text} or ${patterns} like '%*"%' and exists (
          select from json_array_elements_text(${patterns}::json) p where right(p, 1) = '*' and starts_with(${text}, left(p, -1))))`

/**
 * The accept of any language: one call inside the caller's own transaction. What identifies an event is made as the library
 * makes it (`params.ts`, `shardOfOrderKey`, `mintEventKey`, `handlersOf`); tests hold both equal.
 */
export const acceptBySql = `
  -- How long a text is in UTF-16 units, which is what the hashes of identities and order keys are prefixed with. (PL/pgSQL
  -- keeps the plans of its expressions; functions of SQL that are not inlined took ten times as long.)
  create or replace function :s.units_1(p_text text) returns integer language plpgsql stable as $$
  declare
    bytes bytea := convert_to(p_text, 'UTF8');
    units integer := char_length(p_text);
  begin
    if octet_length(bytes) > units then
      units := units + (select count(*) from generate_series(0, octet_length(bytes) - 1) i where get_byte(bytes, i) >= 240);
    end if;
    return units;
  end $$;

  create or replace function :s.identity_1(p_tenant text, p_source text, p_id text) returns uuid language plpgsql stable as $$
  begin
    return substr(encode(sha256(convert_to(:s.units_1(p_tenant) || ':' || p_tenant || :s.units_1(p_source) || ':' || p_source
      || p_id, 'UTF8')), 'hex'), 1, 32)::uuid;
  end $$;

  create or replace function :s.shard_of_order_key_1(p_tenant text, p_order_key text, p_shards integer) returns integer
  language plpgsql stable as $$
  begin
    return ('x' || substr(encode(sha256(convert_to(:s.units_1(p_tenant) || ':' || p_tenant || p_order_key, 'UTF8')), 'hex'),
      1, 8))::bit(32)::bigint % p_shards;
  end $$;

  -- A key's time in milliseconds, shard, and eight random bytes: those of a random uuid that do not say its version.
  create or replace function :s.mint_key_1(p_now double precision, p_shard integer) returns uuid language plpgsql as $$
  declare
    random_hex text := replace(gen_random_uuid()::text, '-', '');
  begin
    return (lpad(to_hex(p_now::bigint), 12, '0') || lpad(to_hex(p_shard), 4, '0') || substr(random_hex, 1, 12)
      || substr(random_hex, 29, 4))::uuid;
  end $$;

  -- The key as people and programs know it: 26 digits of Crockford's base32.
  create or replace function :s.key_text_1(p_key uuid) returns text language plpgsql immutable as $$
  declare
    bits bit varying := B'00' || ('x' || replace(p_key::text, '-', ''))::bit(128);
  begin
    return (select string_agg(
      substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(bits from i * 5 + 1 for 5)::bit(5)::integer + 1, 1), '' order by i)
      from generate_series(0, 25) i);
  end $$;

  -- Whether some handler of this version of the registry takes such an event.
  create or replace function :s.is_claimed_1(p_version integer, p_source text, p_type text) returns boolean
  language plpgsql stable as $$
  begin
    return exists (select from :s.handler h
      where h.since_version <= p_version and (h.until_version is null or p_version < h.until_version)
        and ${taken('h.sources', 'p_source')}
        and ${taken('h.types', 'p_type')});
  end $$;

  create or replace function :s.check_text_1(p_what text, p_text text, p_bytes integer) returns void language plpgsql as $$
  begin
    if p_text is null then
      raise exception 'hapax: % is null', p_what using errcode = '22004', hint = format('Give %s a text.', p_what);
    elsif p_text = '' then
      raise exception 'hapax: % is empty', p_what using errcode = '22023',
        hint = format('Give %s a text of 1 to %s bytes.', p_what, p_bytes);
    elsif octet_length(convert_to(p_text, 'UTF8')) > p_bytes then
      raise exception 'hapax: % is longer than % bytes', p_what, p_bytes using errcode = '22001', hint = 'Give a shorter one.';
    elsif p_text ~ '[\\u0001-\\u001f\\u007f-\\u009f]' then
      raise exception 'hapax: % holds a control character', p_what using errcode = '22023',
        hint = 'Take it out: identities are compared byte by byte.';
    end if;
  end $$;

  -- Headers as the event keeps them, names in lower case; null where there are none.
  create or replace function :s.checked_headers_1(p_headers jsonb) returns jsonb language plpgsql as $$
  begin
    if p_headers is null or p_headers = '{}' then return null; end if;
    if jsonb_typeof(p_headers) <> 'object' then
      raise exception 'hapax: headers are not an object' using errcode = '22023', hint = 'Give {"name": "value"}.';
    elsif (select count(*) from jsonb_object_keys(p_headers)) > ${limits.headersKept} then
      raise exception 'hapax: there are more than ${limits.headersKept} headers' using errcode = '54000',
        hint = 'Give those that tell where the event came from.';
    elsif exists (select from jsonb_each(p_headers) h where jsonb_typeof(h.value) <> 'string') then
      raise exception 'hapax: a header is not a text' using errcode = '22023', hint = 'Give each value as a text.';
    elsif exists (select from jsonb_each_text(p_headers) h where char_length(h.value) > ${limits.headerLength}) then
      raise exception 'hapax: a header is longer than ${limits.headerLength} characters' using errcode = '22001',
        hint = 'Leave it out, or keep it in the body.';
    end if;
    return (select jsonb_object_agg(lower(h.key), h.value) from jsonb_each(p_headers) h);
  end $$;

  -- Writes the event in the caller's transaction, which it does not abort: what another one holds open is in flight.
  create or replace function :s.accept_by_sql_1(
    p_source text, p_id text, p_type text, p_body bytea, p_tenant text, p_subject text, p_time timestamptz,
    p_content_type text, p_order_key text, p_headers jsonb
  ) returns jsonb language plpgsql ${stablePlans} set lock_timeout = '250ms' as $$
  declare
    now_at double precision := :s.now_1(null);
    meta record;
    number bigint;
    shard integer;
    key uuid;
    flags integer := ${eventFlags.idSigned | eventFlags.unparsed};
    rest text;
    answer jsonb;
  begin
    perform :s.check_text_1('source', p_source, ${limits.nameLength});
    perform :s.check_text_1('id', p_id, ${limits.idBytes});
    perform :s.check_text_1('type', p_type, ${limits.nameLength});
    perform :s.check_text_1('tenant', p_tenant, ${limits.idBytes});
    perform :s.check_text_1('content_type', p_content_type, ${limits.headerLength});
    if p_order_key is not null then perform :s.check_text_1('order_key', p_order_key, ${limits.idBytes}); end if;
    if p_subject is not null then perform :s.check_text_1('subject', p_subject, ${limits.headerLength}); end if;
    if p_body is null then
      raise exception 'hapax: body is null' using errcode = '22004',
        hint = 'Give the bytes of the event; an event without any has an empty body and a content type that is not JSON.';
    elsif octet_length(p_body) > ${limits.bodyBytes} then
      raise exception 'hapax: body is larger than ${limits.bodyBytes} bytes' using errcode = '54000',
        hint = 'Keep what is large elsewhere, and its address in the event.';
    end if;

    select m.shards, m.registry_version into meta from :s.meta m;
    number := :s.take_numbers_1(1);
    -- Without an order key any shard will do; transactions that follow each other share one, as with the library.
    shard := case when p_order_key is null then (pg_current_xact_id()::text::bigint / 16 % meta.shards)::integer
      else :s.shard_of_order_key_1(p_tenant, p_order_key, meta.shards) end;
    key := :s.mint_key_1(now_at, shard);
    if not :s.is_claimed_1(meta.registry_version, p_source, p_type) then flags := flags | ${eventFlags.unclaimed}; end if;
    rest := nullif(json_strip_nulls(json_build_object('subject', p_subject,
      'time', to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'headers', :s.checked_headers_1(p_headers)))::text, '{}');
    begin
      answer := :s.accept_one_1(now_at, number, key, shard, :s.identity_1(p_tenant, p_source, p_id), null, p_tenant, p_source,
        p_id, p_type, array[0], array[''], meta.registry_version, flags, p_content_type, p_order_key, rest, null, null, null,
        null, p_body);
    exception when lock_not_available then
      return jsonb_build_object('outcome', 'in_flight');
    end;
    if answer ->> 'o' = 'u' then
      perform :s.repeat_later_1(now_at, number, key, p_id, (answer ->> 'k')::uuid, p_content_type, p_body);
      return jsonb_build_object('outcome', 'exists', 'event',
        jsonb_build_object('key', :s.key_text_1((answer ->> 'k')::uuid)));
    end if;
    insert into :s.unfingerprinted values (key, key, number, now_at, p_id, null, null);
    return jsonb_build_object('outcome', 'pending', 'event', jsonb_build_object('key', :s.key_text_1(key)));
  end $$;

  -- The public name, the same in every version.
  create or replace function :s.accept(
    source text, id text, type text, body bytea, tenant text default 'default', subject text default null,
    "time" timestamptz default null, content_type text default 'application/json', order_key text default null,
    headers jsonb default null
  ) returns jsonb language plpgsql ${asOwner} as $$
  begin
    return :s.accept_by_sql_1(source, id, type, body, tenant, subject, "time", content_type, order_key, headers);
  end $$;
  -- It runs as the owner of the tables: who may call it is said, not assumed.
  revoke all on function :s.accept(${argumentTypes}) from public;
`
