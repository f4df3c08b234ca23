import type { Mutation } from './mutation.ts'

const flowSchedule = 'src/flow/schedule.ts'
const ticker = 'src/engine/ticker.ts'

/** In when a schedule ticks, and in what becomes of ticks that were missed. */
export const ofTicks: readonly Mutation[] = [
  {
    name: 'ticks between two owners are forgotten',
    file: ticker,
    find: 'return Math.min(now, Math.max(floor, cameAt))',
    replace: 'return now',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_032,
  },
  {
    name: 'the newest of the missed ticks first',
    file: flowSchedule,
    find: 'ticks: ticks.reverse(), isCut',
    replace: 'ticks, isCut',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_031,
  },
  {
    name: 'a tick that was missed comes though it should be skipped',
    file: flowSchedule,
    find: "if (missed === 'skip' && now - at > lateMs) break",
    replace: '',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_024,
  },
  {
    name: 'all missed ticks in the place of the last',
    file: flowSchedule,
    find: "const most = missed === 'all' ? limits.missedTicks : 1",
    replace: 'const most = limits.missedTicks',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_044,
  },
  {
    name: 'a tick that could not be accepted counts as come',
    file: ticker,
    find: '      await this.#tick(at)\n      this.#since = at\n',
    replace: '      this.#since = at\n      await this.#tick(at)\n',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_031,
  },
  {
    name: 'a schedule that a deploy renamed is new to who has its old name',
    file: ticker,
    find: 'one.name === name)',
    replace: 'one.name === name && one.untilVersion === undefined)',
    killedBy: 'G2.tick',
    ofFlow: true,
    seed: 30_138,
  },
]
