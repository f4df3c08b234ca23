import { parseRunId } from '../src/event/run.ts'
import { openCron } from '../src/flow/cron.ts'
import { versionOf } from '../src/flow/version-order.ts'
import type { Store } from '../src/store/store.ts'
import { Draw } from './draw.ts'
import type { MakeGround } from './ground.ts'
import type { Sometimes, Violation } from './invariants.ts'
import { memoryGround } from './memory-ground.ts'
import { tagOf } from './model/handlers.ts'
import { Watch } from './model/watch.ts'
import { Model } from './model.ts'
import { SimulatedNode } from './node.ts'
import { NodeClock } from './node-clock.ts'
import { Operator } from './operator.ts'
import { OutsideService } from './outside.ts'
import type { Fault, Plan } from './plan.ts'
import { Schedule } from './schedule.ts'
import { Senders } from './senders.ts'

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

/** How a plan is lived through. */
export interface SimulateOptions {
  /** Keeps what happens, for a story. */
  readonly tells?: boolean
  /** What the nodes stand on. Default: the memory store. */
  readonly ground?: MakeGround
}

/**
 * Lives a plan through: first everything may break and nothing may go wrong; then nothing breaks any more and everything
 * must end. The same plan is the same run.
 */
export async function simulate(plan: Plan, options: SimulateOptions = {}): Promise<Outcome> {
  const schedule = new Schedule()
  const carrier = new NodeClock(schedule)
  const watch = new Watch({
    nowMs: () => schedule.nowMs,
    storeNow: () => carrier.now(),
    clocksAgree: plan.nodes.every((node) => node.rate === 1),
    tells: options.tells ?? false,
  })
  const isDown = () =>
    plan.dependency?.outages.some(({ atMs, ms }) => schedule.nowMs >= atMs && schedule.nowMs < atMs + ms) ?? false
  const model = new Model(watch, plan)
  const outside = new OutsideService(carrier, new Draw(plan.seed, 'outside'), model.limits, isDown)
  const ground = await (options.ground ?? memoryGround)({ plan, schedule, carrier, model })
  const surroundings = { plan, schedule, model, outside, ground }
  const nodes = plan.nodes.map((node, index) => new SimulatedNode(index, node, surroundings))
  const senders = new Senders(schedule, model, nodes)
  const operator = new Operator(schedule, model, nodes, senders, plan)
  let [healedAt, stopsAt] = [0, 0]
  const unheard = (error: unknown) =>
    watch.violate('engine.error', error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  process.on('unhandledRejection', unheard)
  // It is loaded when it is first needed, which takes time that is not virtual.
  if (plan.schedules) await openCron({ cron: '* * * * *', timezone: 'UTC' })
  try {
    for (const [index, node] of plan.nodes.entries()) schedule.at(node.startsAtMs, () => nodes[index]?.start())
    for (const [index, send] of plan.sends.entries()) schedule.at(send.atMs, () => senders.send(index, send))
    for (const act of plan.acts) schedule.at(act.atMs, () => operator.act(act))
    for (const fault of plan.faults) schedule.at(fault.atMs, () => strike(fault))
    await schedule.until(plan.healsAtMs)
    await converge()
  } finally {
    process.off('unhandledRejection', unheard)
    // One that is just starting, or is to start, would hold what it stands on.
    for (const node of nodes) node.end()
    await ground.close()
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
    ground.strike(fault)
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
    healedAt = carrier.now()
    ground.heal()
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
    if (plan.schedules) {
      // What ticks would go on while it is looked at.
      await schedule.until(schedule.nowMs + 2 * plan.leaseMs + 8_000)
      await stopAll()
      await compareTicks(await ground.look())
    }
    await compareStore(await ground.look())
    if (!plan.schedules) await stopAll()
  }

  async function stopAll(): Promise<void> {
    stopsAt = carrier.now()
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

  async function compareTicks(store: Store): Promise<void> {
    const { handlers } = await ground.read(store.registry())
    const until = stopsAt - 3_000
    const calmSince = healedAt + 2 * plan.leaseMs + 3_000
    for (const one of plan.schedules ?? []) {
      const since = handlers.find(({ tag }) => tag === tagOf(one.name))?.firstSeenAt
      if (since !== undefined) model.ticks.compare(one, { since, until, calmSince })
    }
  }

  async function compareStore(store: Store): Promise<void> {
    const { superseded } = model.runs
    for (const scope of superseded.scopes) {
      const kept = await ground.read(store.newestVersion(scope))
      superseded.compare(scope, kept === undefined ? undefined : versionOf(kept))
    }
    for (const event of model.ledger.events.values()) {
      const kept = await ground.read(store.event(event.key))
      if (!kept)
        watch.violate(event.emittedBy === undefined ? 'G1.receipt' : 'G4.emit', `${event.key} is not in the store`)
    }
    for (const run of model.runs.all) {
      if (run.settlements === 0) continue
      const { event, tag } = parseRunId(run.id)
      const record = await ground.read(store.run(event, tag))
      const history = await ground.read(store.history(event))
      const settled = history.filter((entry) => entry.kind === 'settled' && entry.tag === tag)
      model.compare(run.id, record, settled.length)
    }
  }
}
