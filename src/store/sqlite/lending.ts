import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Instant } from '../../kit/clock.ts'
import { type LentShare, type LimitClaim, type LimitShare, lend } from '../shared-limits.ts'
import { numberIn, textIn } from '../sql/columns.ts'

/** What live nodes may be using of the limits that all share. Everything inside the caller's write transaction. */
export class Lending {
  readonly #statements: Record<'giveBack' | 'others' | 'keep' | 'forget', StatementSync>

  constructor(database: DatabaseSync) {
    this.#statements = {
      giveBack: database.prepare('delete from lent where node = ?'),
      // A process of an earlier version forgets nodes, and leaves what they had.
      others: database.prepare(
        `select node, share, eager from lent
         where limit_name = ? and node <> ? and node in (select node from node) order by node`,
      ),
      keep: database.prepare('insert or replace into lent values (?, ?, ?, ?)'),
      forget: database.prepare('delete from lent where node not in (select node from node)'),
    }
  }

  /**
   * What a node claims, in the place of all that it had. A share that becomes smaller counts as it was until its node says
   * that it has the smaller one.
   */
  lend(node: string, claims: readonly LimitClaim[], now: Instant): LimitShare[] {
    const s = this.#statements
    s.giveBack.run(node)
    return claims.map((claim) => {
      const { name, held, eager } = claim
      const others = s.others.all(name, node).map((row): LentShare => {
        return { node: textIn(row, 'node'), share: numberIn(row, 'share'), eager: row.eager === 1 }
      })
      const share = lend(node, claim, others, now)
      s.keep.run(name, node, Math.max(share, held), eager ? 1 : 0)
      return { name, share }
    })
  }

  /** Nodes that are gone have nothing. */
  forget(): void {
    this.#statements.forget.run()
  }
}
