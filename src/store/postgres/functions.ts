import { acceptBySql } from './accept-by-sql.ts'
import { acceptFunctions } from './accept-functions.ts'
import { beatFunctions } from './beat-functions.ts'
import { cameFunction } from './came-function.ts'
import { commitFunction } from './commit-function.ts'
import { decisionFunctions } from './decision-functions.ts'
import { itemTypeStatements } from './item-types.ts'
import { lateFingerprintFunctions } from './late-fingerprint-functions.ts'
import { ledgerFunctions } from './ledger-functions.ts'
import { lendFunctions } from './lend-functions.ts'
import { lockFunctions } from './lock-functions.ts'
import { rangeFunctions } from './range-functions.ts'
import { readFunctions } from './read-functions.ts'
import { settingFunctions } from './setting-functions.ts'
import { versionFunctions } from './version-functions.ts'

/** Version of the functions: a node calls those of its own, so that old nodes go on beside a newer schema. */
export const functionsVersion = 5

const numberFunctions = `
  -- By how much the next number lies below the highest that is kept: more than 0 where a dump was restored into a cluster
  -- whose transactions count from elsewhere.
  create or replace function :s.numbers_behind_1() returns bigint language sql set jit = off as $$
    select greatest(0, highest / 8192 + 1 - (pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      + (select first_xid from :s.meta)))
    from (select greatest(
      (select max(s.seq) from :s.settlement s), (select max(o.mark) * 8192 from :s.ledger_open o), (select max(i."position") from :s.intervention i),
      (select max(e."position") from :s.meta m cross join generate_series(0, m.shards - 1) n
        cross join lateral (select e."position" from :s.event e where e.shard = n order by e."position" desc limit 1) e),
      0) as highest) kept
  $$;

  -- The first of so many record numbers of this transaction (see tables.ts). The id comes first, and only then a look at what
  -- generation of the ledger is written: see ledger-functions.ts.
  create or replace function :s.take_numbers_1(p_count integer) returns bigint language plpgsql as $$
  declare
    taken integer := coalesce(nullif(current_setting('hapax.numbers', true), ''), '0')::integer;
    number bigint;
  begin
    if taken + p_count > 8191 then
      raise exception 'one transaction takes at most 8191 records of Hapax' using errcode = '54000';
    end if;
    perform set_config('hapax.numbers', (taken + p_count)::text, true);
    number := (pg_current_xact_id()::text::bigint + (select first_xid from :s.meta)) * 8192 + taken + 1;
    if current_setting('transaction_isolation') <> 'read committed' then
      -- One snapshot for all, which may be older than the id: where a generation was opened, sealed or dropped since, this
      -- lock is refused (40001), and the transaction is to be done again. (One for key share is not.)
      perform from :s.ledger_open for share;
    end if;
    return number;
  end $$;

  create or replace function :s.now_1(p_now double precision) returns double precision language sql as $$
    select coalesce(p_now, floor(extract(epoch from clock_timestamp()) * 1000)::double precision)
  $$;
`

/**
 * The functions. A commit is one call, so that a flush is one round trip and no lock is held while a client thinks.
 * Outcomes as one character: `a` accepted, `d` duplicate, `c` conflict, `f` in flight, `u` unfingerprinted; `w` written, `n` not found.
 */
export const functions = [
  itemTypeStatements,
  numberFunctions,
  lockFunctions,
  acceptFunctions,
  lateFingerprintFunctions,
  acceptBySql,
  decisionFunctions,
  commitFunction,
  lendFunctions,
  beatFunctions,
  settingFunctions,
  versionFunctions,
  cameFunction,
  rangeFunctions,
  ledgerFunctions,
  readFunctions,
].join('\n')
