import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Instant } from '../../kit/clock.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { VersionScope } from '../version-scope.ts'

/** Before every scope that there is. */
const first: VersionScope = { tag: '', tenant: '', key: '' }

/** The newest versions that were processed. Everything inside the caller's write transaction. */
export class Versions {
  readonly #statements: Record<'raise' | 'look' | 'drop', StatementSync>
  readonly #reads: VersionReads
  #from = first

  constructor(database: DatabaseSync) {
    this.#reads = new VersionReads(database)
    this.#statements = {
      raise: database.prepare(
        `insert into processed_version values (?, ?, ?, ?, ?)
         on conflict do update set version = excluded.version, raised_at = excluded.raised_at
         where version < excluded.version`,
      ),
      look: database.prepare(
        `select * from processed_version where (tag, tenant, key) > (?, ?, ?) order by tag, tenant, key limit ?`,
      ),
      drop: database.prepare('delete from processed_version where tag = ? and tenant = ? and key = ?'),
    }
  }

  raise(scope: VersionScope, version: string, now: Instant): string {
    const { tag, tenant, key } = scope
    this.#statements.raise.run(tag, tenant, key, version, now)
    return this.#reads.newest(scope) ?? version
  }

  /**
   * Drops what was not raised since, from where the last call ended: at most `rows` of those that it looks at.
   *
   * @returns whether there may be more at once.
   */
  purge(before: Instant, rows: number, looks: number): boolean {
    const page = this.#statements.look.all(this.#from.tag, this.#from.tenant, this.#from.key, looks)
    let dropped = 0
    for (const row of page) {
      if (dropped === rows) return true
      const scope = { tag: textIn(row, 'tag'), tenant: textIn(row, 'tenant'), key: textIn(row, 'key') }
      this.#from = scope
      if (numberIn(row, 'raised_at') >= before) continue
      this.#statements.drop.run(scope.tag, scope.tenant, scope.key)
      dropped++
    }
    if (page.length < looks) this.#from = first
    return false
  }
}

/** The same, for reading. */
export class VersionReads {
  readonly #newest: StatementSync

  constructor(database: DatabaseSync) {
    this.#newest = database.prepare('select version from processed_version where tag = ? and tenant = ? and key = ?')
  }

  newest({ tag, tenant, key }: VersionScope): string | undefined {
    const row = this.#newest.get(tag, tenant, key)
    return row && textIn(row, 'version')
  }
}
