import pg from 'pg'
import { startPostgres } from '../../test/support/services/postgres.ts'

/**
 * How the server of the benchmark runs, the same for every side: all durability settings are the defaults (fsync,
 * synchronous_commit, full_page_writes on); what is set keeps checkpoints out of what is measured, and memory as a server
 * of its own would have it. Errors of sides go to the sides, not to a log.
 */
export const serverSettings: Readonly<Record<string, string>> = {
  shared_buffers: '2GB',
  max_connections: '300',
  max_wal_size: '16GB',
  min_wal_size: '2GB',
  checkpoint_timeout: '1h',
  wal_buffers: '64MB',
  random_page_cost: '1.1',
  effective_io_concurrency: '64',
  log_min_messages: 'log',
  log_checkpoints: 'off',
  shared_preload_libraries: 'pg_stat_statements',
  // Counted in the first round alone, whose rates are not compared.
  'pg_stat_statements.track': 'none',
}

/** The database of a stored set, in a server that has one. */
export const setDatabase = 'stored'

/**
 * A look for an identity goes anywhere in the ledger's indexes, so that a store in use has all of them in memory. In a server that
 * has just started each look is the first of its page.
 */
const warmSql = `
  create extension if not exists pg_prewarm;
  select pg_prewarm(i.indexrelid)
  from pg_inherits h join pg_index i on i.indrelid = h.inhrelid
  where h.inhparent = 'hapax.ledger'::regclass`

/** The server that all sides of a run share. */
export class BenchServer {
  readonly #url: string
  readonly #admin: pg.Client
  /** The postmaster's; undefined where the server is not ours, whose processor time cannot be read then. */
  readonly pid: number | undefined
  readonly #stop: () => Promise<void>
  #stopping: Promise<void> | undefined
  #databases = 0

  private constructor(url: string, pid: number | undefined, admin: pg.Client, stop: () => Promise<void>) {
    this.#url = url
    this.pid = pid
    this.#admin = admin
    this.#stop = stop
  }

  /**
   * Starts it; a smoke run takes little memory.
   *
   * @param kept the folder of a server that is there, and stays
   */
  static async start(smoke: boolean, kept?: string): Promise<BenchServer> {
    const settings = smoke ? { ...serverSettings, shared_buffers: '128MB', min_wal_size: '80MB' } : serverSettings
    const server = await startPostgres({
      from: 'registry',
      settings,
      ...(kept === undefined ? {} : { kept, always: true }),
    })
    const admin = new pg.Client({ connectionString: server.url })
    await admin.connect()
    await admin.query('create extension if not exists pg_stat_statements')
    return new BenchServer(server.url, server.pid, admin, server.stop)
  }

  /** The server's own word for what it is. */
  async version(): Promise<string> {
    const { rows } = await this.#admin.query<{ server_version: string }>('show server_version')
    return rows[0]?.server_version ?? 'unknown'
  }

  /**
   * Calls `work` with the URL of an empty database, dropped after it.
   *
   * @param counting whether its statements are counted, which costs whoever sends many of them
   */
  async withDatabase<Result>(counting: boolean, work: (url: string) => Promise<Result>): Promise<Result> {
    const name = `bench_${process.pid}_${++this.#databases}`
    await this.#admin.query(`create database ${name}`)
    if (counting) await this.#admin.query(`alter database ${name} set pg_stat_statements.track = 'top'`)
    try {
      return await work(withDatabaseName(this.#url, name))
    } finally {
      await this.#admin.query(`drop database ${name} with (force)`)
    }
  }

  /**
   * The URL of the set in a server that was started with one, as warm as a store in use.
   *
   * @param counting as of {@link withDatabase}
   */
  async storedDatabase(counting: boolean): Promise<string> {
    const track = counting ? 'top' : 'none'
    await this.#admin.query(`alter database ${setDatabase} set pg_stat_statements.track = '${track}'`)
    const url = withDatabaseName(this.#url, setDatabase)
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(warmSql)
    await client.end()
    return url
  }

  /** Calls `work` while another session holds a transaction open in that database: no dead row of it can be cleaned up. */
  async whileHeld<Result>(url: string, work: () => Promise<Result>): Promise<Result> {
    const holder = new pg.Client({ connectionString: url })
    await holder.connect()
    try {
      await holder.query('begin isolation level repeatable read')
      await holder.query('select pg_current_xact_id(), count(*) from pg_class')
      return await work()
    } finally {
      await holder.end()
    }
  }

  /** Stops it. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async #end(): Promise<void> {
    await this.#admin.end()
    await this.#stop()
  }
}

/** The same server's URL, of another database. */
export function withDatabaseName(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
