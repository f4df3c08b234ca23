import type { InterveneAnswer, InterveneItem } from '../../src/store/store.ts'
import type { RunFacts } from './run-facts.ts'
import type { Watch } from './watch.ts'

interface Signal {
  readonly key: string
  readonly name: string
  readonly position: number
  /** It came before its run waited. */
  readonly isEarly: boolean
}

/** Signals in the order of their commits, and which waits took them. */
export class Signals {
  readonly #watch: Watch
  readonly #byRun = new Map<string, Signal[]>()
  readonly #taken = new Set<string>()
  readonly #refused = new Set<string>()

  constructor(watch: Watch) {
    this.#watch = watch
  }

  written(run: RunFacts, item: InterveneItem, answer: Extract<InterveneAnswer, { outcome: 'written' }>): void {
    const signals = this.#byRun.get(run.id) ?? []
    this.#byRun.set(run.id, signals)
    if (signals.some((signal) => signal.key === item.key)) return
    const isEarly = run.state?.status !== 'waiting'
    signals.push({ key: item.key, name: item.name ?? '', position: answer.position, isEarly })
  }

  taken(run: RunFacts, generation: number, name: string, key: string): void {
    const signals = this.#byRun.get(run.id) ?? []
    const signal = signals.find((one) => one.key === key)
    const at = `${run.id}/${generation}/`
    if (signal?.isEarly) this.#watch.reach('early signal taken')
    if (!signal) this.#watch.violate('G5.signal', `${run.name} took a signal that nobody sent`)
    if (this.#refused.has(key)) this.#watch.violate('G5.signal', `${run.name} took a signal that had been refused`)
    if (this.#taken.has(at + key)) this.#watch.violate('G5.signal', `${run.name} took one signal twice`)
    const earlier = signals.find(
      (one) => one.name === name && one.position < (signal?.position ?? 0) && this.#isFree(at, one.key),
    )
    if (earlier) this.#watch.violate('G5.signal', `${run.name} took a signal before an earlier one`)
    this.#taken.add(at + key)
  }

  /** It came when its run had ended: no later generation may take it. */
  refused(key: string): void {
    this.#refused.add(key)
  }

  /** A generation began with the wait that took it. */
  carried(run: RunFacts, generation: number, key: string): void {
    this.#taken.add(`${run.id}/${generation}/${key}`)
  }

  /** Whether a signal of this name is there that no wait of the generation took. */
  hasFor(run: RunFacts, generation: number, name: string): boolean {
    const at = `${run.id}/${generation}/`
    return (this.#byRun.get(run.id) ?? []).some((one) => one.name === name && this.#isFree(at, one.key))
  }

  #isFree(at: string, key: string): boolean {
    return !this.#taken.has(at + key) && !this.#refused.has(key)
  }
}
