import { idlePart, remainderTurnMs } from '../shared-limits.ts'

/** What nodes may use of the limits that all share, under the lock of whoever beats. */
export const lendFunctions = `
  -- What a node gets of a limit: the same numbers as of \`lend\` in shared-limits.ts, whose names these are.
  create or replace function :s.lend_1(
    p_node text, p_name text, p_amount double precision, p_whole boolean, p_eager boolean, p_at double precision
  ) returns double precision language plpgsql as $$
  declare
    taken double precision;
    nodes integer;
    eagers integer;
    ahead integer;
    eager_ahead integer;
    idle double precision := 0;
    sharers integer;
    pool double precision;
    turn integer;
    part double precision;
  begin
    select coalesce(sum(l.share order by l.node), 0), count(*) + 1, count(*) filter (where l.eager) + p_eager::integer,
      count(*) filter (where l.node < p_node), count(*) filter (where l.node < p_node and l.eager)
    into taken, nodes, eagers, ahead, eager_ahead
    from :s.lent l where l.limit_name = p_name and l.node <> p_node;
    if not p_whole then
      idle := p_amount / (${idlePart} * nodes);
      part := case when eagers = 0 then p_amount / nodes when p_eager then (p_amount - (nodes - eagers) * idle) / eagers else idle end;
    else
      if eagers > 0 and p_amount >= 8 * nodes then idle := greatest(1, floor(p_amount / (${idlePart} * nodes))); end if;
      if eagers > 0 and not p_eager then
        part := idle;
      else
        sharers := case when eagers = 0 then nodes else eagers end;
        pool := case when eagers = 0 then p_amount else p_amount - (nodes - eagers) * idle end;
        turn := (case when eagers = 0 then ahead else eager_ahead end + floor(p_at / ${remainderTurnMs})::bigint) % sharers;
        part := floor(pool / sharers) + case when turn < pool - floor(pool / sharers) * sharers then 1 else 0 end;
      end if;
    end if;
    return greatest(0, least(part, p_amount - taken));
  end $$;

  -- What a node claims, in the place of all that it had. A share that becomes smaller counts as it was until its node says that it
  -- has the smaller one. What stays as it was is not written.
  create or replace function :s.lend_all_1(p_node text, p_limits jsonb, p_at double precision) returns jsonb language plpgsql as $$
  declare
    claim record;
    given double precision;
    answer jsonb := '[]';
  begin
    delete from :s.lent l where l.node = p_node
      and not exists (select from jsonb_to_recordset(p_limits) c(name text) where c.name = l.limit_name);
    for claim in select * from jsonb_to_recordset(p_limits)
      c(name text, amount double precision, whole boolean, held double precision, eager boolean)
    loop
      given := :s.lend_1(p_node, claim.name, claim.amount, claim.whole, claim.eager, p_at);
      insert into :s.lent as l values (claim.name, p_node, greatest(given, claim.held), claim.eager)
      on conflict (limit_name, node) do update set share = excluded.share, eager = excluded.eager
      where (l.share, l.eager) is distinct from (excluded.share, excluded.eager);
      answer := answer || jsonb_build_object('name', claim.name, 'share', given);
    end loop;
    return answer;
  end $$;
`
