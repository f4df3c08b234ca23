import { parseRunId } from '../src/event/run.ts'
import { memoryWorld } from '../src/store/memory/index.ts'
import type { Commit, CommitResult, Store } from '../src/store/store.ts'
import { Draw } from './draw.ts'
import type { Sometimes, Violation } from './invariants.ts'
import { Watch } from './model/watch.ts'
import { Model } from './model.ts'
import { SimulatedNode } from './node.ts'
import { NodeClock } from './node-clock.ts'
import { Operator } from './operator.ts'
import { OutsideService } from './outside.ts'
import type { Fault, Plan } from './plan.ts'
import { Schedule } from './schedule.ts'
import { Senders } from './senders.ts'
import type { Weather } from './wire.ts'

/** How long a healed world may take until all has ended: a handler that was missed is looked for every 30 s. */
const convergesMs = 240_000

/** How a simulation went. */
export interface Outcome {
  readonly violations: readonly Violation[]
  readonly reached: ReadonlySet<Sometimes>
  readonly story: readonly string[]
  readonly steps: number
  readonly events: number
  /** Virtual time in all. */
  readonly lastedMs: number
}

/**
 * Lives a plan through: first everything may break and nothing may go wrong; then nothing breaks any more and everything
 * must end. The same plan is the same run.
 */
export async function simulate(plan: Plan, options: { readonly tells?: boolean } = {}): Promise<Outcome> {
  const schedule = new Schedule()
  const carrier = new NodeClock(schedule)
  const watch = new Watch({
    nowMs: () => schedule.nowMs,
    storeNow: () => carrier.now(),
    clocksAgree: plan.nodes.every((node) => node.rate === 1),
    tells: options.tells ?? false,
  })
  const model = new Model(watch, plan.concurrency)
  const memory = memoryWorld({ clock: carrier, shards: plan.shards, acceptSpans: plan.acceptSpans })
  const outside = new OutsideService(carrier, new Draw(plan.seed, 'outside'))
  const weather: Weather = { storeDownUntilMs: 0, storeFullUntilMs: 0 }
  const connect = () => (plan.acceptSpans ? memory.connect() : acceptsApart(memory.connect()))
  const surroundings = { plan, schedule, carrier, model, outside, weather, connect }
  const nodes = plan.nodes.map((node, index) => new SimulatedNode(index, node, surroundings))
  const senders = new Senders(schedule, model, nodes)
  const operator = new Operator(schedule, model, nodes, senders, plan)
  const unheard = (error: unknown) =>
    watch.violate('engine.error', error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  process.on('unhandledRejection', unheard)
  try {
    for (const [index, node] of plan.nodes.entries()) schedule.at(node.startsAtMs, () => nodes[index]?.start())
    for (const [index, send] of plan.sends.entries()) schedule.at(send.atMs, () => senders.send(index, send))
    for (const act of plan.acts) schedule.at(act.atMs, () => operator.act(act))
    for (const fault of plan.faults) schedule.at(fault.atMs, () => strike(fault))
    await schedule.until(plan.healsAtMs)
    await converge()
  } finally {
    process.off('unhandledRejection', unheard)
  }
  return {
    violations: watch.violations,
    reached: watch.reached,
    story: watch.story,
    steps: schedule.steps,
    events: model.ledger.events.size,
    lastedMs: schedule.nowMs,
  }

  function strike(fault: Fault): void {
    const node = nodes[fault.node]
    if (!node) return
    const { nowMs } = schedule
    if (fault.kind === 'store_down') weather.storeDownUntilMs = nowMs + fault.ms
    if (fault.kind === 'store_full') weather.storeFullUntilMs = nowMs + fault.ms
    if (fault.kind === 'stall') node.stall(fault.ms)
    if (fault.kind === 'clock_jump') {
      watch.reach('clock jumped')
      node.jump(fault.ms)
    }
    if (fault.kind === 'cut' && fault.ms > plan.leaseMs) watch.reach('cut off past its lease')
    if (fault.kind === 'crash') {
      if (fault.when === 'now' && node.isAlive) {
        watch.reach('crash at any time')
        node.kill('at once')
      }
      schedule.at(nowMs + fault.downMs, () => node.start())
      // Armed for a commit that never came: the supervisor looks again until it is up.
      schedule.at(nowMs + fault.downMs + 2_000, () => node.start())
    }
    node.wire.break(fault)
  }

  /** Nothing breaks any more: all must end, in time, and what the store has must be what was heard. */
  async function converge(): Promise<void> {
    watch.tell('world', 'heals')
    weather.storeDownUntilMs = 0
    weather.storeFullUntilMs = 0
    for (const node of nodes) {
      node.wire.heal()
      node.start()
    }
    await schedule.until(Math.max(...nodes.map((node) => node.stillUntilMs)))
    operator.heal()
    const deadlineMs = schedule.nowMs + convergesMs
    const isDone = () => senders.isDone && operator.isDone && model.runs.unfinished().length === 0
    while (schedule.nowMs < deadlineMs && !isDone()) await schedule.until(schedule.nowMs + 250)
    if (!senders.isDone) watch.violate('G5.ends', 'a sender got no receipt')
    for (const left of model.runs.unfinished()) {
      watch.violate(
        left.endsWith('unanswered verbs') ? 'G5.answered' : left.endsWith('too old') ? 'G5.expires' : 'G5.ends',
        left,
      )
    }
    // A signal that is there is heard within a poll; by the next owner, within a lease before that.
    const heardByMs = schedule.nowMs + 2 * plan.leaseMs + 2_000
    do await schedule.until(schedule.nowMs + 500)
    while (schedule.nowMs < heardByMs && model.runs.unheard().length > 0)
    for (const left of model.runs.unheard()) watch.violate('G5.signal', left)
    await compareStore(connect())
    await stopAll()
  }

  async function stopAll(): Promise<void> {
    for (const node of nodes) {
      if (!node.engine) continue
      let took: number | undefined | 'pending' = 'pending'
      void node.stop(plan.graceMs + 10_000).then((ms) => {
        took = ms
      })
      await schedule.until(schedule.nowMs + plan.graceMs + 12_000, () => took !== 'pending')
      if (typeof took !== 'number' || took > plan.graceMs + 3_000)
        watch.violate('G10.stop', `${node.name} took ${took} ms to stop, its grace is ${plan.graceMs} ms`)
      else watch.reach('stopped gracefully')
    }
  }

  async function compareStore(store: Store): Promise<void> {
    for (const event of model.ledger.events.values()) {
      const kept = await read(store.event(event.key))
      if (!kept)
        watch.violate(event.emittedBy === undefined ? 'G1.receipt' : 'G4.emit', `${event.key} is not in the store`)
    }
    for (const run of model.runs.all) {
      if (run.settlements === 0) continue
      const { event, tag } = parseRunId(run.id)
      const record = await read(store.run(event, tag))
      const history = await read(store.history(event))
      const settled = history.filter((entry) => entry.kind === 'settled' && entry.tag === tag)
      model.compare(run.id, record, settled.length)
    }
  }

  /** Lets the store answer. */
  async function read<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false
    const watched = promise.finally(() => {
      settled = true
    })
    await schedule.until(schedule.nowMs + 1_000, () => settled)
    return watched
  }
}

/**
 * Where the shard learns of events later, a commit's answer waits for that, and its decisions would be heard of late: they
 * go in a commit of their own, in the same moment.
 */
function acceptsApart(store: Store): Store {
  const commit = async (batch: Commit): Promise<CommitResult> => {
    const { accept = [], ...decisions } = batch
    if (accept.length === 0) return store.commit(batch)
    const [accepted, decided] = await Promise.all([store.commit({ accept }), store.commit(decisions)])
    return { ...decided, accept: accepted.accept }
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return commit
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
