import type { Client } from 'pg'
import type { Clock, Timer } from '../../kit/clock.ts'
import type { Log } from '../../kit/log.ts'
import type { Connections } from './connection.ts'

/** Notifications of a burst are one: a commit that notifies waits for every other that does. */
const gatherMs = 10

/** After a lost connection to listen on, the next is tried. */
const againMs = 1_000

/**
 * Tells listeners that work may have come: by this process at once, by another one through LISTEN and NOTIFY, which is a
 * hint alone. Behind a pooler of transactions nothing is heard, and polling finds all.
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

  /** Work of this process's own making, which others may have to do. */
  tell(): void {
    this.#hear()
    this.#notify ??= this.#clock.setTimer(
      gatherMs,
      () => {
        this.#notify = undefined
        if (this.#closed) return
        this.#connections.rows('select pg_notify($1, $2)', [this.#channel, this.#me]).catch((error: unknown) => {
          this.#log.warn('postgres notification not sent', { error: String(error) })
        })
      },
      { unref: true },
    )
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
    this.#timer?.cancel()
    this.#notify?.cancel()
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  #hear(): void {
    for (const listener of this.#listeners) listener()
  }

  async #open(): Promise<void> {
    if (this.#closed || this.#client) return
    const client = this.#connect()
    this.#client = client
    const lost = () => {
      if (this.#client !== client) return
      this.#client = undefined
      client.end().catch(() => undefined)
      this.#timer = this.#clock.setTimer(againMs, () => void this.#open(), { unref: true })
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', ({ payload }) => {
      if (payload !== this.#me) this.#hear()
    })
    try {
      await client.connect()
      await client.query(`listen "${this.#channel}"`)
      // What was notified before is not heard any more.
      this.#hear()
    } catch (error) {
      this.#log.warn('postgres does not notify: polling finds what comes', { error: String(error) })
      lost()
    }
  }
}
