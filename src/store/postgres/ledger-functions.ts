import { ledgerKey } from './ledger.ts'
import { alone, asOwner, tablesLock } from './range-functions.ts'
import { stablePlans } from './stable-plans.ts'

const noIdentity = '00000000-0000-0000-0000-000000000000'

/**
 * Generations of the ledger. The next is opened, then marked, then the one before it is sealed, each in a transaction of its
 * own. Who sees the opening writes both. Who does not has a smaller number than the mark, which is taken after the opening
 * was seen; so once all transactions up to the mark have ended, the older one is in everybody's sight, and is sealed.
 */
export const ledgerFunctions = `
  -- Names the event as the one of its identity, after the one that was known (null: none); false where another was first.
  create or replace function :s.claim_1(p_identity uuid, p_key uuid, p_before uuid) returns boolean language plpgsql as $$
  declare
    is_open :s.ledger_open;
  begin
    select o.* into is_open from :s.ledger_open o where ${ledgerKey('p_identity')} is not distinct from p_before;
    if not found then return false; end if;
    -- The older first: who loses there leaves nothing in the newer one.
    for number in is_open.oldest .. is_open.newest loop
      update :s.ledger l set key = p_key where l.generation = number and l.identity = p_identity and l.key = p_before;
      if not found then
        insert into :s.ledger values (p_identity, p_key, number) on conflict do nothing;
        if not found then return false; end if;
      end if;
    end loop;
    return true;
  end $$;

  -- The table of the generation after this one, long before it is written: a statement knows the partitions that were there
  -- when its plan was taken, a little before its snapshot.
  create or replace function :s.make_generation_1(p_after integer, p_wait_ms integer)
  returns boolean language plpgsql ${asOwner} as $$
  declare
    name text := 'ledger_' || p_after + 1;
  begin
    ${alone}
    execute format('create table :s.%I (like :s.ledger, primary key (identity))', name);
    -- Attached, not made as a partition: that would shut out writers.
    execute format('alter table :s.ledger attach partition :s.%I for values in (%s)', name, p_after + 1);
    return true;
  exception when lock_not_available or duplicate_table then
    return false;
  end $$;

  -- The generation after this one is written too from now on. Not while its table is being made: who made it tells the others
  -- after all can see it, and lets go of the lock after that. In between their statements know no such partition, however often
  -- they are asked (23514).
  create or replace function :s.open_generation_1(p_now double precision, p_after integer)
  returns boolean language plpgsql set lock_timeout = '100ms' as $$
  begin
    if not pg_try_advisory_xact_lock_shared(${tablesLock}) then return false; end if;
    update :s.ledger_open o set newest = o.newest + 1 where o.oldest = o.newest and o.newest = p_after;
    if not found then return false; end if;
    insert into :s.ledger_generation values (p_after + 1, :s.now_1(p_now), null, '${noIdentity}', false);
    return true;
  exception when lock_not_available then
    return false;
  end $$;

  -- Looks first and takes its number after it: whoever has a later one sees the opening too.
  create or replace function :s.mark_generation_1() returns void language plpgsql set lock_timeout = '100ms' as $$
  declare
    seen integer;
  begin
    if pg_current_xact_id_if_assigned() is not null then
      raise exception 'a generation is marked by a transaction that has done nothing else' using errcode = '25001';
    end if;
    select o.newest into seen from :s.ledger_open o where o.oldest < o.newest and o.mark is null;
    if not found then return; end if;
    update :s.ledger_open o set mark = pg_current_xact_id()::text::bigint + (select m.first_xid from :s.meta m)
      where o.newest = seen and o.mark is null;
  exception when lock_not_available then
    return;
  end $$;

  -- False: a transaction is open that may write the older one alone, or another one has this row.
  create or replace function :s.seal_generation_1(p_now double precision) returns boolean
  language plpgsql set lock_timeout = '100ms' as $$
  declare
    sealed integer;
  begin
    update :s.ledger_open o set oldest = o.newest, mark = null
      where o.mark < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select m.first_xid from :s.meta m)
      returning o.newest - 1 into sealed;
    if not found then return false; end if;
    update :s.ledger_generation g set sealed_at = :s.now_1(p_now), token = gen_random_uuid() where g.number = sealed;
    return true;
  exception when lock_not_available then
    return false;
  end $$;

  -- The next page of what a sealed generation has; true: there are all. Another node that was first leaves this one's look for
  -- nothing. What came into it behind the sealing is in the next one, too, which was opened before.
  create or replace function :s.filter_generation_1(p_number integer, p_rows integer) returns boolean
  language plpgsql ${stablePlans} set lock_timeout = '100ms' as $$
  declare
    before :s.ledger_filter;
    page record;
  begin
    if not exists (select from :s.ledger_generation g where g.number = p_number and g.token is not null) then return true; end if;
    select f.* into before from :s.ledger_filter f where f.generation = p_number order by f.page desc limit 1;
    if before.is_last then return true; end if;
    select array_agg(l.identity order by l.identity) as identities,
      string_agg(substr(uuid_send(l.identity), 1, 5), '' order by l.identity) as prefixes into page
    from (
      select l.identity from :s.ledger l where l.generation = p_number and l.identity > coalesce(before.last, '${noIdentity}')
      order by l.identity limit p_rows) l;
    insert into :s.ledger_filter values (p_number, coalesce(before.page, 0) + 1, coalesce(cardinality(page.identities), 0),
      coalesce(page.identities[cardinality(page.identities)], before.last, '${noIdentity}'),
      coalesce(cardinality(page.identities), 0) < p_rows, coalesce(page.prefixes, ''))
    on conflict do nothing;
    return coalesce(cardinality(page.identities), 0) < p_rows;
  exception when lock_not_available then
    return false;
  end $$;

  -- Looks a page of a sealed generation through: identities that are still remembered outlive it. How far it got is in the
  -- schema; another node that was first makes it a look for nothing.
  create or replace function :s.pass_generation_1(p_number integer, p_rows integer, out is_through boolean)
  language plpgsql ${stablePlans} as $$
  declare
    looked :s.ledger_generation;
    page record;
  begin
    select g.* into looked from :s.ledger_generation g where g.number = p_number and g.sealed_at is not null for update;
    is_through := coalesce(looked.is_through, false);
    if looked.number is null or is_through then return; end if;
    select array_agg(l.identity order by l.identity) as identities, array_agg(l.key order by l.identity) as keys into page from (
      select l.identity, l.key from :s.ledger l where l.generation = p_number and l.identity > looked.after
      order by l.identity limit p_rows) l;
    -- Generations go in their order: what comes now is the later one of its identity.
    insert into :s.ledger_0 as z
    select p.identity, p.key, 0 from unnest(page.identities, page.keys) p(identity, key)
    where exists (select from :s.original_1(p.key))
    on conflict (identity) do update set key = excluded.key;
    is_through := coalesce(cardinality(page.identities), 0) < p_rows;
    update :s.ledger_generation g
      set after = coalesce(page.identities[cardinality(page.identities)], g.after), is_through = pass_generation_1.is_through
      where g.number = p_number;
  end $$;

  -- Drops a generation that was looked through; as with ranges, nobody is made to wait for long.
  create or replace function :s.drop_generation_1(p_number integer, p_wait_ms integer) returns boolean
  language plpgsql ${asOwner} as $$
  begin
    if :s.is_held_1('ledger') then return false; end if;
    ${alone}
    lock table only :s.ledger in access exclusive mode;
    delete from :s.ledger_generation g where g.number = p_number and g.is_through;
    if not found then return false; end if;
    execute format('alter table :s.ledger detach partition :s.%I', 'ledger_' || p_number);
    execute format('drop table :s.%I', 'ledger_' || p_number);
    delete from :s.ledger_filter f where f.generation = p_number;
    update :s.ledger_open o set dropped = p_number;
    return true;
  exception when lock_not_available then
    return false;
  end $$;

  revoke execute on function :s.make_generation_1(integer, integer),
    :s.drop_generation_1(integer, integer) from public;
`
