import type { AcceptEvent, NewEvent } from '../engine/api.ts'
import type { ErrorCode } from '../errors/catalogue.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { type Problem, problemOf } from '../errors/problem.ts'
import type { Receipt } from '../event/receipt.ts'
import { limits } from '../kit/limits.ts'
import { type Log, silentLog } from '../kit/log.ts'
import type { Source } from '../sources/source.ts'
import { type Answer, failureAnswer, jsonAnswer } from './answer.ts'
import { parseCloudEvents } from './cloudevents.ts'
import { receiptAnswer, receiptStatus, stackOf } from './http-ingress.ts'

/** What `POST /v1/events` works with. */
export interface EventsIngressOptions {
  readonly sources: readonly Source[]
  readonly accept: AcceptEvent
  /** Told of each request that was turned away, to be counted; the source is always {@link unverifiedSource}. */
  readonly reject?: (source: string, code: ErrorCode) => void
  readonly log?: Log
}

/** What rejections are counted under here: the source that a request names has no bound. */
export const unverifiedSource = '(events)'

/** A CloudEvents request, whole. */
export interface EventsRequest {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

/**
 * `POST /v1/events`: CloudEvents of senders that nobody verified. They may not speak for a source that has a verifier,
 * and a conflict is 409, since these senders are the user's own.
 *
 * A batch is read whole before anything of it is accepted: one bad event, and all are refused. Then each is accepted by
 * itself and has its receipt, or its problem, in the order of the batch; the status is the worst of them: 503 where one
 * was not committed (ask again: it is safe), else 409, 202, 200.
 */
export function createEventsIngress(options: EventsIngressOptions): (request: EventsRequest) => Promise<Answer> {
  const verified = new Set(options.sources.map(({ name }) => name))
  const { accept, reject = () => {}, log = silentLog } = options

  const acceptOne = (event: NewEvent): Promise<Receipt> => accept(event, { idSigned: true })

  const failed = (error: unknown): unknown => {
    if (!(error instanceof HapaxError)) log.error('accept failed', { error: stackOf(error) })
    else if (error.status < 500) reject(unverifiedSource, error.code)
    return error
  }

  return async ({ headers, body }) => {
    try {
      const { mode, events } = parseCloudEvents(headers, body)
      for (const { source } of events) {
        if (verified.has(source)) throw new HapaxError('source_is_verified', { source })
      }
      if (mode !== 'batched') {
        const [event] = events
        if (!event) throw new HapaxError('internal')
        return receiptAnswer(await acceptOne(event), 409)
      }
      // All at once and in their order: they share a commit.
      const settled = await Promise.allSettled(events.map(acceptOne))
      return batchAnswer(
        settled.map((item) => (item.status === 'fulfilled' ? item.value : problemOf(failed(item.reason)))),
      )
    } catch (error) {
      return failureAnswer(failed(error))
    }
  }
}

function batchAnswer(items: readonly (Receipt | Problem)[]): Answer {
  const statuses = items.map((item) => ('outcome' in item ? receiptStatus(item, 409) : item.status))
  const again = statuses.filter((status) => status >= 429)
  // An accept that fails for itself (an id too long) tells nothing of the others: its problem stands in its place.
  const status = again.length > 0 ? Math.max(...again) : worst(statuses)
  return jsonAnswer(status, items, status === 503 ? { 'retry-after': String(limits.retryAfterSeconds) } : {})
}

function worst(statuses: readonly number[]): number {
  return [409, 400, 202].find((status) => statuses.includes(status)) ?? 200
}
