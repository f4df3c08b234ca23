import type { OutageFigures, OutagePlan } from './outage-figures.ts'
import type { ParkingFigures, ParkingPlan } from './parking.ts'
import type { SharedRateFigures, SharedRatePlan } from './shared-rate.ts'

/** What a drill gave. */
export type Report =
  | { readonly drill: 'outage'; readonly plan: OutagePlan; readonly figures: OutageFigures }
  | { readonly drill: 'rate'; readonly plan: SharedRatePlan; readonly figures: SharedRateFigures }
  | { readonly drill: 'parking'; readonly plan: ParkingPlan; readonly figures: ParkingFigures }

/** What is to hold, and whether it does. */
export interface Goal {
  readonly goal: string
  readonly found: string
  readonly met: boolean
}

/** A call that has been sent is not called back: at each node so many may be under way when the circuit opens. */
const underWayPerNode = 100

/** A percentile of some hundred samples on a busy machine moves by itself. */
const unmoved = (before: number, now: number) => now <= Math.max(2 * before, before + 25)

/** The goals of a drill. */
export function goalsOf(report: Report): Goal[] {
  if (report.drill === 'outage') return outageGoals(report.figures, report.plan)
  if (report.drill === 'rate') return rateGoals(report.figures)
  return parkingGoals(report.figures)
}

function outageGoals(figures: OutageFigures, { nodes }: OutagePlan): Goal[] {
  const { callsWhileOpen, probes, lastStrayMs, drainedMs, idealMs, unrelatedP99: p99 } = figures
  const strays = callsWhileOpen - probes
  return [
    is('no event is lost', figures.lost, 0),
    is('no attempt is burnt', figures.attemptsBurnt, 0),
    {
      goal: `while it is open probes alone, and what was under way: at most ${underWayPerNode} a node`,
      found: `${callsWhileOpen} calls, ${probes} probes, the last other one after ${lastStrayMs} ms`,
      met: strays <= nodes * underWayPerNode,
    },
    atMost('never faster than allowed, in any second', figures.peakRate, figures.allowedRate),
    { goal: 'order kept', found: `of ${figures.ordered} events`, met: figures.orderKept },
    atMost('backlog gone within 1.2 × the ideal, ms', drainedMs, Math.round(1.2 * idealMs)),
    {
      goal: 'p99 of what has nothing to do with it does not move, ms',
      found: `${p99.before} before, ${p99.during} down, ${p99.draining} draining, ${p99.after} after`,
      met: [p99.during, p99.draining, p99.after].every((now) => unmoved(p99.before, now)),
    },
  ]
}

function rateGoals({ most10s, allowed10s, usedPart, hurriedPerCall }: SharedRateFigures): Goal[] {
  return [
    atMost('calls in any 10 s', most10s, Math.round(allowed10s * 1.01)),
    { goal: 'of the limit used, at least 0.95', found: String(usedPart), met: usedPart >= 0.95 },
    atMost('store round trips for limits, for each call', hurriedPerCall, 1 / 50),
  ]
}

function parkingGoals({ lost, attemptsBurnt, recordsPerRun }: ParkingFigures): Goal[] {
  return [
    is('no event is lost', lost, 0),
    is('no attempt is burnt', attemptsBurnt, 0),
    atMost('records for each parked run', recordsPerRun, 1 / 100),
  ]
}

function is(goal: string, found: number, wanted: number): Goal {
  return { goal, found: String(found), met: found === wanted }
}

function atMost(goal: string, found: number, most: number): Goal {
  return { goal: `${goal}: at most ${most}`, found: String(found), met: found <= most }
}

/** For people. */
export function table(report: Report, goals: readonly Goal[]): string {
  const width = Math.max(...goals.map(({ goal }) => goal.length))
  const plan = Object.entries(report.plan).map(([name, value]) => `${name} ${value}`)
  const figures = Object.entries(report.figures).map(([name, value]) => {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
    return `  ${name.padEnd(16)} ${text}`
  })
  const lines = goals.map(({ goal, found, met }) => `  ${met ? 'met   ' : 'MISSED'} ${goal.padEnd(width)}  ${found}`)
  return [`${report.drill}: ${plan.join(', ')}`, '', ...figures, '', ...lines].join('\n')
}
