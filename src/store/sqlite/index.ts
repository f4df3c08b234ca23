import { statSync } from 'node:fs'
import { HapaxError } from '../../errors/hapax-error.ts'
import type { Clock } from '../../kit/clock.ts'
import { type Log, silentLog } from '../../kit/log.ts'
import type { Store } from '../store.ts'
import { type LedgerOptions, ledgerDefaults } from './compaction.ts'
import { bootId, busyMs, connect, connectToLook, prepareFile, storeError, tightenFile } from './connection.ts'
import type { WriterStart } from './messages.ts'
import { checkSchema, migrateSchema, readShards } from './schema.ts'
import { SqliteStore } from './sqlite-store.ts'

/** How a SQLite store is opened. */
export interface SqliteStoreOptions {
  /** The file; made where there is none, with mode 0600. Beside it lie `-wal` and `-shm` while it is open. */
  readonly path: string
  readonly clock: Clock
  /** How many shards a new file gets; an old one keeps its own. Default 16. */
  readonly shards?: number
  /** Default: silent. */
  readonly log?: Log
  /** When the identity ledger is tidied; for tests. */
  readonly ledger?: Partial<LedgerOptions>
  /** How long a writer waits for another transaction before it answers `store_busy`, in milliseconds. Default 5,000. */
  readonly waitMs?: number
  /** Pages that the file may have; for tests of a full disk. */
  readonly maxPages?: number
  /** Opens only what is there, and neither makes nor changes anything: every write is refused. */
  readonly lookOnly?: boolean
  /** `check` refuses a file that is missing or of an earlier version. Default `auto`. */
  readonly migrate?: 'check' | 'auto' | undefined
}

/**
 * Opens a store in one SQLite file: WAL, every commit fsynced before it is answered (`local-fsync`), one writer in a
 * thread of its own. Several processes of one machine may open the same file; each is a node.
 *
 * @throws `store_refused` for a network file system or a path that cannot be opened; `schema_too_new`.
 * @example const store = await sqliteStore({ path: 'hapax.db', clock: systemClock })
 */
export async function sqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, clock, shards = 16, log = silentLog } = options
  if (options.lookOnly) return lookAt(options)
  if (options.migrate === 'check') await lookAt(options).close()
  prepareFile(path)
  try {
    const database = connect({ path, cacheKib: 2_048 })
    try {
      migrateSchema(database, shards)
      const start = startOf(options, readShards(database))
      tightenFile(path)
      const reader = connect({ path, cacheKib: 16_384, readOnly: true })
      return new SqliteStore({ start, reader, clock, log, boot: bootId(clock.now(), clock.monotonicMs()) })
    } finally {
      database.close()
    }
  } catch (error) {
    throw storeError(error)
  }
}

function lookAt(options: SqliteStoreOptions): Store {
  const { path, clock, log = silentLog } = options
  if (!statSync(path, { throwIfNoEntry: false })?.size) {
    throw new HapaxError('store_refused', { reason: `no file there: run hapax migrate (${path})` })
  }
  try {
    const reader = connectToLook(path)
    try {
      checkSchema(reader)
      const start = startOf(options, readShards(reader))
      return new SqliteStore({ start, reader, clock, log, boot: '', lookOnly: true })
    } catch (error) {
      reader.close()
      throw error
    }
  } catch (error) {
    throw storeError(error)
  }
}

function startOf(options: SqliteStoreOptions, shards: number): WriterStart {
  return {
    path: options.path,
    shards,
    ledger: { ...ledgerDefaults, ...options.ledger },
    maxPages: options.maxPages,
    waitMs: options.waitMs ?? busyMs,
  }
}
