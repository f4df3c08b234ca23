import { AsyncLocalStorage } from 'node:async_hooks'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock, Timer } from '../kit/clock.ts'
import { attemptEnded } from './run-context.ts'

/** How many are done together, and for how long the first of them waits for others. */
export interface GathererOptions {
  readonly size: number
  readonly withinMs: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly signal: AbortSignal
  readonly mayGo: () => boolean
  resolve(result: Result): void
  reject(error: unknown): void
  /** Calls as the code that waits. */
  readonly within: <Value>(body: () => Value) => Value
}

/**
 * Gathers items that come one by one into calls of many: as soon as there are enough, or the first has waited long enough. Whoever
 * gives up before that is left out; the call goes on as long as one of those in it does.
 */
export class Gatherer<Item, Result> {
  readonly #clock: Clock
  readonly #options: GathererOptions
  readonly #execute: (items: readonly Item[], signal: AbortSignal) => unknown
  #waiting: Waiting<Item, Result>[] = []
  #timer: Timer | undefined

  /** @param execute answers a result for each item, in their order; an Error there is that item's alone; nothing: undefined for each */
  constructor(
    clock: Clock,
    options: GathererOptions,
    execute: (items: readonly Item[], signal: AbortSignal) => unknown,
  ) {
    this.#clock = clock
    this.#options = options
    this.#execute = execute
  }

  /**
   * Resolves to the result of this item.
   *
   * @param mayGo asked when the call is made: a process that stood still has heard of nothing else
   * @throws what the call throws; `NotSent` where it may not go any more; `batch_invalid` where it answers not one result for each
   */
  add(item: Item, signal: AbortSignal, mayGo: () => boolean): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, signal, mayGo, resolve, reject, within: AsyncLocalStorage.snapshot() })
      const { size, withinMs } = this.#options
      // Who may still go is asked where there are enough of them, not at each that comes.
      if (this.#waiting.length >= size && this.#waiting.filter(isLive).length >= size) this.#flush()
      else this.#timer ??= this.#clock.setTimer(withinMs, () => this.#flush())
    })
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    const live: Waiting<Item, Result>[] = []
    for (const one of waiting) {
      if (one.signal.aborted) one.reject(one.signal.reason)
      else if (one.mayGo()) live.push(one)
      else one.reject(attemptEnded())
    }
    const [first] = live
    if (first) void first.within(() => this.#call(live))
  }

  async #call(live: readonly Waiting<Item, Result>[]): Promise<void> {
    const controller = new AbortController()
    const left = () => {
      if (live.every(({ signal }) => signal.aborted)) controller.abort()
    }
    for (const { signal } of live) signal.addEventListener('abort', left)
    try {
      const answer = await this.#execute(
        live.map(({ item }) => item),
        controller.signal,
      )
      const results = resultsOf<Result>(answer, live.length)
      for (const [index, { resolve, reject }] of live.entries()) {
        const result = results[index]
        if (result instanceof Error) reject(result)
        // There is one for each: the type is that of what the caller's function answers.
        else resolve(result as Result)
      }
    } catch (error) {
      for (const { reject } of live) reject(error)
    } finally {
      for (const { signal } of live) signal.removeEventListener('abort', left)
    }
  }
}

function isLive({ signal, mayGo }: { readonly signal: AbortSignal; readonly mayGo: () => boolean }): boolean {
  return !signal.aborted && mayGo()
}

function resultsOf<Result>(answer: unknown, count: number): readonly (Result | Error | undefined)[] {
  if (answer === undefined) return []
  if (Array.isArray(answer) && answer.length === count) return answer
  const found = Array.isArray(answer) ? `${answer.length} results` : `a ${typeof answer}`
  throw new HapaxError('batch_invalid', { wanted: count, found })
}
