import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../../errors/hapax-error.ts'

/**
 * File systems whose locks or fsync do not reach the disk of one machine (statfs types of Linux and macOS). Write-ahead
 * logging needs shared memory between all processes of a file, which these do not give.
 */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x47504653, 'GPFS'],
  [0x0bd00bd0, 'Lustre'],
])

/**
 * Whether SQLite can say how large its log is without copying it (3.51 and later). Older ones copy by themselves, inside
 * a commit.
 */
export const ownCheckpoints = isAtLeast(process.versions.sqlite ?? '0', 3, 51)

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number)
  return foundMajor > major || (foundMajor === major && foundMinor >= minor)
}

/** Between two tries of what SQLite does not wait for itself, in milliseconds. */
const pauseMs = 5

/** How long a writer waits for another process's transaction, in milliseconds; then it is `store_busy` (DESIGN section 8). */
export const busyMs = 5_000

/**
 * Refuses what cannot hold a database of this kind, and makes the file, readable by its owner alone: payloads are in it.
 *
 * @throws `store_refused`
 */
export function prepareFile(path: string): void {
  const folder = dirname(path)
  try {
    const type = Number(statfsSync(folder).type) >>> 0
    const network = networkFileSystems.get(type)
    if (network) {
      throw new HapaxError('store_refused', {
        reason: `${path} lies on a network file system (${network}), where SQLite's locks do not hold; use a local disk`,
      })
    }
    // Never one that is there: POSIX drops every lock that a process has on a file as soon as it closes it once, those of its
    // SQLite connections too (sqlite.org/howtocorrupt.html, 2.2).
    const there = statSync(path, { throwIfNoEntry: false })
    if (!there) closeSync(openSync(path, 'a', 0o600))
    else if (there.isFile()) accessSync(path, constants.R_OK | constants.W_OK)
    else throw new HapaxError('store_refused', { reason: `${path} is there and is no file` })
  } catch (error) {
    if (error instanceof HapaxError) throw error
    throw new HapaxError('store_refused', { reason: `${path} cannot be opened (${codeOf(error)})` }, { cause: error })
  }
}

/** Tightens a file that an earlier tool made readable to others. Best effort: the owner may be another user. */
export function tightenFile(path: string): void {
  try {
    chmodSync(path, 0o600)
  } catch {
    // Another owner's file: its mode is theirs.
  }
}

/** What the connections of one process differ in. */
export interface ConnectionOptions {
  readonly path: string
  /** Page cache in kibibytes. */
  readonly cacheKib: number
  readonly readOnly?: boolean
  readonly waitMs?: number
}

/**
 * One connection, set up alike everywhere: WAL, every commit fsynced, checkpoints by the writer's own hand (SQLite's own
 * would stop a commit for as long as the log is large).
 *
 * The page size is a measurement: at 500 events a second commits are small, and with 8 KiB they wrote 24 MB/s where 4 KiB write
 * 12 to 15. At full speed, in groups of 64, no difference is left (accept 0.60 and 0.63 of the limit, whole life 0.40 and 0.45, whose
 * ranges meet; 16 KiB lost).
 */
export function connect(options: ConnectionOptions): DatabaseSync {
  const database = new DatabaseSync(options.path, {
    readOnly: options.readOnly ?? false,
    timeout: options.waitMs ?? busyMs,
  })
  if (!options.readOnly) {
    database.exec('pragma page_size = 4096')
    keepLog(database, options.waitMs ?? busyMs)
  }
  database.exec(`
    pragma synchronous = full;
    pragma wal_autocheckpoint = ${ownCheckpoints ? 0 : 4_000};
    pragma journal_size_limit = 67108864;
    pragma cache_size = -${options.cacheKib};
    pragma temp_store = memory;
    pragma recursive_triggers = off;
  `)
  return database
}

/**
 * Of several that open a new file at once, one turns it to the log, and the others are busy at that very moment: SQLite waits for
 * nobody there, whatever its timeout. Two servers that were started together ended by it.
 */
function keepLog(database: DatabaseSync, waitMs: number): void {
  for (let leftMs = waitMs; ; leftMs -= pauseMs) {
    try {
      database.exec('pragma journal_mode = wal')
      return
    } catch (error) {
      if (!isBusy(error) || leftMs <= 0) throw error
      pauseThread(pauseMs)
    }
  }
}

/**
 * A connection that leaves the file and what lies beside it as they are.
 *
 * Of a log that is there an ordinary one would be the last to close, and fold it; where there is none, one that only reads
 * would leave an empty one behind.
 */
export function connectToLook(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: existsSync(`${path}-wal`), timeout: busyMs })
  database.exec('pragma query_only = on')
  return database
}

/** Lets the last connection of all copy the log into the file: one that only reads leaves it behind. Best effort. */
export function foldLog(path: string): void {
  if (!existsSync(path) || !existsSync(`${path}-wal`)) return
  try {
    connect({ path, cacheKib: 1_024, waitMs: 0 }).close()
  } catch {
    // Another process has it, or the disk is full: whoever closes or opens it next does.
  }
}

/** Ends an open transaction without a trace. Best effort: the error that led here is the one to be told. */
export function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('rollback')
  } catch {
    // Whoever begins the next one tries again first.
  }
}

/** What names the machine's present boot: a lease of another boot has lapsed. */
export function bootId(wallMs: number, monotonicMs: number): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Minutes are exact enough for a boot, and coarse enough for a clock that is being slewed.
    return `boot-${Math.round((wallMs - monotonicMs) / 600_000)}`
  }
}

const busyCodes = new Set([5, 6])

/**
 * The error that a caller sees for what SQLite threw: `store_busy` for a lock, else `store_unavailable`. SQLite's own
 * message names files and tables, never values.
 */
export function storeError(error: unknown): HapaxError {
  if (error instanceof HapaxError) return error
  if (isBusy(error)) {
    return new HapaxError(
      'store_busy',
      { reason: 'another transaction held the file for longer than a writer waits' },
      { cause: error },
    )
  }
  return new HapaxError('store_unavailable', { reason: codeOf(error) }, { cause: error })
}

const neverTold = new Int32Array(new SharedArrayBuffer(4))

/** Stops this thread for so long. */
export function pauseThread(ms: number): void {
  Atomics.wait(neverTold, 0, 0, ms)
}

/** Whether another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return busyCodes.has(sqliteCode(error) & 0xff)
}

function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  if ('errstr' in error && typeof error.errstr === 'string') return error.errstr
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.name
}
