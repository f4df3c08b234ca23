import type { CircuitRecord, CircuitTurn, CircuitTurned } from '../../src/store/circuits.ts'
import type { DependencyPlan, Fault, Plan } from '../plan.ts'
import type { Owners } from './owners.ts'
import type { Watch } from './watch.ts'

/** Spans in which a rate is looked at, in ms. */
const spansMs = [1_000, 5_000] as const

/** Faults that keep no node from its beats and their answers. */
const harmless: ReadonlySet<Fault['kind']> = new Set(['crash', 'clock_jump', 'hints_lost', 'commit_twice'])

/** Whether every node has its beats and their answers, while it lives. */
export function isHarmless(faults: readonly Fault[]): boolean {
  return faults.every(({ kind }) => harmless.has(kind))
}

/** A call at the other side. */
interface Call {
  readonly node: string
  readonly atMs: number
  /** How often its node's lease had run out. */
  readonly lapses: number
  isInside: boolean
}

/** What of a plan they rest on. */
export type LimitedPlan = Pick<Plan, 'dependency' | 'faults' | 'leaseMs' | 'beatMs'>

/** What limits promise (G8): seen from the other side, which counts who calls, and from what the store says of the circuit. */
export class Limits {
  readonly #watch: Watch
  readonly #owners: Owners
  readonly #plan: DependencyPlan | undefined
  /** So long after it opened the last node has heard of it, or has lost its lease. */
  readonly #hearsMs: number
  readonly #calls: Call[] = []
  /** Outages as the store has them, by its clock. */
  readonly #outages: { readonly from: number; until: number }[] = []
  #circuit: CircuitRecord | undefined
  /** Which node has the right to probe, and how often it did. */
  #prober: string | undefined
  #probes = 0
  /** When the circuit opened, by true time. */
  #openedMs = 0
  /** Starts of nodes: each brings a turn of its own. */
  readonly #nodes = new Set<string>()

  constructor(watch: Watch, owners: Owners, { dependency, faults, leaseMs, beatMs }: LimitedPlan) {
    this.#watch = watch
    this.#owners = owners
    this.#plan = dependency
    this.#hearsMs = isHarmless(faults) ? beatMs + 1_000 : 2 * leaseMs + 3_000
  }

  /** A call arrives. */
  called(node: string): Call {
    const lapses = this.#owners.lapsesOf(node)
    const call = { node, atMs: this.#watch.nowMs, lapses, isInside: true }
    this.#calls.push(call)
    this.#nodes.add(node)
    this.#mayCall(node)
    this.#keepsRate()
    this.#keepsSlots()
    return call
  }

  /** A run of the handler has begun; of these keys runs are under way. */
  begun(key: string | undefined, underWay: readonly (string | undefined)[]): void {
    const { runs, runsPerKey, isOrdered } = this.#plan ?? {}
    if (!this.#watch.clocksAgree) return
    if (runs !== undefined && underWay.length > runs)
      this.#watch.violate('G8.concurrency', `${underWay.length} runs at once, at most ${runs}`)
    if (runsPerKey === undefined || isOrdered || key === undefined) return
    const ofKey = underWay.filter((one) => one === key).length
    if (ofKey === runsPerKey) this.#watch.reach('all slots of a key taken')
    if (ofKey > runsPerKey)
      this.#watch.violate('G8.concurrency', `${ofKey} runs of ${key} at once, at most ${runsPerKey}`)
  }

  left(call: Call): void {
    call.isInside = false
  }

  /** A process is gone, and what it had under way with it. */
  nodeDied(node: string): void {
    for (const call of this.#calls) if (call.node === node) call.isInside = false
  }

  turned(node: string, turn: CircuitTurn, { applied, circuit }: CircuitTurned): void {
    if (!applied || !circuit) return
    this.#watch.tell('store', `the circuit is ${circuit.state}, by ${node}: ${circuit.reason}`)
    const wasClosed = (this.#circuit?.state ?? 'closed') === 'closed'
    this.#circuit = circuit
    if (circuit.state === 'probing') {
      this.#prober = node
      this.#probes = 0
      this.#watch.reach('probed')
    }
    if (circuit.state !== 'closed' && wasClosed) {
      this.#openedMs = this.#watch.nowMs
      this.#outages.push({ from: circuit.openedAt, until: Number.POSITIVE_INFINITY })
      this.#watch.reach('circuit opened')
    }
    if (circuit.state === 'closed') {
      const last = this.#outages.at(-1)
      if (last) last.until = circuit.since
      if (turn.reason === 'recovered') this.#watch.reach('circuit closed by a probe')
    }
  }

  /** Whether a failure at this time, by the store's clock, may have been an outage's. */
  wasDown(at: number): boolean {
    const withinMs = this.#plan?.withinMs ?? 0
    return this.#outages.some(({ from, until }) => at >= from - withinMs && at <= until)
  }

  /** While it is open none calls but one probe: once all nodes have heard of it, or have lost their lease. */
  #mayCall(node: string): void {
    if (!this.#circuit || this.#circuit.state === 'closed') return
    // Another has turned it since: the one that had the right to probe hears of it with the next reply.
    if (node === this.#prober && this.#probes === 0 && this.#circuit.state === 'open') {
      this.#probes++
      return
    }
    if (this.#circuit.state === 'probing' && node === this.#prober) {
      this.#probes++
      // One that was given up, since its run was lost, may be made again.
      const others = this.#calls.filter((call) => call !== this.#calls.at(-1) && this.#isUnderWay(call))
      if (this.#probes > 1 && others.some((call) => call.node === node))
        this.#watch.violate('G8.open', `${node} called ${this.#probes} times for one probe`)
      return
    }
    if (this.#watch.nowMs > this.#openedMs + this.#hearsMs)
      this.#watch.violate('G8.open', `${node} called, ${this.#watch.nowMs - this.#openedMs} ms after it opened`)
  }

  #isUnderWay({ isInside, node, lapses }: Call): boolean {
    return isInside && lapses === this.#owners.lapsesOf(node)
  }

  #keepsRate(): void {
    const rate = this.#plan?.rate
    if (rate === undefined) return
    for (const spanMs of spansMs) {
      const since = this.#watch.nowMs - spanMs
      const count = this.#calls.filter(({ atMs }) => atMs > since).length
      // Seconds of machines differ by 3 %; each node has its own row of places, and catches up with late timers.
      const most = (rate * spanMs * 1.04) / 1_000 + this.#nodes.size * (1 + rate * 0.02) + 1
      if (count > most) this.#watch.violate('G8.rate', `${count} calls within ${spanMs} ms, at most ${rate} a second`)
    }
  }

  #keepsSlots(): void {
    const most = this.#plan?.concurrency
    if (most === undefined) return
    const inside = this.#calls.filter((call) => this.#isUnderWay(call)).length
    if (inside === most) this.#watch.reach('all slots taken')
    if (inside > most && this.#watch.clocksAgree)
      this.#watch.violate('G8.concurrency', `${inside} calls at once, at most ${most}`)
  }
}
