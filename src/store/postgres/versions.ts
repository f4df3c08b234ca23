import type { Instant } from '../../kit/clock.ts'
import { limits } from '../../kit/limits.ts'
import { textIn } from '../sql/columns.ts'
import type { VersionScope } from '../version-scope.ts'
import type { Connections } from './connection.ts'
import type { Now } from './now.ts'
import type { Naming } from './schema.ts'

/** Before every scope that there is. */
const first: VersionScope = { tag: '', tenant: '', key: '' }

/** The newest versions that were processed. */
export class Versions {
  readonly #connections: Connections
  readonly #now: Now
  readonly #sql: Record<'newest' | 'raise' | 'purge', string>
  #from = first

  constructor(connections: Connections, naming: Naming, now: Now) {
    this.#connections = connections
    this.#now = now
    this.#sql = {
      newest: naming.sql('select version from :s.processed_version where tag = $1 and tenant = $2 and key = $3'),
      raise: naming.sql('select :s.raise_version_1($1, $2, $3, $4, $5) as newest'),
      purge: naming.sql('select :s.purge_versions_1($1, $2, $3, $4::jsonb) as purged'),
    }
  }

  async newest({ tag, tenant, key }: VersionScope): Promise<string | undefined> {
    const [row] = await this.#connections.rows(this.#sql.newest, [tag, tenant, key])
    return row && textIn(row, 'version')
  }

  async raise({ tag, tenant, key }: VersionScope, version: string): Promise<string> {
    return textIn(await this.#connections.row(this.#sql.raise, [this.#now(), tag, tenant, key, version]), 'newest')
  }

  /**
   * Drops what was not raised since, from where the last call ended: at most `rows` of those that it looks at.
   *
   * @returns whether there may be more at once.
   */
  async purge(before: Instant, rows: number, looks: number): Promise<boolean> {
    const asked = [before, rows, looks, JSON.stringify(this.#from)]
    const row = await this.#connections.row(this.#sql.purge, asked, limits.storeWorkMs)
    const { next, more } = row.purged as { readonly next: VersionScope | null; readonly more: boolean }
    this.#from = next ?? first
    return more
  }
}
