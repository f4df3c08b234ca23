import { isBesideLimit, type PostgresRecord } from './report.ts'

/** A bar of the plot. */
interface Bar {
  readonly name: string
  readonly value: number
  readonly kind: 'hapax' | 'limit' | 'peer'
}

const width = 860
const labels = 150
const values = 100
const barHeight = 15
const barStep = 19
const groupGap = 34

/** `docs/performance-postgres.svg`: the rates, and below them the times; each on a logarithmic scale, read in light and dark. */
export function plot(all: readonly PostgresRecord[]): string {
  const records = all.filter(isBesideLimit)
  const rates = panel(
    'Events per second',
    '/s',
    records.filter(({ unit }) => unit === '/s'),
    0,
  )
  const times = panel(
    'Milliseconds at 200 events a second, less is better',
    'ms',
    records.filter(isBegin),
    rates.height,
  )
  const height = rates.height + times.height + 12
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Hapax on PostgreSQL beside the limit and peers">
<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .work { font-weight: 600 }
  .axis { fill: #656d76 }
  .grid { stroke: #d1d9e0 }
  .hapax { fill: #0969da }
  .limit { fill: #afb8c1 }
  .peer { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .axis { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .hapax { fill: #4493f8 }
    .limit { fill: #656c76 }
    .peer { fill: #db6d28 }
  }
</style>
${rates.text}
${times.text}
</svg>
`
}

/** Completion is measured of ours alone. */
function isBegin({ work, unit }: PostgresRecord): boolean {
  return unit === 'ms' && work.includes('first line')
}

function panel(
  title: string,
  unit: string,
  records: readonly PostgresRecord[],
  top: number,
): { readonly text: string; readonly height: number } {
  const groups = records.map((record) => ({ work: record.work, bars: barsOf(record) }))
  const all = groups.flatMap(({ bars }) => bars.map(({ value }) => value))
  if (all.length === 0) return { text: '', height: 0 }
  const low = Math.floor(Math.log10(Math.min(...all)) - 0.15)
  const high = Math.ceil(Math.log10(Math.max(...all)))
  const room = width - labels - values
  const at = (value: number) => labels + (room * (Math.log10(value) - low)) / (high - low)
  const lines: string[] = [`<text class="title" x="12" y="${top + 24}">${title}</text>`]
  let y = top + 52
  const from = y
  const decades = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  const marks: string[] = []
  for (const { work, bars } of groups) {
    marks.push(`<text class="work" x="12" y="${y + 12}">${escaped(work)}</text>`)
    y += 20
    for (const decade of decades) {
      const x = at(decade).toFixed(1)
      const to = y + bars.length * barStep - 2
      lines.push(`<line class="grid" x1="${x}" x2="${x}" y1="${y - 2}" y2="${to}"/>`)
    }
    for (const { name, value, kind } of bars) {
      const x = labels
      const length = Math.max(1, at(value) - x)
      marks.push(
        `<text x="${labels - 8}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>`,
        `<rect class="${kind}" x="${x}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2"/>`,
        `<text x="${(x + length + 6).toFixed(1)}" y="${y + 12}">${value.toLocaleString('en')} ${unit}</text>`,
      )
      y += barStep
    }
    y += groupGap - 20
  }
  for (const decade of decades) {
    const x = at(decade).toFixed(1)
    lines.push(`<text class="axis" x="${x}" y="${from - 8}" text-anchor="middle">${decade.toLocaleString('en')}</text>`)
  }
  return { text: [...lines, ...marks].join('\n'), height: y - top }
}

function barsOf({ unit, hapax, limit, peers }: PostgresRecord): Bar[] {
  const others = Object.entries(peers).map(([name, value]) => ({ name, value, kind: 'peer' as const }))
  const best = (one: Bar, other: Bar) => (unit === '/s' ? other.value - one.value : one.value - other.value)
  const bars: Bar[] = [
    { name: 'Hapax', value: hapax, kind: 'hapax' },
    { name: 'limit', value: limit, kind: 'limit' },
    ...others.sort(best),
  ]
  return bars.filter(({ value }) => Number.isFinite(value) && value > 0)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
