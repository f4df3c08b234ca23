import type { Client } from 'pg'
import type { Clock, Timer } from '../../kit/clock.ts'
import type { Log } from '../../kit/log.ts'
import type { Connections } from './connection.ts'

/** Notifications of a burst are one: a commit that notifies waits for every other that does. */
const gatherMs = 10

/** After a lost connection to listen on, the next is tried. */
const againMs = 1_000

/** How often a notification of its own shows that what is notified is heard, and how soon it must have come back. */
const proofEveryMs = 30_000
const proofWithinMs = 2_000

/** Begins a notification that is for its sender alone. */
const proofMark = '?'

/**
 * Tells listeners that work may have come: by this process at once, by another one through LISTEN and NOTIFY, which is a
 * hint alone. Behind a pooler of transactions nothing is heard, and polling finds all: so that a node knows, each sends
 * itself a notification now and then, by another connection than the one that listens.
 */
export class Hints {
  readonly #connect: () => Client
  readonly #connections: Connections
  readonly #channel: string
  readonly #me: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #listeners = new Set<() => void>()
  #client: Client | undefined
  #timer: Timer | undefined
  #notify: Timer | undefined
  #proof: Timer | undefined
  /** How often a notification of its own was heard. */
  #cameBack = 0
  #heard = false
  #closed = false

  /** @param me names this store among those that share the channel. */
  constructor(
    connect: () => Client,
    connections: Connections,
    channel: string,
    me: string,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#connect = connect
    this.#connections = connections
    this.#channel = channel
    this.#me = me
    this.#clock = clock
    this.#log = log
  }

  listen(listener: () => void): () => void {
    // Its own function for each call, so that one listener may be given twice.
    const heard = () => listener()
    this.#listeners.add(heard)
    if (this.#listeners.size === 1) void this.#open()
    return () => this.#listeners.delete(heard)
  }

  /** Whether what others notify is heard: a notification of its own came back lately. */
  get heard(): boolean {
    return this.#heard
  }

  /** Work of this process's own making, which others may have to do. */
  tell(): void {
    this.#hear()
    this.#notify ??= this.#clock.setTimer(
      gatherMs,
      () => {
        this.#notify = undefined
        this.#send(this.#me)
      },
      { unref: true },
    )
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
    this.#timer?.cancel()
    this.#notify?.cancel()
    this.#lose()
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  #hear(): void {
    for (const listener of this.#listeners) listener()
  }

  #lose(): void {
    this.#heard = false
    this.#proof?.cancel()
  }

  #send(payload: string): void {
    if (this.#closed) return
    this.#connections.rows('select pg_notify($1, $2)', [this.#channel, payload]).catch((error: unknown) => {
      this.#log.warn('postgres notification not sent', { error: String(error) })
    })
  }

  /** @param unheard what becomes of a connection by which it was heard before. */
  #prove(unheard: () => void): void {
    const before = this.#cameBack
    this.#send(`${proofMark}${this.#me}`)
    const within = () => {
      const wasHeard = this.#heard
      this.#heard = this.#cameBack > before
      if (wasHeard && !this.#heard) unheard()
      else this.#proof = this.#clock.setTimer(proofEveryMs, () => this.#prove(unheard), { unref: true })
    }
    this.#proof = this.#clock.setTimer(proofWithinMs, within, { unref: true })
  }

  async #open(): Promise<void> {
    if (this.#closed || this.#client) return
    const client = this.#connect()
    this.#client = client
    const lost = () => {
      if (this.#client !== client) return
      this.#client = undefined
      this.#lose()
      client.end().catch(() => undefined)
      this.#timer = this.#clock.setTimer(againMs, () => void this.#open(), { unref: true })
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', ({ payload }) => {
      if (payload === this.#me || payload === `${proofMark}${this.#me}`) {
        this.#cameBack++
        if (this.#client === client) this.#heard = true
      } else if (!payload?.startsWith(proofMark)) this.#hear()
    })
    try {
      await client.connect()
      await client.query(`listen "${this.#channel}"`)
      // What was notified before is not heard any more.
      this.#hear()
      this.#prove(lost)
    } catch (error) {
      this.#log.warn('postgres does not notify: polling finds what comes', { error: String(error) })
      lost()
    }
  }
}
