import type { Duplex } from 'node:stream'
import { HapaxError } from '../../errors/hapax-error.ts'
import type { Clock } from '../../kit/clock.ts'
import { type Log, silentLog } from '../../kit/log.ts'
import type { Random } from '../../kit/random.ts'
import { numberIn } from '../sql/columns.ts'
import type { Store } from '../store.ts'
import { Connections, loadDriver, poolConfig } from './connection.ts'
import { functionsVersion } from './functions.ts'
import { checkGrantee, grantRole, grantStatements } from './grants.ts'
import { Hints } from './hints.ts'
import type { Now } from './now.ts'
import { PostgresStore } from './postgres-store.ts'
import { refusalOf } from './refusals.ts'
import { checkSchema, foundVersion, migrateSchema, migrationPlan, Naming, schemaVersion } from './schema.ts'
import { checkServer } from './server.ts'

/** Shards of a new schema: more than nodes, so that they share evenly. */
const defaultShards = 64

/** How a PostgreSQL store is opened. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database?…`, as libpq reads it. */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
  /** Default: silent. */
  readonly log?: Log
  /** The schema of all objects. Default `hapax`. */
  readonly schema?: string
  /** How many shards a new schema gets; an old one keeps its own. Default 64. */
  readonly shards?: number
  /** Connections at most, beside the one that listens. Default 8. */
  readonly connections?: number
  /** `check` refuses a schema that is not this version's, with the command to run; `auto` brings it there. Default `check`. */
  readonly migrate?: 'check' | 'auto' | undefined
  /** Writes nothing. */
  readonly lookOnly?: boolean
  /** How wide new ranges of the journal are, in ms, for tests. Default: as its retention asks. */
  readonly rangeMs?: number
  /** Size at which the ledger's next generation is opened, in bytes, for tests. Default: 136 MB, or more beside many. */
  readonly generationBytes?: number
  /** The store's time, for tests. Default: the server's clock. */
  readonly now?: () => number
  /** Makes the way of each connection, for tests. Default: a socket. */
  readonly stream?: () => Duplex
}

/**
 * Opens a store in a schema of a PostgreSQL database, 15 to 18. Every commit is one statement, durable before it is
 * answered as the server's `synchronous_commit` says. Any number of processes may share it; each is a node.
 *
 * @throws `store_refused` where the driver or the schema is missing, with what to do; `schema_too_new`; `store_unavailable`.
 * @example const store = await postgresStore({ url: 'postgres://localhost/app', clock: systemClock, random: systemRandom() })
 */
export async function postgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { url, clock, log = silentLog, shards = defaultShards, lookOnly = false } = options
  const naming = new Naming(options.schema ?? 'hapax')
  const { default: pg } = await loadDriver()
  const poolSize = options.connections ?? 8
  const config = { ...poolConfig(url, poolSize), ...(options.stream && { stream: options.stream }) }
  const connect = () => new pg.Client(config)
  const connections = new Connections(new pg.Pool(config), log)
  const now: Now = options.now ?? (() => null)
  const upkeep = { now, log, widthMs: options.rangeMs, generationBytes: options.generationBytes }
  try {
    await checkServer(connections)
    if (options.migrate === 'auto' && !lookOnly) await migrateSchema(connections, naming, shards, upkeep)
    else await checkSchema(connections, naming)
    const meta = await connections.row(naming.sql('select shards from :s.meta'))
    const me = Buffer.from(options.random.bytes(9)).toString('base64url')
    const hints = new Hints(connect, connections, `hapax_${naming.schema}`, me, { clock, log })
    return new PostgresStore({
      connections,
      naming,
      hints,
      now,
      upkeep,
      random: options.random,
      shards: numberIn(meta, 'shards'),
      lookOnly,
      // One more listens.
      diagnosis: { clock, connect, nodeConnections: poolSize + 1 },
    })
  } catch (error) {
    await connections.close()
    throw refused(error)
  }
}

/**
 * The parts of a store's URL: what is Hapax's own is taken out, the rest is the driver's.
 *
 * @throws `store_refused` for text that is no URL
 */
export function readUrl(text: string): Pick<PostgresStoreOptions, 'url' | 'schema' | 'connections'> {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw new HapaxError('store_refused', { reason: 'wanted a URL like postgres://user@host:5432/database' })
  }
  // Not by the URL class: it refuses a user without a host, which is how a socket is named.
  const question = text.indexOf('?')
  if (question < 0) return { url: text }
  const query = new URLSearchParams(text.slice(question + 1))
  const [schema, connections] = [query.get('schema'), query.get('connections')]
  for (const own of ['schema', 'connections']) query.delete(own)
  if (connections !== null && !/^[1-9]\d{0,3}$/.test(connections)) {
    throw new HapaxError('store_refused', { reason: `connections is a number from 1 to 9999, found ${connections}` })
  }
  return {
    url: text.slice(0, question) + (query.size > 0 ? `?${query}` : ''),
    ...(schema !== null && { schema }),
    ...(connections !== null && { connections: Number(connections) }),
  }
}

/** How a schema is looked at or given rights in, beside opening it. */
type SchemaOptions = Pick<PostgresStoreOptions, 'url' | 'schema' | 'shards' | 'log'>

/**
 * The statements that would bring the schema to this version.
 *
 * @param role also those that would grant this role what it needs to serve
 */
export function postgresPlan(options: SchemaOptions, role?: string): Promise<readonly string[]> {
  return onSchema(options, async (connections, naming) => {
    const found = await foundVersion(connections, naming)
    const isThere = found.tables === schemaVersion && found.functions >= functionsVersion
    const plan = isThere ? [] : migrationPlan(naming, found.tables, options.shards ?? defaultShards)
    if (role === undefined) return plan
    await checkGrantee(connections, naming, role)
    return [...plan, ...grantStatements(naming, role)]
  })
}

/**
 * Grants a role what it needs to serve from this schema, and from what later migrations add to it.
 *
 * @throws `store_refused`
 */
export function postgresGrant(options: SchemaOptions, role: string): Promise<void> {
  return onSchema(options, (connections, naming) => grantRole(connections, naming, role))
}

async function onSchema<Result>(
  options: SchemaOptions,
  work: (connections: Connections, naming: Naming) => Promise<Result>,
): Promise<Result> {
  const naming = new Naming(options.schema ?? 'hapax')
  const { default: pg } = await loadDriver()
  const connections = new Connections(new pg.Pool(poolConfig(options.url, 1)), options.log ?? silentLog)
  try {
    return await work(connections, naming)
  } catch (error) {
    throw refused(error)
  } finally {
    await connections.close()
  }
}

/** An error as it is told to whoever opens a store. */
function refused(error: unknown): HapaxError {
  const cause = error instanceof HapaxError ? error.cause : error
  const reason = refusalOf(cause)
  if (reason !== undefined) return new HapaxError('store_refused', { reason }, { cause })
  if (error instanceof HapaxError) return error
  return new HapaxError('store_unavailable', { reason: String(error) }, { cause: error })
}
