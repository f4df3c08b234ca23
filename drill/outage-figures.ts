import type { Judged, Turn } from './drill-node.ts'
import { Backlog, mostWithin, percentile } from './series.ts'
import type { Calls } from './service.ts'

/** What was asked for. */
export interface OutagePlan {
  readonly store: string
  readonly nodes: number
  readonly seconds: number
  readonly down: '503' | 'refused'
  readonly arrivingRate: number
  readonly declaredRate: number
  /** From the return on, as an operator sets it while it is down. */
  readonly allowedRate: number
  readonly cooldownMs: number
  readonly beatMs: number
}

/** What was seen. */
export interface OutageSeen {
  /** When events began to come, the service went down, came up, and events came no more. */
  readonly beganMs: number
  readonly downMs: number
  readonly upMs: number
  readonly endMs: number
  readonly calls: Calls
  readonly accepted: ReadonlyMap<string, number>
  readonly refused: number
  readonly apart: readonly (readonly [sentMs: number, tookMs: number])[]
  readonly turns: readonly Turn[]
  readonly store: { readonly parked: number; readonly settlements: number }
  readonly judged: Judged
}

/** The figures of an outage. */
export interface OutageFigures {
  readonly accepted: number
  /** Accepts that were refused: of no event. */
  readonly acceptsRefused: number
  /** Accepted events whose run did not complete. */
  readonly lost: number
  /** Failures that count against a run, of all runs. */
  readonly attemptsBurnt: number
  /** Calls that the service saw while the circuit was open in the store; of these, the probes that nodes made. */
  readonly callsWhileOpen: number
  readonly probes: number
  /** Of the others, when the last came after the circuit had opened: nodes that had not heard of it. */
  readonly lastStrayMs: number
  /** Settlements that parked a run: each writes a record. */
  readonly parkedRecords: number
  /** The most calls in any second after the return, by when they came; and by when they were sent. */
  readonly peakRate: number
  readonly peakSentRate: number
  readonly allowedRate: number
  /** Events that waited when the first probe was answered. */
  readonly backlog: number
  /** From the return of the service to the answer of the first probe. */
  readonly noticedMs: number
  /** From that answer until the backlog is gone. */
  readonly drainedMs: number
  /** The backlog, at the allowed rate less the arriving. */
  readonly idealMs: number
  /** Over the drain, calls a second. */
  readonly drainRate: number
  readonly orderKept: boolean
  /** Events with an order key that were looked at. */
  readonly ordered: number
  /** From accept to the first line of a handler that has nothing to do with it, in milliseconds. */
  readonly unrelatedP99: {
    readonly before: number
    readonly during: number
    readonly draining: number
    readonly after: number
  }
}

/** Of a second's arrivals, the part that stands at any time without an outage, and is no backlog. */
const standingPart = 0.1

/** Reckons. Pure. */
export function outageFigures(plan: OutagePlan, seen: OutageSeen): OutageFigures {
  const { calls, turns, upMs, downMs, judged } = seen
  const came = [...seen.accepted].filter(([id]) => !isApart(id))
  const servedAt = new Map<string, number>()
  for (const [index, id] of calls.ids.entries()) {
    const atMs = calls.servedMs[index] ?? 0
    if (atMs > 0 && !servedAt.has(id)) servedAt.set(id, atMs)
  }
  const served = [...servedAt.values()].sort((one, other) => one - other)
  const backlog = new Backlog(
    came.map(([, atMs]) => atMs),
    served,
  )
  const returnedMs = served.find((atMs) => atMs > upMs) ?? Number.POSITIVE_INFINITY
  const standing = Math.max(plan.arrivingRate * standingPart, backlog.most((seen.beganMs + downMs) / 2, downMs))
  const oldGoneMs = Math.max(
    ...came.map(([id, atMs]) => (atMs <= returnedMs ? (servedAt.get(id) ?? Number.POSITIVE_INFINITY) : 0)),
  )
  const goneMs = Math.max(backlog.downTo(standing, returnedMs), oldGoneMs)
  const open = openSpans(turns)
  const whileOpen = calls.atMs.filter((atMs) => open.some(([from, to]) => atMs > from && atMs < to))
  const probes = turns.filter(({ state }) => state === 'probing').length
  const firstProbeMs = turns.find(({ state }) => state === 'probing')?.atMs ?? Number.POSITIVE_INFINITY
  const strays = whileOpen.filter((atMs) => atMs < firstProbeMs)
  const openedMs = open[0]?.[0] ?? Number.NaN
  const isBack = (atMs: number) => atMs >= returnedMs
  const waiting = backlog.at(returnedMs)
  const order = orderOf(calls)
  const unrelated = (fromMs: number, toMs: number) =>
    rounded(
      percentile(
        seen.apart.filter(([sentMs]) => sentMs >= fromMs && sentMs < toMs).map(([, took]) => took),
        99,
      ),
    )
  const drained = served.filter((atMs) => atMs > returnedMs && atMs <= goneMs).length
  return {
    accepted: judged.accepted,
    acceptsRefused: seen.refused,
    lost: judged.lost,
    attemptsBurnt: judged.attemptsBurnt,
    callsWhileOpen: whileOpen.length,
    probes,
    lastStrayMs: strays.length === 0 ? 0 : rounded(Math.max(...strays) - openedMs),
    parkedRecords: seen.store.parked,
    peakRate: mostWithin(calls.atMs.filter(isBack), 1_000),
    peakSentRate: mostWithin(
      calls.sentMs.filter(isBack).sort((one, other) => one - other),
      1_000,
    ),
    allowedRate: plan.allowedRate,
    backlog: waiting,
    noticedMs: rounded(returnedMs - upMs),
    drainedMs: rounded(goneMs - returnedMs),
    idealMs: rounded((waiting * 1_000) / (plan.allowedRate - plan.arrivingRate)),
    drainRate: rounded((drained * 1_000) / (goneMs - returnedMs)),
    ...order,
    unrelatedP99: {
      before: unrelated((seen.beganMs + downMs) / 2, downMs),
      during: unrelated(downMs, upMs),
      draining: unrelated(returnedMs, goneMs),
      after: unrelated(goneMs, seen.endMs),
    },
  }
}

/** Whether an event is one whose run has nothing to do with the service. */
export function isApart(id: string): boolean {
  return id.includes('_mail_')
}

/** From each opening to the next closing, in the store. */
export function openSpans(turns: readonly Turn[]): (readonly [fromMs: number, toMs: number])[] {
  const spans: (readonly [number, number])[] = []
  let from: number | undefined
  for (const { state, atMs } of turns) {
    if (state === 'closed') {
      if (from !== undefined) spans.push([from, atMs])
      from = undefined
    } else from ??= atMs
  }
  if (from !== undefined) spans.push([from, Number.POSITIVE_INFINITY])
  return spans
}

/** Of each key, calls come in the order of its events: none of one that is behind another, none after one that was served. */
function orderOf({ ids }: Calls): { readonly orderKept: boolean; readonly ordered: number } {
  const lastOfKey = new Map<string, number>()
  const events = new Set<string>()
  let orderKept = true
  for (const id of ids) {
    const [node, , key, place] = id.split('_')
    if (place === undefined) continue
    events.add(id)
    const name = `${node} ${key}`
    if (Number(place) < (lastOfKey.get(name) ?? 0)) orderKept = false
    lastOfKey.set(name, Number(place))
  }
  return { orderKept, ordered: events.size }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
