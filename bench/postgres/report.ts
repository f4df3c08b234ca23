import { readFileSync } from 'node:fs'
import { everyPeer, type Peer, unavailable } from '../peers/peers.ts'
import { type BenchRecord, commitsOf, compareWith, median, rounded } from '../report.ts'
import type { Round, RowResult } from './rounds.ts'
import type { PostgresFigure } from './rows.ts'
import { serverSettings } from './server.ts'

/** What a span of work cost, by the names of the sides. */
type Costs = Readonly<Record<string, number>>

/** One figure on PostgreSQL, as `--json` writes it. */
export interface PostgresRecord extends Omit<BenchRecord, 'store' | 'ratioToBestPeer'> {
  readonly store: 'PostgreSQL'
  readonly server: string
  /** Of the peers' figures, which is in the same rounds as ours; the others are of the screening alone. */
  readonly bestPeer: string | null
  readonly ratioToBestPeer: number | null
  readonly rangeToBestPeer: readonly [number, number] | null
  /** Peers that failed in this work, and why; and who was not to be had. */
  readonly failedPeers: Readonly<Record<string, string>>
  readonly walBytesPerEvent: Costs
  readonly cpuSecondsPer1000: Costs
  readonly statementsPerEvent: Costs
}

const byHand = 'by hand, groups as the engine forms them'

/** What a stored set is measured beside. */
export const againstEmpty = 'in an empty database'

const storedText = `
What is stored was written by the server after events of the product's own (\`bench/stored/\`), lies in the ranges of the last weeks, and was never
analysed. Each of its rows begins just after a checkpoint, when the first change of each page is logged whole.
`

/** Whether the other side is the limit, and not Hapax itself. */
export function isBesideLimit({ against }: PostgresRecord): boolean {
  return against === byHand
}

/** What the rounds of a row say. */
export function postgresRecords(result: RowResult, server: string, commit: string): PostgresRecord[] {
  return result.row.figures.map((figure) => recordOf(result, figure, server, commit))
}

function recordOf(result: RowResult, figure: PostgresFigure, server: string, commit: string): PostgresRecord {
  const { row, rounds, screening, bestPeer } = result
  const valuesOf = (name: string) => rounds.map((round) => round[name]?.[figure.measured] ?? Number.NaN)
  const hapax = valuesOf('hapax')
  const limit = valuesOf('limit')
  const toLimit = compareWith(hapax, limit)
  const compared = bestPeer === undefined ? undefined : compareWith(hapax, valuesOf(bestPeer))
  const toPeer = Number.isFinite(compared?.ratio) ? compared : undefined
  const peerFigure = (name: string) =>
    name === bestPeer ? median(valuesOf(name)) : (screening[name]?.[figure.measured] ?? Number.NaN)
  // When a peer's completion is durable is measured of none.
  const others = Object.keys(screening).filter(
    (name) => name !== 'hapax' && name !== 'limit' && Number.isFinite(peerFigure(name)),
  )
  const { ofLimit, timesLimit, timesPeer, reaches, within, most, least } = figure.goals
  const goals = [
    ...(ofLimit === undefined ? [] : [{ text: `≥ ${ofLimit} of the limit`, met: toLimit.ratio >= ofLimit }]),
    ...(timesLimit === undefined ? [] : [{ text: `≤ ${timesLimit} × the limit`, met: toLimit.ratio <= timesLimit }]),
    ...(timesPeer === undefined
      ? []
      : [{ text: `≥ ${timesPeer} × the best peer`, met: toPeer !== undefined && toPeer.ratio >= timesPeer }]),
    ...(reaches === undefined ? [] : [{ text: `range reaches ${reaches}`, met: toLimit.range[1] >= reaches }]),
    ...(within === undefined ? [] : [{ text: `range reaches ${within}`, met: toLimit.range[0] <= within }]),
    ...(least === undefined ? [] : [{ text: `≥ ${least} ${figure.unit}`, met: median(hapax) >= least }]),
    ...(most === undefined ? [] : [{ text: `≤ ${most} ${figure.unit}`, met: median(hapax) <= most }]),
  ]
  return {
    work: figure.work,
    store: 'PostgreSQL',
    hapax: rounded(median(hapax)),
    limit: rounded(median(limit)),
    against: row.beside?.against ?? byHand,
    peers: Object.fromEntries(others.map((name) => [name, rounded(peerFigure(name))])),
    ratioToLimit: toLimit.ratio,
    range: toLimit.range,
    bestPeer: toPeer === undefined ? null : (bestPeer ?? null),
    ratioToBestPeer: toPeer?.ratio ?? null,
    rangeToBestPeer: toPeer?.range ?? null,
    unit: figure.unit,
    runs: rounds.length,
    count: row.count,
    goal: goals.length === 0 ? 'none' : goals.map(({ text }) => text).join(', '),
    met: goals.every(({ met }) => met),
    server,
    commit,
    failedPeers: result.failed,
    walBytesPerEvent: costsOf('walBytesPerEvent', rounds, screening),
    cpuSecondsPer1000: costsOf('cpuSecondsPer1000', rounds, screening),
    statementsPerEvent: costsOf('statementsPerEvent', [], screening),
  }
}

/** The median of the rounds; of who was in none of them, the screening's. */
function costsOf(name: string, rounds: readonly Round[], screening: Round): Costs {
  const costs = Object.keys(screening).map((side) => {
    const values = rounds.flatMap((round) => round[side]?.[name] ?? [])
    const value = values.length > 0 ? median(values) : screening[side]?.[name]
    return [side, rounded(value ?? Number.NaN)] as const
  })
  return Object.fromEntries(costs.filter(([, value]) => Number.isFinite(value)))
}

/** The records as tables for a terminal or a page: those beside the limit and peers, and those beside itself. */
export function postgresTable(records: readonly PostgresRecord[]): string {
  const beside = records.filter(isBesideLimit)
  const alone = records.filter((record) => !isBesideLimit(record))
  const tables = [...(beside.length > 0 ? [besideTable(beside)] : []), ...(alone.length > 0 ? [aloneTable(alone)] : [])]
  return tables.join('\n\n')
}

function besideTable(records: readonly PostgresRecord[]): string {
  const lines = records.map((record) => {
    const { hapax, limit, ratioToLimit, range, bestPeer, ratioToBestPeer, rangeToBestPeer, unit } = record
    const others = Object.entries(record.peers).filter(([name]) => name !== bestPeer)
    return rowOf([
      record.work,
      shown(hapax, unit),
      shown(limit, unit),
      ratioText(ratioToLimit, range),
      bestPeer === null ? '' : `${bestPeer} ${shown(record.peers[bestPeer] ?? Number.NaN, unit)}`,
      ratioText(ratioToBestPeer, rangeToBestPeer),
      others.map(([name, value]) => `${name} ${shown(value, unit)}*`).join(', '),
      `${record.runs}`,
      record.goal,
      record.met ? 'yes' : 'no',
    ])
  })
  return [
    '| work | Hapax | limit | ratio (range) | best peer | ratio (range) | the other peers | rounds | goal | met |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function aloneTable(records: readonly PostgresRecord[]): string {
  const lines = records.map(({ work, hapax, limit, against, ratioToLimit, range, unit, runs, goal, met }) => {
    const ratio = ratioText(ratioToLimit, range)
    const isMet = goal === 'none' ? '' : met ? 'yes' : 'no'
    return rowOf([work, shown(hapax, unit), against, shown(limit, unit), ratio, `${runs}`, goal, isMet])
  })
  return [
    '| work | Hapax | beside itself | there | ratio (range) | rounds | goal | met |',
    '|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function rowOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function shown(value: number, unit: string): string {
  return `${value.toLocaleString('en')} ${unit}`
}

function ratioText(ratio: number | null, range: readonly [number, number] | null): string {
  return ratio === null || range === null ? '' : `${ratio} (${range[0]} – ${range[1]})`
}

/** What each side cost, once for each row. */
function costTable(records: readonly PostgresRecord[]): string {
  const costs = new Map(records.filter(isBesideLimit).map((record) => [record.work.split(':')[0] ?? '', record]))
  const lines = [...costs].flatMap(([work, { walBytesPerEvent, cpuSecondsPer1000, statementsPerEvent }]) =>
    Object.entries(cpuSecondsPer1000).map(([side, seconds]) =>
      rowOf([
        work,
        side === 'hapax' ? 'Hapax' : side,
        walBytesPerEvent[side]?.toLocaleString('en') ?? '',
        String(seconds),
        String(statementsPerEvent[side] ?? ''),
      ]),
    ),
  )
  return [
    '| work | side | log bytes per event | CPU seconds per 1,000, client and server | statements per event |',
    '|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

/** The part of `docs/performance.md` that is PostgreSQL's. */
export function postgresPage(records: readonly PostgresRecord[]): string {
  const [first] = records
  if (!first) return ''
  const settings = Object.entries(serverSettings).map(([name, value]) => `\`${name}=${value}\``)
  const failures = new Map(records.flatMap(({ failedPeers }) => Object.entries(failedPeers)))
  // What is on the page may be of an earlier run, which had other peers.
  const measured = new Set(records.flatMap((record) => Object.keys(record.peers)))
  const peerTexts = everyPeer.filter(({ name }) => measured.has(name)).map(peerText)
  const absent = [...Object.entries(unavailable), ...failures].filter(([name]) => !measured.has(name))
  return `## PostgreSQL

![Events per second of Hapax, the limit and peers, on a logarithmic scale](performance-postgres.svg)

Commit ${commitsOf(records)}. PostgreSQL ${first.server} by TCP on the same machine, one server and one database for each side; fsync,
\`synchronous_commit\` and \`full_page_writes\` are on for all. Beside the defaults: ${settings.join(', ')}. Every side first does a tenth of its work unmeasured; then \`vacuum analyze\` and a checkpoint.

The sides take turns: Hapax, the limit, and the peer that was best when each was run once. A ratio is the median of the ratios of
each round, with their range. A figure with * is that one run's. Peers do fewer events; their rates do not rise with more.

${postgresTable(records)}
${records.some(({ against }) => against === againstEmpty) ? storedText : ''}
Statements are counted by \`pg_stat_statements\` in the run that chose the peers, in no other.

${costTable(records)}

The limit writes the rows that the engine writes, by one prepared statement for each commit, with nothing around it
(\`bench/limit/postgres-by-hand.ts\`). [Where the time and the log go](performance-profile.md) is measured apart.

### The peers and their settings

${peerTexts.join('\n')}
${absent.length === 0 ? '' : `\n${absent.map(([name, why]) => `- **${name}** is not in the table: ${why}.`).join('\n')}\n`}`
}

function peerText({ name, package: packageName, settings, tried, works }: Peer): string {
  const parts = [
    `${works.join(', ')}.`,
    ...(settings.length > 0 ? [`${settings.join('; ')}.`] : []),
    ...(tried.length > 0 ? [`Tried: ${tried.join('; ')}.`] : []),
  ]
  return `- **${name}** ${versionOf(packageName)}: ${parts.join(' ')}`
}

function versionOf(packageName: string): string {
  const lock: { readonly packages?: Readonly<Record<string, { readonly version?: string }>> } = JSON.parse(
    readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'),
  )
  return lock.packages?.[`node_modules/${packageName}`]?.version ?? '(version unknown)'
}
