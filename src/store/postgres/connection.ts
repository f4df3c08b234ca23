import { createHash } from 'node:crypto'
import type { PoolClient, PoolConfig, Pool as PoolType, QueryConfig } from 'pg'
import { HapaxError } from '../../errors/hapax-error.ts'
import { limits } from '../../kit/limits.ts'
import type { Log } from '../../kit/log.ts'
import type { Row } from '../sql/rows.ts'
import { keyOfUuid } from './key-bytes.ts'
import type { Param } from './params.ts'

/** Types of PostgreSQL that are read in a way of our own: 64-bit numbers stay below 2^53, uuids are keys. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  20: Number,
  2950: keyOfUuid,
}

const standbyCancelled = 'the wait for a standby was cancelled: nothing is certain'

/** The pool of one node: its connections, and its errors as ours. */
export class Connections {
  readonly pool: PoolType
  readonly #log: Log
  readonly #names = new Map<string, string>()
  readonly #lost = new WeakSet<PoolClient>()
  #namesStatements = true

  constructor(pool: PoolType, log: Log) {
    this.pool = pool
    this.#log = log
    // Heard from its first moment on: one that broke as it was ready, before whoever had asked for it went on, ended the
    // process (faults test, seed 123073).
    pool.on('connect', (client) => {
      client.on('error', (error) => {
        this.#lost.add(client)
        log.warn('postgres connection lost', { error: error.message })
      })
    })
    // An idle one, which was heard above: the next question opens another.
    pool.on('error', () => undefined)
  }

  /**
   * One statement, in a transaction of its own: committed when it answers. Where no reply comes, its connection is given up,
   * and nobody knows whether it was carried out.
   */
  async rows(text: string, values: readonly Param[] = [], replyMs: number = limits.storeReplyMs): Promise<Row[]> {
    try {
      const { rows } = await this.pool.query<Row>(inTime({ text, values: [...values] }, replyMs))
      return rows
    } catch (error) {
      throw storeError(error)
    }
  }

  /** The same, of statements that answer one row. */
  async row(text: string, values: readonly Param[] = [], replyMs?: number): Promise<Row> {
    const [row] = await this.rows(text, values, replyMs)
    if (!row) throw new HapaxError('store_unavailable', { reason: 'a statement answered no row' })
    return row
  }

  /**
   * One statement whose commit must be durable before it counts: a wait for a standby that was cancelled leaves it durable
   * here alone, which is no receipt.
   */
  durable(text: string, values: readonly Param[]): Promise<Row> {
    return this.#lend(async (client, isClean) => {
      try {
        const { rows } = await this.#prepared(client, text, [...values])
        isClean()
        const [row] = rows
        if (!row) throw new HapaxError('store_unavailable', { reason: 'a statement answered no row' })
        return row
      } catch (error) {
        if (sqlState(error) !== undefined && !isFatal(error) && !isTypeGone(error)) isClean()
        throw error
      }
    })
  }

  /**
   * A connection for a transaction. One that it is not known to have ended is thrown away: nothing of it may be committed
   * with the next. A wait for a standby that was cancelled is no commit.
   */
  hold<Result>(work: (client: PoolClient, ended: () => void) => Promise<Result>): Promise<Result> {
    return this.#lend(work)
  }

  async close(): Promise<void> {
    try {
      await this.pool.end()
    } catch (error) {
      this.#log.warn('postgres pool closed badly', { error: String(error) })
    }
  }

  /** A connection of the pool for as long as this takes; it goes back only where it was said to be clean, and still is. */
  async #lend<Result>(work: (client: PoolClient, isClean: () => void) => Promise<Result>): Promise<Result> {
    const client = await this.#take()
    let clean = false
    let cancelled = false
    const onNotice = ({ message }: { readonly message?: string | undefined }) => {
      if (message?.includes('synchronous replication')) cancelled = true
    }
    client.on('notice', onNotice)
    try {
      const result = await work(client, () => {
        clean = true
      })
      if (cancelled) throw new HapaxError('store_unavailable', { reason: standbyCancelled })
      return result
    } finally {
      client.off('notice', onNotice)
      client.release(this.#lost.has(client) || !clean)
    }
  }

  /**
   * By name, so that it is parsed and planned once for each connection: a fifth of a commit. A pooler of transactions that
   * keeps no named statements says so before anything ran; from then on all go without.
   */
  async #prepared(client: PoolClient, text: string, values: unknown[]): Promise<{ rows: Row[] }> {
    if (this.#namesStatements) {
      try {
        return await client.query<Row>(inTime({ name: this.#nameOf(text), text, values }, limits.storeReplyMs))
      } catch (error) {
        if (!isNameUnknown(error)) throw error
        this.#namesStatements = false
        this.#log.info('statements go unnamed: a pooler of transactions keeps none')
      }
    }
    return client.query<Row>(inTime({ text, values }, limits.storeReplyMs))
  }

  /**
   * One name for one text: behind a pooler a connection may come with what a node of another version has named there, and
   * its statement would be run in place of this one's.
   */
  #nameOf(text: string): string {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    const name = `hapax_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
    this.#names.set(text, name)
    return name
  }

  async #take(): Promise<PoolClient> {
    try {
      return await this.pool.connect()
    } catch (error) {
      throw storeError(error)
    }
  }
}

/** A network that swallows what is sent tells nobody: without an end to the wait its node would wait for ever. */
function inTime(query: QueryConfig, replyMs: number): QueryConfig & { readonly query_timeout: number } {
  return { ...query, query_timeout: replyMs }
}

/** How the pool is made. */
export function poolConfig(url: string, connections: number): PoolConfig {
  return {
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: limits.storeReplyMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.storeReplyMs,
    application_name: 'hapax',
    types: {
      getTypeParser: (oid: number, format?: string) => {
        const parse = format === 'binary' ? undefined : parsers[oid]
        return parse ?? defaultParser(oid, format)
      },
    },
  }
}

let defaultParser: (oid: number, format?: string) => unknown = () => String

/** Loads the driver where it is asked for: who uses another store need not install it. */
export async function loadDriver(): Promise<typeof import('pg')> {
  let pg: typeof import('pg')
  try {
    pg = await import('pg')
  } catch {
    throw new HapaxError('store_refused', { reason: 'the package pg is not installed: npm install pg' })
  }
  defaultParser = (oid, format) => pg.default.types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text')
  return pg
}

/** The SQLSTATE of an error that the server itself gave. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

/**
 * Whether a statement's name was not known, or taken: another transaction got this connection meanwhile. 08P01 alone says
 * less, since a pooler says it of whatever is wrong with itself.
 */
function isNameUnknown(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '26000' || state === '42P05') return true
  return state === '08P01' && error instanceof Error && error.message.startsWith('bind message supplies')
}

/**
 * Whether a type is gone that a statement was prepared for: the schema was made anew. The statement's name on this connection
 * is of no more use.
 */
export function isTypeGone(error: unknown): boolean {
  return (
    sqlState(error) === 'XX000' && error instanceof Error && error.message.startsWith('cache lookup failed for type')
  )
}

/** Whether the connection ended with it. */
function isFatal(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && (error.severity === 'FATAL' || error.severity === 'PANIC')
}

/** States after which the same may be asked again at once: another transaction was in the way. */
const passing = new Set(['40001', '40P01', '55P03'])

/** What Prisma says of the first two. */
const prismaPassing = 'P2034'

/**
 * Whether another try may do: a serialization failure, a deadlock, a lock that was not had in time; also where a library
 * has put the server's own error inside one of its own.
 */
export function isPassing(error: unknown): boolean {
  for (let one = error, depth = 0; one instanceof Error && depth < 4; one = one.cause, depth++) {
    const state = sqlState(one)
    if (state !== undefined && (passing.has(state) || state === prismaPassing)) return true
  }
  return false
}

/** An error of the driver as one of ours. */
export function storeError(error: unknown): HapaxError {
  if (error instanceof HapaxError) return error
  const state = sqlState(error)
  const reason = error instanceof Error ? error.message : String(error)
  const options = { cause: error }
  if (state === '55P03') return new HapaxError('store_busy', { reason }, options)
  // A schema or function that is not there: run hapax migrate.
  if (state === '3F000' || state === '42P01' || state === '42883') {
    return new HapaxError('store_refused', { reason: `${reason}: run hapax migrate` }, options)
  }
  if (state === '42501') {
    const grant = 'hapax migrate --role NAME, run by the owner of the schema, grants what a role needs'
    return new HapaxError('store_refused', { reason: `${reason}: ${grant}` }, options)
  }
  return new HapaxError('store_unavailable', { reason }, options)
}
