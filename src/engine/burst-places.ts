import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import { runId } from '../event/run.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { RunRecord } from '../store/store.ts'
import type { BurstPlace } from './entry.ts'
import { decodeBody, refusalOf } from './event-data.ts'
import type { Handler, HandlerEvent } from './handler.ts'
import { toHandlerEvent } from './handler-event.ts'
import { isThenable } from './in-time.ts'

/** What finding a run's burst needs of its node. */
export interface BurstPlacesHost {
  readonly log: Log
  handlerOf(tag: string): Handler | undefined
}

/** Finds the burst that a run is of, by its handler's `coalesce.key`. */
export class BurstPlaces {
  readonly #host: BurstPlacesHost
  /** Handlers whose key failed once: said once, however many events they get. */
  readonly #told = new Set<string>()

  constructor(host: BurstPlacesHost) {
    this.#host = host
  }

  /**
   * Whether a run may be overtaken: its handler coalesces, and nothing of it is on record but what was asked of it. A begin
   * is written for each attempt of such a handler, so that also after a crash none is taken for fresh that had begun.
   */
  mayBe({ tag, state, begins, checkpoints, tried }: RunRecord): boolean {
    if (this.#host.handlerOf(tag)?.coalesce === undefined) return false
    return state === undefined && begins.length === 0 && checkpoints.length === 0 && tried.length === 0
  }

  /** Its burst; undefined: it goes by itself, since its handler does not coalesce, or its key cannot be told. */
  of(event: EventRecord, record: RunRecord): BurstPlace | undefined {
    const handler = this.#host.handlerOf(record.tag)
    if (!handler?.coalesce || !this.mayBe(record)) return undefined
    const { key: keyOf, windowMs } = handler.coalesce
    try {
      const key = textOf(keyOf(toSeen(event, handler)))
      // In order, only those of one order key are one after the other.
      const name = JSON.stringify([record.tag, event.tenant, handler.order && event.orderKey, key])
      return { name, windowMs, acceptedAt: event.acceptedAt }
    } catch (error) {
      this.#tell(handler.name, runId(record), error)
      return undefined
    }
  }

  #tell(handler: string, run: string, error: unknown): void {
    if (this.#told.has(handler)) return
    this.#told.add(handler)
    this.#host.log.warn('the key of a burst could not be told: such runs are executed, each by itself', {
      handler,
      run,
      error: error instanceof Error ? error.message : String(error),
    })
  }
}

/** @throws `burst_key_invalid` */
function textOf(key: unknown): string {
  if (typeof key === 'string' && key.length <= limits.coalesceKeyLength) return key
  quiet(key)
  const reason =
    typeof key === 'string'
      ? `wanted at most ${limits.coalesceKeyLength} characters, found ${key.length}`
      : `wanted text, found ${typeof key}`
  throw new HapaxError('burst_key_invalid', { reason })
}

/** The event as the handler will see it. What cannot be read, or does not fit, dies as a run of its own. */
function toSeen(event: EventRecord, { schema }: Handler): HandlerEvent {
  return toHandlerEvent(event, event.body ?? new Uint8Array(), () => {
    const refused = refusalOf(event)
    if (refused) throw refused
    const value = decodeBody(event)
    if (!schema) return value
    const checked = schema['~standard'].validate(value)
    if (isThenable(checked)) {
      quiet(checked)
      throw new HapaxError('burst_key_invalid', {
        reason: 'the schema answers by a promise, so that it cannot read event.data',
      })
    }
    if (checked.issues) throw new HapaxError('burst_key_invalid', { reason: 'event.data does not fit the schema' })
    return checked.value
  })
}

/** Nobody waits for it. */
function quiet(value: unknown): void {
  if (isThenable(value)) Promise.resolve(value).catch(() => {})
}
