import { createEngine } from '../src/engine/engine.ts'
import type { Engine } from '../src/engine/engine-options.ts'
import type { SourceTraits } from '../src/engine/source-traits.ts'
import { silentLog } from '../src/kit/log.ts'
import { seededRandom } from '../src/kit/random.ts'
import { codeOf, schedulesOf } from './code.ts'
import { Draw } from './draw.ts'
import type { Ground, NodeWire } from './ground.ts'
import type { Model } from './model.ts'
import { NodeClock } from './node-clock.ts'
import type { OutsideService } from './outside.ts'
import type { NodePlan, Plan, Version } from './plan.ts'
import type { Life, Schedule } from './schedule.ts'

const shop: SourceTraits = {
  name: 'shop',
  tenant: 'acme',
  fingerprintWithout: [],
  identity: undefined,
  replayWindowMs: 0,
  orderKey: undefined,
}

/** What a node needs of its world. */
export interface Surroundings {
  readonly plan: Plan
  readonly schedule: Schedule
  readonly model: Model
  readonly outside: OutsideService
  readonly ground: Ground
}

/** A machine: it starts, dies, and starts again with whichever code is deployed. */
export class SimulatedNode {
  readonly index: number
  readonly wire: NodeWire
  version: Version = 'first'
  /** The engine that takes calls; undefined while there is none. */
  engine: Engine | undefined
  readonly #world: Surroundings
  readonly #plan: NodePlan
  #starts = 0
  #jumpedMs = 0
  #isOver = false
  #life: Life = { alive: false, stillUntilMs: 0 }
  #clock: NodeClock | undefined

  constructor(index: number, plan: NodePlan, world: Surroundings) {
    this.index = index
    this.#plan = plan
    this.#world = world
    this.wire = world.ground.wire(index, {
      die: () => this.kill('for the commit that it sent'),
      stall: (ms) => this.stall(ms),
    })
  }

  /** One start of it. */
  get name(): string {
    return `node${this.index}.${this.#starts}`
  }

  get isAlive(): boolean {
    return this.#life.alive
  }

  start(): void {
    if (this.#life.alive || this.#isOver) return
    this.#starts++
    const life = { alive: true, stillUntilMs: 0 }
    this.#life = life
    const turns = new Draw(this.#world.plan.seed, `turns of ${this.name}`)
    const turnMs = () => (turns.chance(0.8) ? 0 : turns.random.fraction() * this.#world.plan.turnMs)
    const clock = new NodeClock(this.#world.schedule, life, this.#plan.rate, turnMs)
    clock.jump(this.#jumpedMs)
    this.#clock = clock
    this.#world.model.watch.tell(this.name, `starts, code ${this.version}`)
    const boot = () => this.#boot(life, clock)
    const { beside } = this.#world.schedule
    const booted = beside ? beside.within(life, boot) : boot()
    booted.catch(() => {
      // A process that cannot start ends, and its supervisor starts another.
      if (!life.alive) return
      life.alive = false
      this.wire.gone(life)
      this.#world.schedule.at(this.#world.schedule.nowMs + 300, () => this.start())
    })
  }

  async #boot(life: Life, clock: NodeClock): Promise<void> {
    const { plan, model, outside } = this.#world
    const opened = this.wire.open(this.name, clock, life)
    const store = opened instanceof Promise ? await opened : opened
    const site = { node: this.name, clock, outside, model }
    const engine = await createEngine({
      store,
      clock,
      random: seededRandom(plan.seed * 64 + lifeOf(this.index, this.#starts)),
      log: silentLog,
      handlers: this.#plan.door ? [] : codeOf(site, this.version, plan),
      schedules: this.#plan.door ? [] : schedulesOf(site, this.version, plan),
      sources: [
        shop,
        ...(plan.rates ? [{ ...shop, name: 'till', rate: plan.rates.ofSource }] : []),
        ...(plan.turns ? [{ ...shop, name: 'desk' }] : []),
      ],
      group: 'pay',
      concurrency: plan.concurrency,
      bounds: plan.bounds,
      lease: plan.leaseMs,
      beat: plan.beatMs,
      grace: plan.graceMs,
    })
    if (!this.#plan.door) await engine.start()
    if (life.alive) this.engine = engine
  }

  /** Its process is gone: nothing that it had planned comes. */
  kill(why: string): void {
    if (!this.#life.alive) return
    this.#world.model.watch.tell(this.name, `dies ${why}`)
    this.#life.alive = false
    this.engine = undefined
    this.wire.gone(this.#life)
    this.#world.model.nodeDied(this.name)
  }

  /** Its world is over: it does not start again. */
  end(): void {
    this.#isOver = true
    this.kill('with its world')
  }

  /** Its event loop stands still. */
  stall(ms: number): void {
    const { schedule, model, plan } = this.#world
    model.watch.tell(this.name, `stands still for ${ms} ms`)
    this.#life.stillUntilMs = Math.max(this.#life.stillUntilMs, schedule.nowMs + ms)
    if (ms <= plan.leaseMs) return
    model.watch.reach('stalled past its lease')
    if (model.runs.activeOn(this.name) > 0) model.watch.reach('zombie woke with runs')
  }

  jump(ms: number): void {
    this.#jumpedMs += ms
    this.#clock?.jump(ms)
    this.#world.model.watch.tell(this.name, `its wall clock jumps by ${ms} ms`)
  }

  /** Until when it stands still. */
  get stillUntilMs(): number {
    return this.#life.stillUntilMs
  }

  /**
   * SIGTERM, and SIGKILL where that does not end it. Resolves when the process is gone, with how long its stop took, or
   * undefined where it was killed.
   */
  stop(patienceMs: number): Promise<number | undefined> {
    const { schedule, model } = this.#world
    const { engine, name } = this
    const life = this.#life
    this.engine = undefined
    if (!engine || !life.alive) return Promise.resolve(undefined)
    model.watch.tell(name, 'is told to stop')
    const begunAtMs = schedule.nowMs
    return new Promise((resolve) => {
      const ended = (tookMs: number | undefined) => {
        if (life.alive) model.nodeDied(name)
        life.alive = false
        this.wire.gone(life)
        resolve(tookMs)
      }
      const timer = schedule.at(begunAtMs + patienceMs, () => ended(undefined))
      engine.stop().then(
        () => {
          timer.cancel()
          model.watch.tell(name, 'has stopped')
          model.runs.nodeStopped(name)
          // Its process lives on for a moment, so that what should not begin any more would be seen.
          schedule.at(schedule.nowMs + 50, () => ended(schedule.nowMs - begunAtMs))
        },
        () => ended(undefined),
      )
    })
  }
}

/**
 * A number of its own for each life of a node. From the 17th on it is far from all others: two nodes with one had one name, and
 * robbed each other (seed 30006186).
 */
function lifeOf(index: number, starts: number): number {
  return index * 16 + (starts % 16) + Math.floor(starts / 16) * 0x51ed270b
}
