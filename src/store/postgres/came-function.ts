import { stablePlans } from './stable-plans.ts'

const handed = '(e.handed_epoch is distinct from a.epoch or e.handed_group is distinct from a.group_name)'
const asked = `unnest(p_groups, p_shards, p_epochs, p_after, p_asked_after)
        with ordinality a(group_name, shard, epoch, after, asked_after, place)`
const late = (of: string) =>
  `join unnest(${of}_places, ${of}_first, ${of}_last) l(place, first, last) on l.place = a.place`
const event = (where: string) => `cross join lateral (
        select from :s.event e where e.shard = a.shard and ${where} and ${handed} order by e.position limit 1) e`
const intervention = (where: string) => `cross join lateral (
        select from :s.intervention i where i.shard = a.shard and i.answer is null and ${where} order by i.position limit 1) i`

/** What a beat looks at for a node at rest. A function, as with tails: as a statement it was planned over all ranges each time. */
export const cameFunction = `
  -- Whether something came that a tail of these cursors would bring. Each look takes one row of one index.
  create or replace function :s.came_1(
    p_groups text[], p_shards integer[], p_epochs bigint[], p_after bigint[], p_asked_after bigint[], p_late_places integer[],
    p_late_first bigint[], p_late_last bigint[], p_asked_places integer[], p_asked_first bigint[], p_asked_last bigint[]
  ) returns boolean language plpgsql ${stablePlans} as $$
  begin
    return exists (
      select from ${asked} ${event('e.position > a.after')}
      union all
      select from ${asked} ${late('p_late')} ${event('e.position between l.first and l.last and e.position <= a.after')}
      union all
      select from ${asked} ${intervention('i.position > a.asked_after')}
      union all
      select from ${asked} ${late('p_asked')}
        ${intervention('i.position between l.first and l.last and i.position <= a.asked_after')});
  end $$;
`
