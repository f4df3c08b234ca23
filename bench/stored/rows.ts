import { againstEmpty as against } from '../postgres/report.ts'
import { alone, type PostgresFigure, type PostgresRow } from '../postgres/rows.ts'
import type { Sizes } from './fill.ts'

/** What the set holds unless told otherwise: DESIGN section 10. */
export const sizesWanted: Sizes = { finished: 10_000_000, waiting: 1_000_000, identities: 20_000_000 }

/** A figure of Hapax beside itself. */
const figure = (
  work: string,
  measured: string,
  unit: PostgresFigure['unit'],
  goals: PostgresFigure['goals'],
): PostgresFigure => ({ work, measured, unit, goals })

/** The rows of the long report. Accepts come last: what they leave unfinished is run after each, and yet it ages the set. */
export function longRows(sizes: Sizes): readonly PostgresRow[] {
  const words = `with ${sizes.finished.toLocaleString('en')} finished and ${sizes.waiting.toLocaleString('en')} waiting`
  const remembered = `${sizes.identities.toLocaleString('en')} identities`
  const stored = (work: 'whole life' | 'drain' | 'three steps') => alone(work, { against, place: 'stored' }, words)
  const accepting = (work: 'accept' | 'half duplicates', tidy: 'tidy' | 'tidy half'): PostgresRow => {
    const row = alone(work, { against, place: 'stored', tidy }, '')
    const name = `${work} with ${remembered}, a checkpoint just passed`
    const log = figure(`${name}: log per event`, 'walBytesPerEvent', 'B', {})
    return { ...row, figures: [figure(name, 'rate', '/s', { reaches: 0.8 }), log] }
  }
  return [
    takeover(words),
    stored('whole life'),
    stored('drain'),
    stored('three steps'),
    accepting('half duplicates', 'tidy half'),
    accepting('accept', 'tidy'),
    nodes('two nodes'),
    nodes('four nodes'),
    held('held', 'while a transaction is held open'),
    held('open accept', 'while a caller’s transaction holds its accept open'),
  ]
}

function takeover(words: string): PostgresRow {
  return {
    name: 'takeover',
    work: 'takeover',
    beside: { against, place: 'stored', module: '../stored/takeover.ts', counting: true },
    count: 500,
    peerCount: 0,
    figures: [
      figure(`takeover ${words}: from the lease's end to the first run`, 'firstMs', 'ms', { most: 2_000 }),
      figure(`takeover ${words}: from the lease's end until all runs are done`, 'allMs', 'ms', {}),
      figure(`takeover ${words}: work of the server until then`, 'workMs', 'ms', { most: 2_000 }),
      figure(`takeover ${words}: statements until then`, 'statements', 'statements', {}),
    ],
  }
}

/** All on one machine: where its processors are all busy, a second node has nothing left to be faster with. */
function nodes(work: 'two nodes' | 'four nodes'): PostgresRow {
  return {
    name: work,
    work,
    beside: { against: 'one node', place: 'empty', module: '../stored/nodes.ts', otherWork: 'one node' },
    count: 60_000,
    peerCount: 0,
    figures: [
      figure(`whole life, ${work}`, 'rate', '/s', { reaches: 0.8 }),
      figure(`whole life, ${work}: CPU of the server per 1,000`, 'serverSecondsPer1000', 's', {}),
      figure(`whole life, ${work}: CPU of the nodes per 1,000`, 'nodesSecondsPer1000', 's', {}),
      figure(`whole life, ${work}: the machine is busy`, 'busyPercent', '% of the machine', { least: 90 }),
    ],
  }
}

function held(work: 'held' | 'open accept', words: string): PostgresRow {
  return {
    name: `ingress, ${work}`,
    work,
    beside: { against: 'before it', place: 'empty', module: '../stored/held.ts', isWhole: true },
    count: 10_000,
    peerCount: 0,
    figures: [
      figure(`ingress ${words}, at the end of it: p50 at 200/s`, 'p50Ms', 'ms', { within: 1.2 }),
      figure(`ingress ${words}, at the end of it: p99 at 200/s`, 'p99Ms', 'ms', { within: 1.2 }),
      figure(`ingress ${words}, at the end of it`, 'rate', '/s', { reaches: 0.8 }),
    ],
  }
}
