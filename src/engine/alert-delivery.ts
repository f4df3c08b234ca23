import { HapaxError } from '../errors/hapax-error.ts'
import type { Alert, AlertChannel } from '../event/alert.ts'
import { backoffMs } from '../kit/backoff.ts'
import { type Clock, settledWithin, type Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { Random } from '../kit/random.ts'
import { plainWord } from './plain-word.ts'

/** What delivering needs of the node. */
export interface AlertDeliveryHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
}

/** Between tries: with five of them a receiver may be away for a minute. */
const pace = { minMs: 1_000, maxMs: 60_000, factor: 4, jitter: 'none' } as const

/** Brings alerts to one channel, one after the other; a channel that hangs holds up itself alone. Never throws. */
export class AlertDelivery {
  readonly #host: AlertDeliveryHost
  readonly #channel: AlertChannel
  readonly #queue: Alert[] = []
  #working: Promise<void> | undefined
  #isStopping = false
  /** Ends the try, or the wait between two, that is under way. */
  #cut: (() => void) | undefined
  #isWaiting = false

  constructor(host: AlertDeliveryHost, channel: AlertChannel) {
    this.#host = host
    this.#channel = channel
  }

  /** Takes an alert, where the channel wants its kind and has room. */
  offer(alert: Alert): void {
    if (this.#channel.kinds && !this.#channel.kinds.includes(alert.kind)) return
    if (this.#queue.length < limits.alertsQueued) {
      this.#queue.push(alert)
      this.#working ??= this.#work()
    } else this.#lost(alert, 'too many wait')
  }

  /** Delivers what waits, each tried once more at most, within the bound; what is left then is logged as lost. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true
    if (!this.#working) return
    if (this.#isWaiting) this.#cut?.()
    if (await settledWithin(this.#host.clock, this.#working, withinMs)) return
    for (const alert of this.#queue.splice(0)) this.#lost(alert, 'the node stops')
    this.#cut?.()
    await this.#working
  }

  async #work(): Promise<void> {
    // What raised it goes first, whatever a channel does before it first awaits.
    await new Promise<void>((resolve) => this.#host.clock.turn(resolve))
    for (let alert = this.#queue.shift(); alert; alert = this.#queue.shift()) await this.#deliver(alert)
    this.#working = undefined
  }

  async #deliver(alert: Alert): Promise<void> {
    for (let failures = 1; ; failures++) {
      const failure = await this.#try(alert)
      if (failure === undefined) return
      if (failures >= limits.alertTries || this.#isStopping) return this.#lost(alert, failure)
      await this.#wait(backoffMs(pace, failures, this.#host.random))
    }
  }

  /** Answers why it failed. */
  async #try(alert: Alert): Promise<string | undefined> {
    const { clock, log } = this.#host
    const cutter = new AbortController()
    let timer: Timer | undefined
    try {
      const cut = new Promise<string>((resolve) => {
        const end = (why: string) => {
          resolve(why)
          cutter.abort()
        }
        this.#cut = () => end('the node stops')
        timer = clock.setTimer(limits.alertTimeoutMs, () => end(`no end within ${limits.alertTimeoutMs} ms`), {
          unref: true,
        })
      })
      const sent = this.#channel.send(alert, { signal: cutter.signal, log, now: () => clock.now() })
      return await Promise.race([Promise.resolve(sent).then(() => undefined), cut])
    } catch (error) {
      return reasonOf(error)
    } finally {
      timer?.cancel()
      this.#cut = undefined
    }
  }

  async #wait(delayMs: number): Promise<void> {
    this.#isWaiting = true
    await new Promise<void>((resolve) => {
      const timer = this.#host.clock.setTimer(delayMs, resolve, { unref: true })
      this.#cut = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#isWaiting = false
    this.#cut = undefined
  }

  #lost(alert: Alert, reason: string): void {
    const { kind, subject, count } = alert
    const channel = this.#channel.name ?? 'channel'
    this.#host.log.error(`an alert was not delivered: ${alert.message}`, { channel, kind, subject, count, reason })
  }
}

/** Never an error's own message: that of a fetch may hold the address, which is a secret where a path of it is. */
function reasonOf(error: unknown): string {
  if (error instanceof HapaxError && error.code === 'alert_undelivered') return String(error.details.reason)
  if (!(error instanceof Error)) return 'something was thrown that is no Error'
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? `${plainWord(error.name)} ${plainWord(code)}` : plainWord(error.name)
}
