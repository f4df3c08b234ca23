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
