import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pairs } from './pairs.ts'
import { peers } from './peers/peers.ts'
import { plot } from './postgres/plot.ts'
import { type ProfiledWork, profilePage } from './postgres/profile-page.ts'
import { type PostgresRecord, postgresPage, postgresRecords, postgresTable } from './postgres/report.ts'
import { Rounds } from './postgres/rounds.ts'
import { type PostgresRow, postgresRows } from './postgres/rows.ts'
import { BenchServer } from './postgres/server.ts'
import { type BenchRecord, page, recordsOf, table } from './report.ts'
import { rows } from './rows.ts'
import { longRows, sizesWanted } from './stored/rows.ts'
import { builtSet } from './stored/set.ts'

const help = `npm run bench -- [options]

  --store NAME    sqlite or postgres (both)
  --only NAME     rows whose name holds this; again for more
  --pairs N       pairs of each row, on PostgreSQL rounds (7)
  --peer NAME     peers whose name holds this; again for more (all); none: --without-peers
  --long          on PostgreSQL also the rows of the long report: a set of 10,000,000 finished events, 1,000,000 waiting runs and
                  20,000,000 identities, takeovers, several nodes, what is held open for ten minutes. Two hours more, and
                  30 GB for the set
  --finished N, --waiting N, --identities N
                  how much the set holds
  --data PATH     where the set is kept between runs (/var/tmp/hapax-bench); built when there is none that is whole, of these
                  tables and of the last three days; remove the folder when you need it no more
  --held SPAN     for how long something is held open: 10m, 30s (10m)
  --smoke         a hundredth of the work, one pair, no peers, a minute: shows that all runs, says nothing of speed
  --profile FILE  on PostgreSQL instead: where processor time and log go, of Hapax and of the limit, as a page
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
    finished: { type: 'string', default: String(sizesWanted.finished) },
    waiting: { type: 'string', default: String(sizesWanted.waiting) },
    identities: { type: 'string', default: String(sizesWanted.identities) },
    data: { type: 'string', default: '/var/tmp/hapax-bench' },
    held: { type: 'string', default: '10m' },
    smoke: { type: 'boolean', default: false },
    profile: { type: 'string' },
    json: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})

const progress = (text: string) => console.error(`… ${text}`)
const sizes = {
  finished: Number(values.finished),
  waiting: Number(values.waiting),
  identities: Number(values.identities),
}
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
  const onServer = (all: readonly PostgresRow[]) =>
    values.store.includes('postgres') ? all.filter(({ name }) => isWanted(name)) : []
  const allLong = values.long ? longRows(sizes) : []
  const [serverRows, long] = [onServer(plainRows), onServer(allLong)]
  if (sqliteRows.length + serverRows.length + long.length === 0) {
    const names = new Set([...rows, ...plainRows, ...allLong].map(({ name }) => name))
    console.error(`No row is named so. There are: ${[...names].join(', ')}; stores: sqlite, postgres.`)
    return 2
  }
  const withPeers = serverRows.length > 0 && !values.smoke && !values.profile && !values['without-peers']
  if (withPeers && !existsSync(new URL('node_modules', import.meta.url))) {
    console.error('The peers are not installed: npm ci --prefix bench. Without them: --without-peers.')
    return 2
  }
  const commit = commitName()
  const isStored = long.some(({ beside }) => beside?.place === 'stored')
  const builtOnce = () => (isStored ? builtSet(values.data, sizes, progress) : undefined)
  if (values.profile) {
    const stored = long.filter(({ beside }) => beside?.place === 'stored' && beside.module === undefined)
    const plain = serverRows.filter(({ name, beside }) => !beside && name !== 'latency')
    return runProfiles([...plain, ...stored], commit, values.profile, await builtOnce())
  }
  const sqlite = sqliteRows.length > 0 ? runSqlite(sqliteRows, commit) : []
  const postgres = serverRows.length > 0 ? await runPostgres(serverRows, withPeers, commit) : []
  if (long.length > 0) postgres.push(...(await runPostgres(long, false, commit, await builtOnce())))
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

function runPostgres(
  wanted: readonly PostgresRow[],
  withPeers: boolean,
  commit: string,
  kept?: string,
): Promise<PostgresRecord[]> {
  return withServer(kept, async (server) => {
    const version = await server.version()
    const chosen = withPeers
      ? peers.filter(({ name }) => values.peer.length === 0 || values.peer.some((part) => name.includes(part)))
      : []
    const { smoke } = values
    const options = { server, peers: chosen, pairs: pairCount, smoke, heldMs: toMs(values.held), progress }
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
  })
}

/** Of rows beside the limit: what Hapax takes for itself is what the limit does not. Of stored sets: what it costs to have them. */
function runProfiles(
  wanted: readonly PostgresRow[],
  commit: string,
  file: string,
  kept: string | undefined,
): Promise<number> {
  return withServer(kept, async (server) => {
    const rounds = new Rounds({ server, peers: [], pairs: 1, smoke: values.smoke, heldMs: 0, progress })
    const works: ProfiledWork[] = []
    for (const row of wanted) works.push(await rounds.profiled(row))
    writeFileSync(file, profilePage(works, await server.version(), commit))
    return 0
  })
}

/** A server for this work alone; who interrupts it leaves none behind. */
async function withServer<Result>(
  kept: string | undefined,
  work: (server: BenchServer) => Promise<Result>,
): Promise<Result> {
  const server = await BenchServer.start(values.smoke, kept)
  const interrupted = () => void server.stop().finally(() => process.exit(130))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    return await work(server)
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
  const postgresWorks = [...postgresRows, ...longRows(sizes)].flatMap(({ figures }) => figures.map(({ work }) => work))
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

/** A span as it is given: `10m`, `30s`. */
function toMs(span: string): number {
  const [, number, unit] = /^(\d+)(s|m)$/.exec(span) ?? []
  if (number === undefined) throw new TypeError(`--held is a span like 10m or 30s, not ${span}.`)
  return Number(number) * (unit === 'm' ? 60_000 : 1_000)
}

function commitName(): string {
  return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim()
}
