import type { RunState } from '../event/run.ts'
import type { Clock } from '../kit/clock.ts'

/** A look at one run, from {@link RunNews.watch} until `close`. */
export interface RunWatch {
  /**
   * Resolves when something happened to the run here since the last call, or after so many milliseconds: to the state
   * that it was settled in, where that is what happened.
   */
  next(withinMs: number): Promise<RunState | undefined>
  close(): void
}

/**
 * Tells who waits in this process that a run was settled here, or a verb on it answered: they read the store at once,
 * where they would look only now and then for what another process does.
 */
export class RunNews {
  readonly #clock: Clock
  readonly #watches = new Map<string, Set<(state: RunState | undefined) => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Begin to watch before reading: what happens between the two is not missed. */
  watch(run: string): RunWatch {
    let isNews = false
    let state: RunState | undefined
    let wake: (() => void) | undefined
    const tell = (settled: RunState | undefined) => {
      isNews = true
      state = settled ?? state
      wake?.()
    }
    const watches = this.#watches.get(run) ?? new Set()
    this.#watches.set(run, watches.add(tell))
    return {
      next: async (withinMs) => {
        if (!isNews) {
          await new Promise<void>((resolve) => {
            const timer = this.#clock.setTimer(withinMs, resolve)
            wake = () => {
              timer.cancel()
              resolve()
            }
          })
        }
        const told = state
        wake = undefined
        isNews = false
        state = undefined
        return told
      },
      close: () => {
        watches.delete(tell)
        if (watches.size === 0 && this.#watches.get(run) === watches) this.#watches.delete(run)
      },
    }
  }

  /** @param state what the run was settled in; absent for a verb that was answered. */
  tell(run: string, state?: RunState): void {
    for (const tell of this.#watches.get(run) ?? []) tell(state)
  }
}
