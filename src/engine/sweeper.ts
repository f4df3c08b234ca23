import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { Store } from '../store/store.ts'
import type { Alerts } from './alerts.ts'
import { MaintenanceWatch } from './maintenance-watch.ts'

/**
 * How long things are kept, from the acceptance of their event; separate policies, on by default. An event with a run that
 * is unfinished, unknown or dead stays whole, however old.
 */
export interface Retention {
  /** Bodies of events whose runs are completed or cancelled. Default `'30d'`. */
  readonly payloads?: Duration
  /** Those events with all their records. Default `'90d'`. */
  readonly journal?: Duration
  /** Identities: as long as one is kept, its event is never accepted again. Default `'90d'`. */
  readonly identities?: Duration
}

/** How often the sweep looks. */
const sweepEveryMs = 60_000

/** Drops what retention allows, in small steps. A sweep that fails says so: retention that silently does nothing fills disks. */
export class Sweeper {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #retention: { payloads: number; journal: number; identities: number }
  readonly #now: () => Promise<Instant>
  readonly #before: () => Promise<void>
  readonly #watch: MaintenanceWatch
  #timer: Timer | undefined
  #stopped = false

  /** @param before what must be done before anything may be dropped */
  constructor(
    store: Store,
    clock: Clock,
    log: Log,
    alerts: Alerts,
    retention: Retention,
    now: () => Promise<Instant>,
    before: () => Promise<void>,
  ) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#now = now
    this.#before = before
    this.#watch = new MaintenanceWatch({ clock, log, store, alerts })
    this.#retention = {
      payloads: toMs(retention.payloads ?? limits.payloadRetentionMs),
      journal: toMs(retention.journal ?? limits.journalRetentionMs),
      identities: toMs(retention.identities ?? limits.identityRetentionMs),
    }
  }

  start(): void {
    this.#watch.start()
    this.#timer = this.#clock.setTimer(sweepEveryMs, () => void this.#sweep(), { unref: true })
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#watch.stop()
  }

  async #sweep(): Promise<void> {
    let nextMs = sweepEveryMs
    try {
      await this.#before()
      const now = await this.#now()
      const kept = {
        payloadsBefore: now - this.#retention.payloads,
        journalBefore: now - this.#retention.journal,
        identitiesBefore: now - this.#retention.identities,
      }
      const dropped = await this.#store.purge({ ...kept, rows: limits.sweepRows })
      this.#watch.swept(kept)
      const { payloads, events, identities, more = false } = dropped
      const most = Math.max(payloads, events, identities)
      if (most > 0) this.#log.debug('swept', { ...dropped })
      // A full step means that there is more: the next follows soon, after others had their turn.
      if (more || most >= limits.sweepRows) nextMs = 100
    } catch (error) {
      this.#watch.failed(error)
      this.#log.error('the retention sweep failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      if (!this.#stopped) this.#timer = this.#clock.setTimer(nextMs, () => void this.#sweep(), { unref: true })
    }
  }
}
