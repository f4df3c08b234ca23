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
  /** A time beside Hapax's own: failed only if the whole range is above so many times it. */
  readonly within?: number
  /** Whatever the others have: at most this. */
  readonly most?: number
  /** Whatever the others have: at least this. */
  readonly least?: number
}

/** One figure of a row, as it is reported. */
export interface PostgresFigure {
  readonly work: string
  /** Its name in what all sides measure. */
  readonly measured: string
  readonly unit: '/s' | 'ms' | 'B' | 's' | 'statements' | '% of the machine'
  readonly goals: PostgresGoals
}

/** What Hapax is measured beside where it is measured beside itself. */
export interface Beside {
  /** The other side, for the report. */
  readonly against: string
  /**
   * Where ours runs; the other one always in an empty database. `held`: another session holds a transaction open there, with a
   * snapshot and an id, from before its first statement to after its last. `stored`: with many finished and waiting events.
   */
  readonly place: 'empty' | 'held' | 'stored'
  /** Default: Hapax by its public door. */
  readonly module?: string
  /** Default: the same work. */
  readonly otherWork?: WorkName
  /** What ours leaves unfinished in a stored set is run by this work, unmeasured. */
  readonly tidy?: WorkName
  /** The module measures both sides, in windows of one process. */
  readonly isWhole?: boolean
  /** Statements of both are counted. */
  readonly counting?: boolean
}

/** One work, done by Hapax, by hand and by peers in turns. */
export interface PostgresRow {
  readonly name: string
  readonly work: WorkName
  /** Hapax alone, beside itself. */
  readonly beside?: Beside
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
    const against = 'with nobody beside it'
    return alone(work, { against, place: 'held' }, 'while another session holds a transaction open')
  }),
  besideItself(
    'limits in use',
    'one step with limits',
    { against: 'the same without limits', place: 'empty', otherWork: 'one step' },
    'a run of one step through a dependency with limits',
    0.9,
  ),
  besideItself(
    'order in use',
    'ordered',
    { against: 'the same without order', place: 'empty', otherWork: 'keyed' },
    '10,000 order keys, one of them blocked',
    0.8,
  ),
]

/** A row of Hapax beside itself, whose rate may be a fifth lower. */
export function alone(work: WorkName, beside: Beside, words: string): PostgresRow {
  return besideItself(`${work}, ${beside.place}`, work, beside, `${work} ${words}`, 0.8)
}

function besideItself(name: string, work: WorkName, beside: Beside, figure: string, reaches: number): PostgresRow {
  const count = work === 'three steps' ? 20_000 : 40_000
  return { name, work, beside, count, peerCount: 0, figures: [rate(figure, { reaches })] }
}
