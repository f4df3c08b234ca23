import type { WorkName } from './contestant.ts'

/** What must hold of a figure: beside the limit, beside the best peer, or by itself. */
export interface PostgresGoals {
  /** A rate: at least this part of the limit's. */
  readonly ofLimit?: number
  /** A time: at most this many times the limit's. */
  readonly timesLimit?: number
  /** A rate: at least this many times the best peer's. */
  readonly timesPeer?: number
  /** Whatever the others have: at most this. */
  readonly most?: number
}

/** One figure of a row, as it is reported. */
export interface PostgresFigure {
  readonly work: string
  /** Its name in what all sides measure. */
  readonly measured: string
  readonly unit: '/s' | 'ms' | 'B' | 's'
  readonly goals: PostgresGoals
}

/** One work, done by Hapax, by hand and by peers in turns. */
export interface PostgresRow {
  readonly work: WorkName
  /** Events of Hapax and of the limit. */
  readonly count: number
  /** Events of a peer: its rate is what counts, and it is lower. */
  readonly peerCount: number
  readonly figures: readonly PostgresFigure[]
}

const rate = (work: string, goals: PostgresGoals): PostgresFigure => ({ work, measured: 'rate', unit: '/s', goals })
const time = (work: string, measured: string): PostgresFigure => {
  return { work, measured, unit: 'ms', goals: { timesLimit: 2 } }
}

/** The figures of DESIGN section 10 that are PostgreSQL's. */
export const postgresRows: readonly PostgresRow[] = [
  { work: 'accept', count: 60_000, peerCount: 8_000, figures: [rate('accept', { ofLimit: 0.7, timesPeer: 6 })] },
  {
    work: 'whole life',
    count: 60_000,
    peerCount: 4_000,
    figures: [
      rate('whole life', { ofLimit: 0.5, timesPeer: 15 }),
      { work: 'whole life: log per event', measured: 'walBytesPerEvent', unit: 'B', goals: { most: 1_800 } },
      { work: 'whole life: CPU per 1,000', measured: 'cpuSecondsPer1000', unit: 's', goals: { most: 0.06 } },
    ],
  },
  { work: 'drain', count: 60_000, peerCount: 40_000, figures: [rate('drain', { timesPeer: 1.5 })] },
  {
    work: 'three steps',
    count: 30_000,
    peerCount: 2_000,
    figures: [rate('three steps', { ofLimit: 0.2, timesPeer: 15 })],
  },
  { work: 'half duplicates', count: 60_000, peerCount: 8_000, figures: [rate('half duplicates', { timesPeer: 6 })] },
  {
    work: 'latency',
    count: 2_000,
    peerCount: 1_000,
    figures: [
      time('latency: first line, p50', 'beginP50Ms'),
      time('latency: first line, p99', 'beginP99Ms'),
      time('latency: completion durable, p50', 'doneP50Ms'),
      time('latency: completion durable, p99', 'doneP99Ms'),
    ],
  },
]
