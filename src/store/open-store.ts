import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from './store.ts'

/** What a driver is opened with. */
export interface OpenStoreOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Opens only what is there, and neither makes nor changes anything: every write is refused. */
  readonly lookOnly?: boolean
  /** `check` refuses what is not of this version, `auto` makes or upgrades it. Default: `auto`, on PostgreSQL `check`. */
  readonly migrate?: MigrateMode | undefined
}

/** What becomes of a store that is missing or of an earlier version. */
export type MigrateMode = 'check' | 'auto'

/**
 * Opens the store that a URL names; only its driver is loaded.
 *
 * @param url `memory:`, `sqlite:path/to/file.db`, or `postgres://user@host/database?schema=hapax`
 * @throws `store_unknown`, `store_refused`
 */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store> {
  const colon = url.indexOf(':')
  const scheme = colon < 0 ? url : url.slice(0, colon)
  const rest = url.slice(colon + 1)
  if (scheme === 'memory') {
    const { memoryWorld } = await import('./memory/index.ts')
    return memoryWorld({ clock: options.clock }).connect()
  }
  if (scheme === 'sqlite') {
    if (colon < 0 || rest === '')
      throw new HapaxError('store_refused', { reason: 'sqlite: needs a path, like sqlite:hapax.db' })
    const { sqliteStore } = await import('./sqlite/index.ts')
    return sqliteStore({ path: rest, ...options })
  }
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { postgresStore, readUrl } = await import('./postgres/index.ts')
    return postgresStore({ ...readUrl(url), ...options })
  }
  throw new HapaxError('store_unknown', { scheme })
}

/**
 * The SQL that would bring the store to this version, statement by statement; none where it is there.
 *
 * @param role also the SQL that would grant this role what it needs to serve
 * @throws as {@link openStore}; `store_refused` for a store that has no SQL to show.
 */
export async function planMigration(url: string, options: OpenStoreOptions, role?: string): Promise<readonly string[]> {
  if (!isPostgres(url)) {
    throw new HapaxError('store_refused', { reason: 'only a PostgreSQL store is migrated by SQL that can be shown' })
  }
  const { postgresPlan, readUrl } = await import('./postgres/index.ts')
  return postgresPlan({ ...readUrl(url), log: options.log }, role)
}

/**
 * Grants a role of the store's server what it needs to serve, now and after later migrations by the same owner.
 *
 * @throws as {@link openStore}; `store_refused` for a store without roles, a role that is not there or owns the schema.
 */
export async function grantServing(url: string, options: OpenStoreOptions, role: string): Promise<void> {
  if (!isPostgres(url)) throw new HapaxError('store_refused', { reason: 'only a PostgreSQL store has roles' })
  const { postgresGrant, readUrl } = await import('./postgres/index.ts')
  await postgresGrant({ ...readUrl(url), log: options.log }, role)
}

function isPostgres(url: string): boolean {
  return /^postgres(ql)?:/.test(url)
}
