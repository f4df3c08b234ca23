import type { SideName } from './works/sides.ts'

/** What must hold between the two sides' figures. */
export type Goal =
  /** At least this part of the limit's rate. */
  | { readonly kind: 'at least'; readonly ratio: number }
  /** A bar beside the same side's own rate: failed only if the whole range is below it. */
  | { readonly kind: 'reaches'; readonly ratio: number }
  /** At most this many times the limit's time, or this time. */
  | { readonly kind: 'at most'; readonly ratio: number; readonly orMs?: number }
  /** At most so much over the control. */
  | { readonly kind: 'over'; readonly most: number }

/** One figure of a row, as it is reported. */
export interface Figure {
  readonly work: string
  /** Its name in what both sides measure. */
  readonly hapax: string
  /** Default: the same name. */
  readonly limit?: string
  readonly unit: '/s' | 'ms' | 'MB'
  readonly goal: Goal
}

/** Two sides that run in alternating pairs. */
export interface Row {
  readonly name: string
  readonly hapax: SideName
  readonly limit: SideName
  /** What the other side is, for the report. */
  readonly against: string
  /** Events of each side. */
  readonly count: number
  /** Ours runs on the file that `fill` filled; a row of `fill` itself runs once. */
  readonly filled?: boolean
  /** Fewer pairs than asked for: a long row that has nothing to alternate with. */
  readonly once?: boolean
  readonly figures: readonly Figure[]
}

const rate = (work: string, ratio: number): Figure => {
  return { work, hapax: 'rate', unit: '/s', goal: { kind: 'at least', ratio } }
}
const time = (work: string, figure: string, ratio: number, orMs?: number): Figure => {
  const goal = { kind: 'at most', ratio, ...(orMs === undefined ? {} : { orMs }) } as const
  return { work, hapax: figure, unit: 'ms', goal }
}
const unmoved = (work: string, ratio = 0.8): Figure => ({
  work,
  hapax: 'rate',
  unit: '/s',
  goal: { kind: 'reaches', ratio },
})
const byHand = 'by hand, groups of 64'

/** Finished events that a full store holds. */
export const storedEvents = 1_000_000

/** The whole benchmark: the figures of DESIGN section 10 that are SQLite's. */
export const rows: readonly Row[] = [
  {
    name: 'accept',
    hapax: 'acceptHapax',
    limit: 'acceptLimit',
    against: byHand,
    count: 100_000,
    figures: [rate('accept', 0.5)],
  },
  {
    name: 'whole life',
    hapax: 'wholeLifeHapax',
    limit: 'wholeLifeLimit',
    against: byHand,
    count: 100_000,
    figures: [rate('whole life', 0.35)],
  },
  {
    name: 'three steps',
    hapax: 'threeStepsHapax',
    limit: 'threeStepsLimit',
    against: byHand,
    count: 50_000,
    figures: [rate('three steps', 0.2)],
  },
  {
    name: 'half duplicates',
    hapax: 'halfDuplicatesHapax',
    limit: 'halfDuplicatesLimit',
    against: byHand,
    count: 100_000,
    figures: [rate('half duplicates', 0.5)],
  },
  {
    name: 'drain',
    hapax: 'drainHapax',
    limit: 'drainLimit',
    against: byHand,
    count: 100_000,
    figures: [rate('drain', 0)],
  },
  {
    name: 'ingress',
    hapax: 'ingressHapax',
    limit: 'ingressLimit',
    against: 'node:http, JSON.parse, SHA-256, durable append',
    count: 40_000,
    figures: [rate('ingress', 0.6)],
  },
  {
    name: 'latency',
    hapax: 'latencyHapax',
    limit: 'latencyLimit',
    against: 'one commit by hand through a worker; two for the completion',
    count: 2_000,
    figures: [
      time('latency: first line, p50', 'beginP50Ms', 2),
      time('latency: first line, p99', 'beginP99Ms', 4, 10),
      time('latency: completion durable, p50', 'doneP50Ms', 2),
      time('latency: completion durable, p99', 'doneP99Ms', 4, 10),
    ],
  },
  {
    name: 'event loop',
    hapax: 'wholeLifeHapax',
    limit: 'idle',
    against: 'an idle process',
    count: 100_000,
    figures: [
      {
        work: 'event loop delay at full load, p99',
        hapax: 'loopDelayP99Ms',
        unit: 'ms',
        goal: { kind: 'over', most: 10 },
      },
    ],
  },
  {
    name: 'memory',
    hapax: 'fillHapax',
    limit: 'fillHapax',
    against: 'the same process after a fifth of 1,000,000 events',
    count: storedEvents,
    filled: true,
    once: true,
    figures: [
      {
        work: 'memory after 1,000,000 events',
        hapax: 'rssMb',
        limit: 'rssAfterFifthMb',
        unit: 'MB',
        goal: { kind: 'at most', ratio: 1.25 },
      },
    ],
  },
  {
    // Before the accepts: what they leave is unfinished, and the first run after them would have to read it all.
    name: 'whole life, stored',
    hapax: 'wholeLifeHapax',
    limit: 'wholeLifeHapax',
    against: 'the same on an empty file',
    count: 100_000,
    filled: true,
    figures: [unmoved('whole life with 1,000,000 finished events stored')],
  },
  {
    name: 'accept, stored',
    hapax: 'acceptHapax',
    limit: 'acceptHapax',
    against: 'the same on an empty file',
    count: 100_000,
    filled: true,
    figures: [unmoved('accept with 1,000,000 finished events stored')],
  },
  {
    name: 'limits in use',
    hapax: 'stepLimitedHapax',
    limit: 'stepAloneHapax',
    against: 'the same without limits',
    count: 50_000,
    figures: [unmoved('a run of one step through a dependency with limits', 0.9)],
  },
  {
    name: 'order in use',
    hapax: 'orderedHapax',
    limit: 'keyedHapax',
    against: 'the same without order',
    count: 100_000,
    figures: [unmoved('10,000 order keys, one of them blocked')],
  },
]
