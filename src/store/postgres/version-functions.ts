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
  -- the last of those rows, or of those that it dropped where there may be more; null: from the start.
  create or replace function :s.purge_versions_1(
    p_before double precision, p_rows integer, p_looks integer, p_after jsonb
  ) returns jsonb language sql as $$
    with page as materialized (
      select v.tag, v.tenant, v.key, v.raised_at from :s.processed_version v
      where (v.tag, v.tenant, v.key) > (p_after ->> 'tag', p_after ->> 'tenant', p_after ->> 'key')
      order by v.tag, v.tenant, v.key limit p_looks),
    old as materialized (
      select p.* from page p where p.raised_at < p_before order by p.tag, p.tenant, p.key limit p_rows),
    gone as (
      -- It may be raised at this moment.
      delete from :s.processed_version v using old o
      where v.tag = o.tag and v.tenant = o.tenant and v.key = o.key and v.raised_at < p_before),
    step as (select count(*) = p_rows as is_full from old)
    select jsonb_build_object('more', s.is_full, 'next', (
      select jsonb_build_object('tag', n.tag, 'tenant', n.tenant, 'key', n.key)
      from (select * from old where s.is_full union all select * from page where not s.is_full) n
      order by n.tag desc, n.tenant desc, n.key desc limit 1))
    from step s
  $$;
`
