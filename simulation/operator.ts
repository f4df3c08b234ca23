import type { Engine } from '../src/engine/engine-options.ts'
import type { Model } from './model.ts'
import type { SimulatedNode } from './node.ts'
import type { Act, Plan } from './plan.ts'
import type { Schedule } from './schedule.ts'
import type { Senders } from './senders.ts'

const intent = { reason: 'simulated', actor: 'operator' }

/** People who act in the middle of it all. */
export class Operator {
  readonly #schedule: Schedule
  readonly #model: Model
  readonly #nodes: readonly SimulatedNode[]
  readonly #senders: Senders
  readonly #graceMs: number
  readonly #isFaultless: boolean
  readonly #paused = new Map<string, { readonly what: 'handler' | 'source'; readonly name: string }>()
  #pending = 0
  #healed = false
  #isOpened = false

  constructor(schedule: Schedule, model: Model, nodes: readonly SimulatedNode[], senders: Senders, plan: Plan) {
    this.#schedule = schedule
    this.#model = model
    this.#nodes = nodes
    this.#senders = senders
    this.#graceMs = plan.graceMs
    this.#isFaultless = plan.faults.length === 0
  }

  /** Whether nothing is under way that keeps the world from its end. */
  get isDone(): boolean {
    return this.#pending === 0
  }

  act(act: Act, tries = 0): void {
    if (act.kind === 'deploy') {
      this.#deploy(act)
      return
    }
    const engine = this.#senders.engineFrom(act.node)
    const run = 'send' in act ? this.#senders.receipts.get(act.send)?.runs[0]?.id : undefined
    if (!engine || ('send' in act && run === undefined)) {
      if (tries < 6) this.#schedule.at(this.#schedule.nowMs + 250, () => this.act(act, tries + 1))
      return
    }
    this.#model.watch.tell('operator', `${act.kind} ${'send' in act ? this.#model.runs.byId(run ?? '').name : ''}`)
    this.#ask(engine, act, run ?? '', tries).catch(() => {
      // No answer, or no: what was committed of it, the model hears from the store.
    })
  }

  async #ask(engine: Engine, act: Exclude<Act, { kind: 'deploy' }>, run: string, tries: number): Promise<unknown> {
    switch (act.kind) {
      case 'cancel':
        return engine.runs.cancel(run, { ...intent, ...(act.undo === undefined ? {} : { undo: act.undo }) })
      case 'retry':
        return engine.runs.retry(run, intent)
      case 'replay': {
        const { fromStep, newKeys } = act
        return engine.runs.replay(run, { ...intent, newKeys, ...(fromStep === undefined ? {} : { fromStep }) })
      }
      case 'resolve': {
        const view = await engine.runs.get(run)
        // A person decides what is unknown: until it is, he looks again.
        if (view.status !== 'unknown' && tries < 20) {
          this.#schedule.at(this.#schedule.nowMs + 500, () => this.act(act, tries + 1))
          return undefined
        }
        const [step = '', of = ''] = (view.state?.error?.step ?? '').split('/')
        const decision =
          act.how === 'result'
            ? ({ result: 'by hand' } as const)
            : act.how === 'repeat'
              ? ({ repeat: true } as const)
              : ({ fail: true } as const)
        return engine.runs.resolve(run, { ...intent, step, of, ...decision })
      }
      case 'signal':
        return engine.runs.signal(run, act.name, { go: true }, act.id === undefined ? {} : { id: act.id })
      case 'redrive':
        return engine.runs.redrive({ perSecond: 10 }, intent)
      case 'open':
        this.#isOpened = true
        return engine.controls.open('bank', intent)
      case 'close':
        return engine.controls.close('bank', intent)
      case 'pause':
        this.#paused.set(act.name, act)
        return engine.controls.pause(act.what, act.name, intent)
      case 'resume':
        return engine.controls.resume(act.what, act.name, intent)
    }
  }

  /** Stops the node gracefully and starts other code on it. */
  #deploy({ node: index, version }: Extract<Act, { kind: 'deploy' }>): void {
    const node = this.#nodes[index]
    if (!node) return
    this.#pending++
    const isCalm = this.#isFaultless || this.#healed
    const begin = () => {
      // What was still stopping when the world healed gets the last code, too.
      node.version = this.#healed && version === 'without_audit' ? 'first' : version
      node.start()
      this.#pending--
    }
    if (!node.engine) {
      begin()
      return
    }
    void node.stop(this.#graceMs + 15_000).then((took) => {
      const { watch } = this.#model
      if (took !== undefined) watch.reach('deployed')
      // Where nothing breaks, what a node waits for is its own runs, and no longer than its grace.
      if ((took ?? Number.POSITIVE_INFINITY) > this.#graceMs + 3_000 && isCalm)
        watch.violate('G10.stop', `node ${index} took ${took} ms to stop, its grace is ${this.#graceMs} ms`)
      begin()
    })
  }

  /** Everything that was paused goes on, and the last deploy brings every handler. */
  heal(): void {
    this.#healed = true
    const undo = [...this.#paused.values()].map(
      ({ what, name }) =>
        (engine: Engine) =>
          engine.controls.resume(what, name, intent),
    )
    const close = (engine: Engine) => engine.controls.close('bank', intent)
    for (const ask of this.#isOpened ? [...undo, close] : undo) {
      this.#repeat(ask)
      // What was done on its way when the world healed may come after that.
      this.#schedule.at(this.#schedule.nowMs + 3_000, () => this.#repeat(ask))
    }
    for (const [index, node] of this.#nodes.entries()) {
      if (node.version === 'without_audit') this.#whenUp(index)
    }
  }

  #whenUp(index: number): void {
    const node = this.#nodes[index]
    if (node?.engine) this.#deploy({ kind: 'deploy', atMs: 0, node: index, version: 'first' })
    else this.#schedule.at(this.#schedule.nowMs + 300, () => this.#whenUp(index))
  }

  #repeat(ask: (engine: Engine) => Promise<unknown>): void {
    let isDone = false
    const engine = this.#senders.engineFrom(0)
    if (engine) {
      ask(engine).then(
        () => {
          isDone = true
        },
        () => {},
      )
    }
    // No node takes calls, or the one that was asked has gone: asked again until one has answered.
    this.#schedule.at(this.#schedule.nowMs + 2_000, () => {
      if (!isDone) this.#repeat(ask)
    })
  }
}
