import type { Alert, AlertChannel, Occurrence } from '../event/alert.ts'
import type { Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { AlertDelivery, type AlertDeliveryHost } from './alert-delivery.ts'

/** What alerts need of the node. */
export interface AlertsHost extends AlertDeliveryHost {
  readonly group: string
  /** The group's name, a dash and what no other node has. */
  readonly node: string
  readonly channels: readonly AlertChannel[]
}

/** Of one kind and subject, from its alert on. */
interface Gathering {
  readonly timer: Timer
  more: number
  latest: Occurrence
  latestAt: number
}

/** The subject of what is beyond {@link limits.alertSubjects}. */
const others = 'others'

/**
 * Tells people. The first occurrence of a kind and subject is told at once; what follows within the window is gathered
 * into one alert at its end, and so on for as long as it goes on. Of a state that lasts the window is an hour.
 */
export class Alerts {
  readonly #host: AlertsHost
  readonly #deliveries: readonly AlertDelivery[]
  readonly #gatherings = new Map<string, Gathering>()
  #isStopped = false
  #told = 0

  constructor(host: AlertsHost) {
    this.#host = host
    this.#deliveries = host.channels.map((channel) => new AlertDelivery(host, channel))
  }

  /** Takes note of what happened, if anything did. Never throws, and waits for nothing. */
  raise(occurrence: Occurrence | undefined): void {
    if (!occurrence || this.#isStopped || this.#deliveries.length === 0) return
    const name = nameOf(occurrence)
    const gathering = this.#gatherings.get(name)
    if (gathering) {
      gathering.more++
      gathering.latest = occurrence
      gathering.latestAt = this.#host.clock.now()
    } else if (this.#gatherings.size >= limits.alertSubjects && occurrence.subject !== others) {
      this.raise({ ...occurrence, subject: others })
    } else {
      this.#tell(occurrence, 1, this.#host.clock.now())
      this.#gather(name, occurrence)
    }
  }

  /** Delivers what is gathered and queued within the bound; what is left is logged. Nothing is raised any more. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopped = true
    for (const { timer, more, latest, latestAt } of this.#gatherings.values()) {
      timer.cancel()
      if (more > 0 && !latest.lasting) this.#tell(latest, more, latestAt)
    }
    this.#gatherings.clear()
    await Promise.all(this.#deliveries.map((delivery) => delivery.stop(withinMs)))
  }

  #gather(name: string, latest: Occurrence): void {
    const windowMs = latest.lasting ? limits.alertLastingMs : limits.alertWindowMs
    const timer = this.#host.clock.setTimer(windowMs, () => this.#windowEnds(name), { unref: true })
    this.#gatherings.set(name, { timer, more: 0, latest, latestAt: 0 })
  }

  #windowEnds(name: string): void {
    const gathering = this.#gatherings.get(name)
    this.#gatherings.delete(name)
    if (!gathering || gathering.more === 0) return
    const { latest, latestAt, more } = gathering
    // What lasted is over: nobody is told of it now.
    if (latest.lasting && this.#host.clock.now() - latestAt > limits.alertWindowMs) return
    this.#tell(latest, more, latestAt)
    this.#gather(name, latest)
  }

  #tell({ kind, subject, message, details = {} }: Occurrence, count: number, at: number): void {
    const { group, node } = this.#host
    this.#told++
    // Without the group, which may hold anything: an id goes into a header.
    const id = `alert_${node.slice(group.length + 1)}_${this.#told}`
    const alert: Alert = Object.freeze({ id, kind, subject, message, at, count, group, node, details })
    for (const delivery of this.#deliveries) delivery.offer(alert)
  }
}

function nameOf({ kind, subject }: Occurrence): string {
  return `${kind} ${subject}`
}
