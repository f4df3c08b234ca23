import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pairs } from './pairs.ts'
import { peers } from './peers/peers.ts'
import { plot } from './postgres/plot.ts'
import { type PostgresRecord, postgresPage, postgresRecords, postgresTable } from './postgres/report.ts'
import { Rounds } from './postgres/rounds.ts'
import { longRows, postgresRows, storedEvents } from './postgres/rows.ts'
import { BenchServer } from './postgres/server.ts'
import { type BenchRecord, page, recordsOf, table } from './report.ts'
import { rows } from './rows.ts'

const help = `npm run bench -- [options]

  --store NAME    sqlite or postgres (both)
  --only NAME     rows whose name holds this; again for more
  --pairs N       pairs of each row, on PostgreSQL rounds (7)
  --peer NAME     peers whose name holds this; again for more (all); none: --without-peers
  --long          on PostgreSQL also the rows with 10,000,000 finished and 1,000,000 waiting events: an hour more
  --stored N      of them so many finished, and a tenth waiting
  --smoke         a hundredth of the work, one pair, no peers, a minute: shows that all runs, says nothing of speed
  --json FILE     writes the records there, and the page beside it; what was not run stays as it was
  --folder PATH   where the files go: the disk that is measured (the system's temporary folder)

Peers are installed by: npm ci --prefix bench
`

const { values } = parseArgs({
  options: {
    store: { type: 'string', multiple: true, default: ['sqlite', 'postgres'] },
    only: { type: 'string', multiple: true, default: [] },
    pairs: { type: 'string', default: '7' },
    peer: { type: 'string', multiple: true, default: [] },
    'without-peers': { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    stored: { type: 'string', default: String(storedEvents) },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})

const progress = (text: string) => console.error(`… ${text}`)
const pairCount = values.smoke ? 1 : Number(values.pairs)
const isWanted = (name: string) => values.only.length === 0 || values.only.some((part) => name.includes(part))

if (values.help) console.log(help)
else process.exitCode = await run()

async function run(): Promise<number> {
  const sqliteRows = values.store.includes('sqlite') ? rows.filter(({ name }) => isWanted(name)) : []
  // Of the rows beside itself one is enough to show that they run.
  const plainRows = values.smoke
    ? postgresRows.filter(({ name, beside }) => !beside || name.startsWith('whole life'))
    : postgresRows
  const allServerRows = [...plainRows, ...(values.long ? longRows(Number(values.stored)) : [])]
  const serverRows = values.store.includes('postgres') ? allServerRows.filter(({ name }) => isWanted(name)) : []
  if (sqliteRows.length + serverRows.length === 0) {
    const names = new Set([...rows.map(({ name }) => name), ...allServerRows.map(({ name }) => name)])
    console.error(`No row is named so. There are: ${[...names].join(', ')}; stores: sqlite, postgres.`)
    return 2
  }
  const withPeers = serverRows.length > 0 && !values.smoke && !values['without-peers']
  if (withPeers && !existsSync(new URL('node_modules', import.meta.url))) {
    console.error('The peers are not installed: npm ci --prefix bench. Without them: --without-peers.')
    return 2
  }
  const commit = commitName()
  const sqlite = sqliteRows.length > 0 ? runSqlite(sqliteRows, commit) : []
  const postgres = serverRows.length > 0 ? await runPostgres(serverRows, withPeers, commit) : []
  if (values.json) write(values.json, sqlite, postgres)
  return [...sqlite, ...postgres].every(({ hapax, limit }) => Number.isFinite(hapax) && Number.isFinite(limit)) ? 0 : 1
}

function runSqlite(wanted: typeof rows, commit: string): BenchRecord[] {
  const folder = mkdtempSync(join(values.folder, 'hapax-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const pairs = new Pairs({ folder, pairs: pairCount, smoke: values.smoke, progress })
  const records: BenchRecord[] = []
  for (const row of wanted) {
    const found = recordsOf(row, pairs.run(row), commit)
    records.push(...found)
    for (const { work, ratioToLimit, range } of found) progress(`${work}: ${ratioToLimit} (${range.join(' – ')})`)
  }
  console.log(table(records))
  return records
}

async function runPostgres(wanted: typeof postgresRows, withPeers: boolean, commit: string): Promise<PostgresRecord[]> {
  const server = await BenchServer.start(values.smoke)
  const interrupted = () => void server.stop().finally(() => process.exit(130))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const version = await server.version()
    const chosen = withPeers
      ? peers.filter(({ name }) => values.peer.length === 0 || values.peer.some((part) => name.includes(part)))
      : []
    const { smoke, stored } = values
    const options = { server, peers: chosen, pairs: pairCount, smoke, storedEvents: Number(stored), progress }
    const rounds = new Rounds(options)
    const records: PostgresRecord[] = []
    for (const row of wanted) {
      const found = postgresRecords(await rounds.run(row), version, commit)
      records.push(...found)
      for (const { work, ratioToLimit, ratioToBestPeer, bestPeer } of found) {
        const beside = bestPeer === null ? '' : `, ${ratioToBestPeer} × ${bestPeer}`
        progress(`PostgreSQL, ${work}: ${ratioToLimit} of the limit${beside}`)
      }
    }
    console.log(postgresTable(records))
    return records
  } finally {
    await server.stop()
  }
}

/** A row that was not run stays as it was written. */
function write(file: string, sqlite: readonly BenchRecord[], postgres: readonly PostgresRecord[]): void {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true })
  const before: readonly (BenchRecord | PostgresRecord)[] = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : []
  const sqliteWorks = rows.flatMap(({ figures }) => figures.map(({ work }) => work))
  const postgresWorks = [...postgresRows, ...longRows(Number(values.stored))].flatMap(({ figures }) =>
    figures.map(({ work }) => work),
  )
  const sqliteRecords = merged(sqliteWorks, before.filter(isSqlite), sqlite)
  const postgresRecords = merged(postgresWorks, before.filter(isPostgres), postgres)
  writeFileSync(file, `${JSON.stringify([...sqliteRecords, ...postgresRecords], undefined, 2)}\n`)
  writeFileSync(join(folder, 'performance.md'), page(sqliteRecords, [postgresPage(postgresRecords)]))
  if (postgresRecords.length > 0) writeFileSync(join(folder, 'performance-postgres.svg'), plot(postgresRecords))
}

/** The newer of each, in the order of the rows. */
function merged<Found extends { readonly work: string }>(
  works: readonly string[],
  before: readonly Found[],
  now: readonly Found[],
): Found[] {
  const byWork = new Map([...before, ...now].map((record) => [record.work, record]))
  return works.flatMap((work) => byWork.get(work) ?? [])
}

function isSqlite(record: BenchRecord | PostgresRecord): record is BenchRecord {
  return record.store === 'SQLite'
}

function isPostgres(record: BenchRecord | PostgresRecord): record is PostgresRecord {
  return record.store === 'PostgreSQL'
}

function commitName(): string {
  return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim()
}
