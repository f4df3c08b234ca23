import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../test/support/services/postgres.ts'
import { serverSettings, setDatabase, withDatabaseName } from '../postgres/server.ts'
import { checked, cli } from './check.ts'
import { fill, type Sizes } from './fill.ts'

/** What is written beside a set that is whole. */
interface Marker extends Sizes {
  readonly builtAt: string
  /** Of what a migration makes: with other tables or functions, the set is another. */
  readonly schema: string
}

/** How the server runs that fills: what it loses in a crash is built anew. */
const fillingSettings: Readonly<Record<string, string>> = {
  shared_buffers: '2GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  wal_level: 'minimal',
  max_wal_senders: '0',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  maintenance_work_mem: '1GB',
  log_min_messages: 'log',
  log_checkpoints: 'off',
}

/** Its sleeping runs come due after thirty days, and what it holds must be of the last weeks: it is built anew after these. */
const freshMs = 3 * 86_400_000

/**
 * The folder of a server with a database that holds so much. Built once and kept; one that was interrupted, is old, or
 * of other tables is built anew.
 */
export async function builtSet(folder: string, sizes: Sizes, progress: (text: string) => void): Promise<string> {
  const place = join(folder, `${sizes.finished}-${sizes.waiting}-${sizes.identities}`)
  const file = join(place, 'set.json')
  const marker: Marker | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  if (marker && Date.now() - Date.parse(marker.builtAt) < freshMs && marker.schema === (await schemaBeside(place))) {
    progress(`the set of ${marker.builtAt} in ${place}`)
    return place
  }
  progress(`${marker ? 'another or an old set' : 'no whole set'} in ${place}: building`)
  rmSync(place, { recursive: true, force: true })
  const began = performance.now()
  const schema = await serving(place, fillingSettings, async (url) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(`create database ${setDatabase}`)
    await client.end()
    await fill(withDatabaseName(url, setDatabase), sizes, progress)
    return schemaOf(url)
  })
  await serving(place, serverSettings, (url) => checked(withDatabaseName(url, setDatabase), sizes, progress))
  // The server did not: what it wrote is in the memory of the machine.
  execFileSync('sync')
  const whole: Marker = { ...sizes, builtAt: new Date().toISOString(), schema }
  writeFileSync(file, `${JSON.stringify(whole)}\n`)
  const minutes = (performance.now() - began) / 60_000
  const [kilobytes = ''] = execFileSync('du', ['-sk', place], { encoding: 'utf8' }).split('\t')
  progress(`built in ${minutes.toFixed(1)} minutes: ${(Number(kilobytes) / 1_048_576).toFixed(1)} GiB in ${place}`)
  return place
}

async function serving<Result>(
  kept: string,
  settings: Readonly<Record<string, string>>,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const server = await startPostgres({ from: 'registry', always: true, settings, kept })
  try {
    return await work(server.url)
  } finally {
    await server.stop()
  }
}

function schemaBeside(place: string): Promise<string> {
  return serving(place, serverSettings, async (url) => schemaOf(url))
}

/** Of what the product would make in an empty database, which its own command says. */
function schemaOf(url: string): string {
  const plan = execFileSync(process.execPath, [cli, 'migrate', '--plan', '--store', url])
  return createHash('sha256').update(plan).digest('hex').slice(0, 16)
}
