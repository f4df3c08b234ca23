/** The newest versions that were processed. */
export const versionFunctions = `
  -- Whoever raises the same one at the same time is waited for; what is no greater writes nothing.
  create or replace function :s.raise_version_1(
    p_now double precision, p_tag text, p_tenant text, p_key text, p_version text
  ) returns text language plpgsql as $$
  begin
    insert into :s.processed_version as v values (p_tag, p_tenant, p_key, p_version, :s.now_1(p_now))
    on conflict (tag, tenant, key) do update set version = excluded.version, raised_at = excluded.raised_at
    where v.version < excluded.version;
    return (select v.version from :s.processed_version v where v.tag = p_tag and v.tenant = p_tenant and v.key = p_key);
  end $$;

  -- Drops at most so many of the next rows after a place that were not raised since, and says where the next look begins: after
  -- the last row that was looked at; null where there are no more.
  create or replace function :s.purge_versions_1(
    p_before double precision, p_rows integer, p_looks integer, p_after jsonb
  ) returns jsonb language plpgsql as $$
  declare
    looked integer := 0;
    dropped integer := 0;
    next jsonb;
    seen record;
  begin
    for seen in select v.tag, v.tenant, v.key, v.raised_at from :s.processed_version v
      where (v.tag, v.tenant, v.key) > (p_after ->> 'tag', p_after ->> 'tenant', p_after ->> 'key')
      order by v.tag, v.tenant, v.key limit p_looks
    loop
      exit when dropped = p_rows;
      looked := looked + 1;
      next := jsonb_build_object('tag', seen.tag, 'tenant', seen.tenant, 'key', seen.key);
      continue when seen.raised_at >= p_before;
      -- It may be raised at this moment.
      delete from :s.processed_version v
      where v.tag = seen.tag and v.tenant = seen.tenant and v.key = seen.key and v.raised_at < p_before;
      dropped := dropped + 1;
    end loop;
    if looked < p_looks and dropped < p_rows then next := null; end if;
    return jsonb_build_object('next', next, 'more', dropped = p_rows);
  end $$;
`
