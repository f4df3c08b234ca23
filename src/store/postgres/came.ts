/**
 * One row or more where something came that a `tail` of cursors would bring. Each look takes one row of one index, whatever
 * the statistics say.
 *
 * @param first number of the first parameter: groups, shards, epochs, cursors, asked, then spans of events and of interventions
 */
export function cameSql(first: number): string {
  const at = (offset: number) => `$${first + offset}`
  const handed = '(e.handed_epoch is distinct from a.epoch or e.handed_group is distinct from a.group_name)'
  const asked = `(select * from unnest(${at(0)}::text[], ${at(1)}::integer[], ${at(2)}::bigint[], ${at(3)}::bigint[],
    ${at(4)}::bigint[]) with ordinality o(group_name, shard, epoch, after, asked_after, place)) a`
  const late = (from: number) =>
    `join unnest(${at(from)}::integer[], ${at(from + 1)}::bigint[], ${at(from + 2)}::bigint[]) l(place, first, last)
      on l.place = a.place`
  const event = (where: string) => `cross join lateral (
    select from :s.event e where e.shard = a.shard and ${where} and ${handed} order by e.position limit 1) e`
  const intervention = (where: string) => `cross join lateral (
    select from :s.intervention i where i.shard = a.shard and i.answer is null and ${where} order by i.position limit 1) i`
  return `
    select from ${asked} ${event('e.position > a.after')}
    union all
    select from ${asked} ${late(5)} ${event('e.position between l.first and l.last and e.position <= a.after')}
    union all
    select from ${asked} ${intervention('i.position > a.asked_after')}
    union all
    select from ${asked} ${late(8)}
      ${intervention('i.position between l.first and l.last and i.position <= a.asked_after')}`
}
