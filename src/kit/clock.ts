/** Milliseconds since the Unix epoch. */
export type Instant = number

/** A timer that was set; `cancel` is safe to call twice. */
export interface Timer {
  cancel(): void
}

/**
 * The only place that touches Date, timers and the monotonic clock. The engine is handed one, so that it runs unchanged
 * on virtual time.
 */
export interface Clock {
  /** Wall time; may jump. For records and schedules, never for leases. */
  now(): Instant
  /** Time that never jumps back, counted from the machine's boot where the system gives that. For leases and durations. */
  monotonicMs(): number
  /** Calls `fire` once after `delayMs`; does not keep the process alive by itself when `unref` is set. */
  setTimer(delayMs: number, fire: () => void, options?: { unref?: boolean }): Timer
  /** Resolves once the event loop has turned: what is queued now goes first. */
  turn(fire: () => void): void
  /** Calls `fire` once all that is woken now has run to its end, before the event loop turns. */
  rest(fire: () => void): void
}

/** Node counts no further in one timer; a longer wait is re-armed. */
const timerMaxMs = 2_147_483_647

/**
 * Both count by the system's monotonic clock, `performance.now()` from this thread's start and without a bigint, which
 * leaves the garbage collector nothing.
 */
const bootedMs = Number(process.hrtime.bigint() / 1_000n) / 1_000 - performance.now()

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => bootedMs + performance.now(),
  setTimer: (delayMs, fire, options) => new SystemTimer(Math.max(0, delayMs), fire, options?.unref === true),
  turn: (fire) => {
    setImmediate(fire)
  },
  rest: (fire) => process.nextTick(fire),
}

/** One for each attempt, and each call of a step: without a closure of its own. */
class SystemTimer implements Timer {
  #handle: NodeJS.Timeout

  constructor(delayMs: number, fire: () => void, unref: boolean) {
    this.#handle = delayMs > timerMaxMs ? this.#later(delayMs, fire, unref) : setTimeout(fire, delayMs)
    if (unref) this.#handle.unref()
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #later(delayMs: number, fire: () => void, unref: boolean): NodeJS.Timeout {
    const arm = (leftMs: number) => {
      this.#handle = leftMs > timerMaxMs ? setTimeout(arm, timerMaxMs, leftMs - timerMaxMs) : setTimeout(fire, leftMs)
      if (unref) this.#handle.unref()
    }
    return setTimeout(arm, timerMaxMs, delayMs - timerMaxMs)
  }
}

/** A promise that resolves after `delayMs`, on the given clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve)
  })
}

/**
 * Does the work again and again, each time so long after the time before has ended; does not keep the process alive by itself.
 *
 * @param failed told why one did; the next comes all the same
 */
export function repeat(
  clock: Clock,
  pauseMs: number,
  work: () => Promise<unknown>,
  failed: (error: unknown) => void,
): Timer {
  let isCancelled = false
  let timer: Timer
  const arm = () => {
    timer = clock.setTimer(
      pauseMs,
      () => {
        work()
          .catch(failed)
          .finally(() => {
            if (!isCancelled) arm()
          })
      },
      { unref: true },
    )
  }
  arm()
  return {
    cancel: () => {
      isCancelled = true
      timer.cancel()
    },
  }
}

/**
 * What the promise comes to within so many milliseconds; after that it fails with what `late` answers. One promise and one timer,
 * where `Promise.race` makes five promises: this is on the way of every call.
 */
export function within<Value>(
  clock: Clock,
  promise: Promise<Value>,
  withinMs: number,
  late: () => Error,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(withinMs, () => reject(late()))
    promise.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}

/** Resolves when the promise has settled, however, or after so many milliseconds; says whether it has. */
export async function settledWithin(clock: Clock, promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = clock.setTimer(withinMs, () => resolve(false))
  })
  const yes = () => true
  const settled = await Promise.race([promise.then(yes, yes), late])
  timer?.cancel()
  return settled
}
