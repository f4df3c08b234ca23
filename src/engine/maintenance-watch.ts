import { HapaxError } from '../errors/hapax-error.ts'
import { type Clock, repeat, type Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { PurgeRequest, Store } from '../store/store.ts'
import type { Alerts } from './alerts.ts'
import { plainWord } from './plain-word.ts'

/** What watching maintenance needs of the node. */
export interface MaintenanceWatchHost {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<Store, 'diagnose'>
  readonly alerts: Pick<Alerts, 'raise'>
}

/** What a store says of what its own maintenance has left undone. */
const undone = ['retention', 'ranges', 'ledger']
const subject = 'retention'

/**
 * Tells people when sweeps fail again and again, when one hangs, and when they end and leave what they should have
 * dropped.
 */
export class MaintenanceWatch {
  readonly #host: MaintenanceWatchHost
  #timer: Timer | undefined
  #endedAtMs: number
  #failures = 0
  #kept: Omit<PurgeRequest, 'rows'> | undefined

  constructor(host: MaintenanceWatchHost) {
    this.#host = host
    this.#endedAtMs = host.clock.monotonicMs()
  }

  start(): void {
    const { clock, log } = this.#host
    this.#endedAtMs = clock.monotonicMs()
    this.#timer = repeat(
      clock,
      limits.maintenanceLookMs,
      () => this.#look(),
      (error) => {
        const text = error instanceof Error ? error.message : String(error)
        log.warn('looking whether maintenance works failed', { error: text })
      },
    )
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** A sweep dropped what it found. */
  swept(kept: Omit<PurgeRequest, 'rows'>): void {
    this.#endedAtMs = this.#host.clock.monotonicMs()
    this.#failures = 0
    this.#kept = kept
  }

  /** A sweep failed. */
  failed(error: unknown): void {
    this.#endedAtMs = this.#host.clock.monotonicMs()
    this.#failures++
    if (this.#failures < limits.maintenanceFailures) return
    const code = error instanceof HapaxError ? error.code : plainWord(error instanceof Error ? error.name : 'Error')
    this.#host.alerts.raise({
      kind: 'maintenance_failed',
      subject,
      message: `Retention failed ${this.#failures} times in a row (${code}): nothing is dropped, and the disk fills.`,
      details: { failures: this.#failures, code },
      lasting: true,
    })
  }

  async #look(): Promise<void> {
    const { clock, store, alerts } = this.#host
    const sinceMs = clock.monotonicMs() - this.#endedAtMs
    if (sinceMs >= limits.maintenanceIdleMs) {
      const minutes = Math.floor(sinceMs / 60_000)
      const message = `Retention has not come to an end for ${minutes} minutes: nothing is dropped, and the disk fills.`
      return alerts.raise({ kind: 'maintenance_idle', subject, message, details: { minutes }, lasting: true })
    }
    if (!store.diagnose || !this.#kept || this.#failures > 0) return
    for (const { about, state, found } of await store.diagnose(this.#kept)) {
      if (state === 'ok' || !undone.includes(about)) continue
      const message = `Retention does nothing: ${found}. See hapax doctor.`
      alerts.raise({ kind: 'maintenance_idle', subject: about, message, details: { about }, lasting: true })
    }
  }
}
