/**
 * The generations that this statement writes, named `w`: one, or two while transactions may be open that know of the older
 * alone. The look for the identity must be part of the same statement. In two statements, what another one wrote between them
 * could lie in a generation that is not written any more, where nothing stands in its way.
 */
export const openGenerations = '(select generate_series(o.oldest, o.newest) as generation from :s.ledger_open o) w'

/** What the ledger has of an identity: its latest entry, as windows pass and generations change. */
export function ledgerKey(identity: string): string {
  return `(select k.key from :s.ledger k where k.identity = ${identity} order by k.generation desc limit 1)`
}

/**
 * What of the list nobody has, as a condition on the row `u` of an accept. Where the node's filters speak for the generations
 * from `filtered_from` to `filtered_to`, those are opened only for what a filter may know: `suspected` has its generation
 * by the accept's place, 0 for all of them, -1 for none. `offset 0` keeps a look for each row; else the planner may read a
 * whole generation into a hash.
 */
export const isUnknown = `not exists (select from :s.ledger k
            where k.identity = u.identity and (k.generation > filtered_to or k.generation < filtered_from))
          and case ${suspectedOf('u')} when -1 then true
            when 0 then not exists (select from :s.ledger k where k.identity = u.identity offset 0)
            else not exists (
              select from :s.ledger k where k.identity = u.identity and k.generation = ${suspectedOf('u')} offset 0) end`

/**
 * As {@link ledgerKey}, of the row `u` of an accept, by what {@link isUnknown} goes by. Without `offset 0` it would be looked for
 * again wherever the key is named.
 */
export const filteredKey = `(select case ${suspectedOf('u')} when 0 then ${ledgerKey('u.identity')} else coalesce(
          ${latestKey('k.generation > filtered_to')},
          (select k.key from :s.ledger k where k.identity = u.identity and k.generation = ${suspectedOf('u')}),
          ${latestKey('k.generation < filtered_from')}) end as key offset 0)`

function suspectedOf(row: string): string {
  return `coalesce(suspected[${row}.place::integer], -1)`
}

function latestKey(where: string): string {
  return `(select k.key from :s.ledger k where k.identity = u.identity and ${where} order by k.generation desc limit 1)`
}
