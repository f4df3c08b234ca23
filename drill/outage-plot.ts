import { isApart, type OutagePlan, type OutageSeen, openSpans } from './outage-figures.ts'
import { Backlog } from './series.ts'

/** A value at each moment, in seconds from the beginning. */
type Line = readonly (readonly [seconds: number, value: number])[]

const width = 860
const left = 64
const right = 16
const panelHeight = 150
const panelGap = 56
const top = 44
/** The lines of a plot of any length have about so many moments. */
const moments = 240

/** `docs/outage.svg`: calls a second, and what waits, over time, while the circuit turns; read in light and dark. */
export function outagePlot(seen: OutageSeen, plan: OutagePlan): string {
  const { beganMs, endMs, downMs, upMs } = seen
  const seconds = (atMs: number) => (atMs - beganMs) / 1_000
  const whole = seconds(endMs)
  const at = (value: number) => left + ((width - left - right) * Math.min(whole, Math.max(0, value))) / whole
  const span = (fromMs: number, toMs: number, kind: string, y: number, height: number) => {
    const [from, to] = [at(seconds(fromMs)), at(seconds(Math.min(toMs, endMs)))]
    return `<rect class="${kind}" x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${height}"/>`
  }
  const callsTop = top + 34
  const waitTop = callsTop + panelHeight + panelGap
  const circuitTop = waitTop + panelHeight + 34
  const height = circuitTop + 52
  const open = openSpans(seen.turns)
  const parts = [
    `<text class="title" x="12" y="24">A service that is down for ${plan.seconds} s, and comes back at ${plan.allowedRate} calls/s; ${plan.arrivingRate} events/s throughout</text>`,
    ...[callsTop, waitTop].map((y) => span(downMs, upMs, 'down', y, panelHeight)),
    panel('calls/s', callsTop, callsLine(seen), Math.max(plan.allowedRate * 1.2, plan.arrivingRate), at),
    limitLine(plan.allowedRate, Math.max(plan.allowedRate * 1.2, plan.arrivingRate), callsTop, at(seconds(upMs))),
    panel('events that wait', waitTop, waitLine(seen), undefined, at),
    `<text class="axis" x="${left - 8}" y="${circuitTop + 11}" text-anchor="end">circuit</text>`,
    span(beganMs, endMs, 'closed', circuitTop, 14),
    ...open.map(([from, to]) => span(from, to, 'open', circuitTop, 14)),
    ...seen.turns
      .filter(({ state }) => state === 'probing')
      .map(({ atMs }) => span(atMs, atMs, 'probe', circuitTop - 4, 22)),
    ...ticks(whole, at, circuitTop + 32),
    `<text class="axis" x="${width - right}" y="${circuitTop + 48}" text-anchor="end">grey: the service is down · bar: the circuit, red while it is open, a mark for each probe</text>`,
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Calls, waiting events and the circuit during an outage">
<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .axis { fill: #656d76 }
  .grid { stroke: #d1d9e0 }
  .line { stroke: #0969da; fill: none; stroke-width: 1.5 }
  .limit { stroke: #bc4c00; stroke-dasharray: 4 3 }
  .down { fill: #afb8c1; opacity: 0.25 }
  .closed { fill: #2da44e; opacity: 0.6 }
  .open { fill: #cf222e }
  .probe { fill: #1f2328 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .axis { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .line { stroke: #4493f8 }
    .limit { stroke: #db6d28 }
    .probe { fill: #f0f6fc }
  }
</style>
${parts.join('\n')}
</svg>
`
}

/** Calls of each slice, as a rate. */
function callsLine({ calls, beganMs, endMs }: OutageSeen): Line {
  const sliceMs = Math.max(250, (endMs - beganMs) / moments)
  const slices = Array.from({ length: Math.ceil((endMs - beganMs) / sliceMs) }, () => 0)
  for (const atMs of calls.atMs) {
    const slice = Math.floor((atMs - beganMs) / sliceMs)
    if (slice < slices.length) slices[slice] = (slices[slice] ?? 0) + 1
  }
  // The last slice is not a whole one.
  return slices
    .slice(0, -1)
    .map((count, index) => [((index + 0.5) * sliceMs) / 1_000, (count * 1_000) / sliceMs] as const)
}

function waitLine({ accepted, calls, beganMs, endMs }: OutageSeen): Line {
  const came = [...accepted].filter(([id]) => !isApart(id)).map(([, atMs]) => atMs)
  const backlog = new Backlog(
    came,
    calls.servedMs.filter((atMs) => atMs > 0),
  )
  const stepMs = (endMs - beganMs) / moments
  return Array.from({ length: moments }, (_, index) => {
    return [(index * stepMs) / 1_000, Math.max(0, backlog.at(beganMs + index * stepMs))] as const
  })
}

function panel(
  title: string,
  y: number,
  line: Line,
  most: number | undefined,
  at: (seconds: number) => number,
): string {
  const high = rounded(Math.max(most ?? 0, ...line.map(([, value]) => value)))
  const heightOf = (value: number) => (y + panelHeight - (panelHeight * value) / high).toFixed(1)
  const marks = [0, high / 2, high].map((value) => {
    const place = heightOf(value)
    return `<line class="grid" x1="${left}" x2="${width - right}" y1="${place}" y2="${place}"/><text class="axis" x="${left - 8}" y="${Number(place) + 4}" text-anchor="end">${value.toLocaleString('en')}</text>`
  })
  const points = line.map(([seconds, value]) => `${at(seconds).toFixed(1)},${heightOf(value)}`)
  return [
    `<text x="${left}" y="${y - 12}">${title}</text>`,
    ...marks,
    `<polyline class="line" points="${points.join(' ')}"/>`,
  ].join('\n')
}

function limitLine(value: number, most: number, y: number, from: number): string {
  const place = (y + panelHeight - (panelHeight * value) / rounded(most)).toFixed(1)
  return `<line class="limit" x1="${from.toFixed(1)}" x2="${width - right}" y1="${place}" y2="${place}"/>`
}

function ticks(whole: number, at: (seconds: number) => number, y: number): string[] {
  const step = [1, 2, 5, 10, 20, 30, 60, 120].find((one) => whole / one <= 10) ?? 300
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, index) => {
    return `<text class="axis" x="${at(index * step).toFixed(1)}" y="${y}" text-anchor="middle">${index * step} s</text>`
  })
}

/** Up to the next 1, 2 or 5, or a fifth of it. */
function rounded(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  return decade * ([1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10].find((one) => one * decade >= value) ?? 10)
}
