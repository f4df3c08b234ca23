import { cpus } from 'node:os'
import type { Pair } from './pairs.ts'
import type { Figure, Goal, Row } from './rows.ts'

/** One figure of the benchmark, as `--json` writes it. */
export interface BenchRecord {
  readonly work: string
  readonly store: 'SQLite'
  /** The median of our side. */
  readonly hapax: number
  /** The median of the other. */
  readonly limit: number
  /** What the other side is. */
  readonly against: string
  /** No peer has this store. */
  readonly peers: Readonly<Record<string, number>>
  /** The median of the pairwise ratios; of a figure judged by difference, that difference. */
  readonly ratioToLimit: number
  /** The least and the most of them. */
  readonly range: readonly [number, number]
  readonly ratioToBestPeer: null
  readonly unit: string
  readonly runs: number
  /** Of each side, in events. */
  readonly count: number
  readonly goal: string
  readonly met: boolean
  readonly commit: string
}

/** What the pairs of a row say. */
export function recordsOf(row: Row, pairs: readonly Pair[], commit: string): BenchRecord[] {
  return row.figures.map((figure) => recordOf(row, figure, pairs, commit))
}

function recordOf(row: Row, figure: Figure, pairs: readonly Pair[], commit: string): BenchRecord {
  const ours = pairs.map(({ hapax }) => hapax[figure.hapax] ?? Number.NaN)
  const theirs = pairs.map(({ limit }) => limit[figure.limit ?? figure.hapax] ?? Number.NaN)
  const compared = ours.map((value, index) => compare(figure.goal, value, theirs[index] ?? Number.NaN))
  const ratio = median(compared)
  return {
    work: figure.work,
    store: 'SQLite',
    hapax: rounded(median(ours)),
    limit: rounded(median(theirs)),
    against: row.against,
    peers: {},
    ratioToLimit: rounded(ratio),
    range: [rounded(Math.min(...compared)), rounded(Math.max(...compared))],
    ratioToBestPeer: null,
    unit: figure.unit,
    runs: pairs.length,
    count: row.count,
    goal: goalText(figure.goal, figure.unit),
    met: isMet(figure.goal, ratio, Math.max(...compared), median(ours)),
    commit,
  }
}

function compare(goal: Goal, hapax: number, limit: number): number {
  return goal.kind === 'over' ? hapax - limit : hapax / limit
}

function isMet(goal: Goal, compared: number, highest: number, hapax: number): boolean {
  if (goal.kind === 'at least') return compared >= goal.ratio
  if (goal.kind === 'reaches') return highest >= goal.ratio
  if (goal.kind === 'over') return compared <= goal.most
  return compared <= goal.ratio || hapax <= (goal.orMs ?? 0)
}

function goalText(goal: Goal, unit: string): string {
  if (goal.kind === 'at least') return goal.ratio === 0 ? 'none' : `≥ ${goal.ratio}`
  if (goal.kind === 'reaches') return `range reaches ${goal.ratio}`
  if (goal.kind === 'over') return `≤ ${goal.most} ${unit} over it`
  return `≤ ${goal.ratio}${goal.orMs === undefined ? '' : `, or ${goal.orMs} ms`}`
}

/** The median of pairwise ratios, and their range. */
export function compareWith(
  ours: readonly number[],
  theirs: readonly number[],
): { readonly ratio: number; readonly range: readonly [number, number] } {
  const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN))
  return { ratio: rounded(median(ratios)), range: [rounded(Math.min(...ratios)), rounded(Math.max(...ratios))] }
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Three figures, which is more than such measurements carry. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

/** The records as a table for a terminal or a page. */
export function table(records: readonly BenchRecord[]): string {
  const lines = records.map((record) => {
    const { work, hapax, limit, unit, ratioToLimit, range, runs, goal, met } = record
    const figure = (value: number) => `${value.toLocaleString('en')} ${unit}`
    const cells = [
      work,
      figure(hapax),
      figure(limit),
      `${ratioToLimit} (${range[0]} – ${range[1]})`,
      `${runs}`,
      goal,
      goal === 'none' ? '' : met ? 'yes' : 'no',
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| work | Hapax | the other side | ratio (range) | pairs | goal | met |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

/**
 * `docs/performance.md`.
 *
 * @param more parts of other stores
 */
export function page(records: readonly BenchRecord[], more: readonly string[]): string {
  const parts = [
    `# Performance

Made by \`npm run bench -- --json docs/performance.json\`; the records are in [performance.json](performance.json).
Node ${process.version}, ${cpus().length} processors (${cpus()[0]?.model.trim() ?? 'unknown'}); payloads of 1 KB, 64 producers that each await
their receipt; steps and drain from a backlog with 1,000 slots.

Each side runs in a process of its own; the sides alternate on the same machine in the same minutes. A ratio is the median of
the pairwise ratios with their range: absolute figures are this machine's, ratios travel.
`,
    ...(records.length > 0 ? [sqlitePart(records)] : []),
    ...more,
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function sqlitePart(records: readonly BenchRecord[]): string {
  const others = [...new Map(records.map(({ work, against }) => [work, against]))]
  return `## SQLite

Commit ${commitsOf(records)}, in WAL mode with \`synchronous=FULL\`.

${table(records)}

The limit writes the rows that the engine writes, ledger and history included, through \`node:sqlite\` in commits of 64, with
nothing around them (\`bench/limit/\`). No peer of this field has an embedded store with durable commits to compare with.

${others.map(([work, against]) => `- **${work}**: ${against}.`).join('\n')}
`
}

/** One, unless rows were run at different times. */
export function commitsOf(records: readonly { readonly commit: string }[]): string {
  return [...new Set(records.map(({ commit }) => commit))].join(', ')
}
