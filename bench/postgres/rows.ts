import type { WorkName } from './contestant.ts'

/** What must hold of a figure: beside the limit, beside the best peer, or by itself. */
export interface PostgresGoals {
  /** A rate: at least this part of the limit's. */
  readonly ofLimit?: number
  /** A time: at most this many times the limit's. */
  readonly timesLimit?: number
  /** A rate: at least this many times the best peer's. */
  readonly timesPeer?: number
  /** A rate beside Hapax's own: failed only if the whole range is below this part of it. */
  readonly reaches?: number
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
  readonly name: string
  readonly work: WorkName
  /**
   * Hapax alone, beside itself. `held`: while another session holds a transaction open, with a snapshot and an id, from
   * before its first statement to after its last. `stored`: in a database with many finished and waiting events.
   */
  readonly beside?: 'held' | 'stored'
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
  {
    name: 'accept',
    work: 'accept',
    count: 60_000,
    peerCount: 8_000,
    figures: [rate('accept', { ofLimit: 0.7, timesPeer: 6 })],
  },
  {
    name: 'whole life',
    work: 'whole life',
    count: 60_000,
    peerCount: 4_000,
    figures: [
      rate('whole life', { ofLimit: 0.5, timesPeer: 15 }),
      { work: 'whole life: log per event', measured: 'walBytesPerEvent', unit: 'B', goals: { most: 1_800 } },
      { work: 'whole life: CPU per 1,000', measured: 'cpuSecondsPer1000', unit: 's', goals: { most: 0.06 } },
    ],
  },
  { name: 'drain', work: 'drain', count: 60_000, peerCount: 40_000, figures: [rate('drain', { timesPeer: 1.5 })] },
  {
    name: 'three steps',
    work: 'three steps',
    count: 30_000,
    peerCount: 2_000,
    figures: [rate('three steps', { ofLimit: 0.2, timesPeer: 15 })],
  },
  {
    name: 'half duplicates',
    work: 'half duplicates',
    count: 60_000,
    peerCount: 8_000,
    figures: [rate('half duplicates', { timesPeer: 6 })],
  },
  {
    name: 'latency',
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
  ...(['accept', 'whole life', 'drain', 'three steps'] as const).map((work) => {
    return alone(work, 'held', 'while another session holds a transaction open')
  }),
]

/** Finished events of the stored rows, unless told otherwise. */
export const storedEvents = 10_000_000

/**
 * Rows of `--long`. Accepts come last: what they leave is unfinished, and whoever runs after them would have to run it.
 *
 * @param stored finished events; a tenth as many wait
 */
export function longRows(stored: number): readonly PostgresRow[] {
  const words = `with ${stored.toLocaleString('en')} finished and ${Math.ceil(stored / 10).toLocaleString('en')} waiting`
  return (['whole life', 'drain', 'three steps', 'accept'] as const).map((work) => alone(work, 'stored', words))
}

function alone(work: WorkName, beside: 'held' | 'stored', words: string): PostgresRow {
  return {
    name: `${work}, ${beside}`,
    work,
    beside,
    count: work === 'three steps' ? 20_000 : 40_000,
    peerCount: 0,
    figures: [rate(`${work} ${words}`, { reaches: 0.8 })],
  }
}
