import type { EventKey } from '../event/event-key.ts'
import type { Clock, Timer } from '../kit/clock.ts'
import type { InterventionRecord, RunRecord } from '../store/store.ts'

/** A signal that was refused (the run had ended) is none for a later generation either. */
export function isDeliverable({ verb, answer }: InterventionRecord): boolean {
  return verb === 'signal' && answer?.outcome !== 'refused'
}

/** The signals of one attempt: those on record, those that come while it runs, and which of them a wait took. */
export class AttemptSignals {
  readonly #clock: Clock
  readonly #signals: InterventionRecord[]
  readonly #taken: Set<EventKey>
  #wake: (() => void)[] = []

  constructor(clock: Clock, record: RunRecord) {
    this.#clock = clock
    this.#signals = record.interventions.filter(isDeliverable)
    this.#taken = new Set(record.checkpoints.flatMap((checkpoint) => checkpoint.signal ?? []))
  }

  /** One that came while the attempt runs. */
  deliver(signal: InterventionRecord): void {
    this.#signals.push(signal)
    for (const resolve of this.#wake.splice(0)) resolve()
  }

  /** The first of this name that no wait took; it counts as taken from now on. */
  take(name: string): InterventionRecord | undefined {
    const signal = this.#signals.find((one) => one.name === name && !this.#taken.has(one.key))
    if (signal) this.#taken.add(signal.key)
    return signal
  }

  /** Whether one of these names is there, and no wait took it. */
  hasAny(names: readonly string[]): boolean {
    return this.#signals.some(({ name, key }) => name !== undefined && names.includes(name) && !this.#taken.has(key))
  }

  /** Waits in memory, keeping the slot, until the time is up or a signal comes. */
  shortWait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.setTimer(delayMs, resolve)
      this.#wake.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
