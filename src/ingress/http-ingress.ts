import type { AcceptEvent, NewEvent } from '../engine/api.ts'
import { isJson } from '../engine/event-data.ts'
import type { ErrorCode } from '../errors/catalogue.ts'
import { type ErrorDetails, HapaxError } from '../errors/hapax-error.ts'
import type { Receipt } from '../event/receipt.ts'
import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { type Log, silentLog } from '../kit/log.ts'
import type { RawRequest, Source, SourceEvent } from '../sources/source.ts'
import { type Answer, failureAnswer, jsonAnswer } from './answer.ts'
import { ByteBudget } from './byte-budget.ts'
import { keptHeaders } from './kept-headers.ts'

/** What the ingress works with. */
export interface HttpIngressOptions {
  readonly sources: readonly Source[]
  readonly accept: AcceptEvent
  readonly clock: Clock
  /** Told of each request that was turned away, to be counted; the source is {@link unknownSource} where there is none. */
  readonly reject?: (source: string, code: ErrorCode) => void
  /** Default: silent. */
  readonly log?: Log
}

/** What rejections are counted under where no source was found: never the name that was asked for, which has no bound. */
export const unknownSource = '(unknown)'

/** A request before its body is read. */
export interface RequestHead {
  readonly method: string
  /** The path segment after `/in/`, as it came, undecoded. */
  readonly name: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: RawRequest['headers']
}

/** A request whose body may be read. */
export interface Ticket {
  /** Read no further than this. */
  readonly limitBytes: number
  /** Judges the whole request: signature on the raw bytes, then accept. Never rejects. */
  receive(body: Uint8Array): Promise<Answer>
  /** The answer for a body that could not be had. */
  refuse(code: ErrorCode, details?: ErrorDetails): Answer
}

/** `POST /in/{source}`, apart from any server: whoever has the bytes asks here for the answer. */
export interface HttpIngress {
  /** All that can be said before the body is read: an answer, or leave to read it. */
  open(head: RequestHead): Ticket | Answer
  /** Bytes of bodies that are held by requests under way, all doors together. */
  readonly budget: ByteBudget
}

/**
 * One way in for every door: limits, source, signature on the raw bytes, accept (in this order, so that nothing is
 * parsed, looked up or written for a sender that is not who it says).
 */
export function createHttpIngress(options: HttpIngressOptions): HttpIngress {
  const { accept, clock, reject = () => {}, log = silentLog } = options
  // Looked up by the segment as it came: input is never decoded, so `%2e%2e` and `%00` are just names nobody has.
  const sources = new Map(options.sources.map((source) => [encodeURIComponent(source.name), source]))

  const refuseFor = (source: string, code: ErrorCode, details?: ErrorDetails): Answer => {
    reject(source, code)
    return failureAnswer(new HapaxError(code, details))
  }

  const fail = (source: string, error: unknown): Answer => {
    const answer = failureAnswer(error)
    if (error instanceof HapaxError && answer.status < 500) reject(source, error.code)
    if (!(error instanceof HapaxError)) log.error('ingress failed', { source, error: stackOf(error) })
    return answer
  }

  const receive = async (source: Source, request: RawRequest): Promise<Answer> => {
    try {
      const said = source.verify(request)
      const verdict = said instanceof Promise ? await said : said
      if (!verdict.ok) return refuseFor(source.name, verdict.code, verdict.details)
      if ('answer' in verdict) return verdict.answer
      const receipt = await accept(eventOf(source, verdict.event, request), {
        idSigned: verdict.event.idSigned,
        ...(isJson(verdict.event.contentType) && {
          parsed: { value: verdict.event.data, exactText: verdict.event.exactText },
        }),
      })
      return receiptAnswer(receipt, source.conflictStatus)
    } catch (error) {
      return fail(source.name, error)
    }
  }

  return {
    budget: new ByteBudget(limits.ingressBytes),
    open({ method, name, url, headers }) {
      const source = sources.get(name)
      if (!source) return refuseFor(unknownSource, 'source_unknown')
      const refuse = (code: ErrorCode, details?: ErrorDetails) => refuseFor(source.name, code, details)
      if (method !== 'POST') return refuse('method_not_allowed', { method: 'that method', allow: 'POST' })
      if (isEncoded(headers['content-encoding'])) {
        return refuse('unsupported_media_type', {
          found: 'a compressed body',
          wanted: 'bodies without content-encoding',
        })
      }
      if (Number(headers['content-length'] ?? 0) > source.bodyBytes) {
        return refuse('too_large', { limitBytes: source.bodyBytes })
      }
      const receivedAtMs = clock.now()
      return {
        limitBytes: source.bodyBytes,
        receive: (body) => receive(source, { method, url, body, headers, receivedAtMs }),
        refuse,
      }
    },
  }
}

/** Whether it is an answer already, not leave to read on. */
export function isAnswer(opened: Ticket | Answer): opened is Answer {
  return 'status' in opened
}

/** 202, 200, and for a conflict what the way in says: providers punish failures, own senders want to know. */
export function receiptAnswer(receipt: Receipt, conflictStatus: 200 | 409): Answer {
  return jsonAnswer(receiptStatus(receipt, conflictStatus), receipt)
}

export function receiptStatus({ outcome }: Receipt, conflictStatus: 200 | 409): number {
  if (outcome === 'accepted') return 202
  return outcome === 'duplicate' ? 200 : conflictStatus
}

function eventOf(source: Source, event: SourceEvent, { body, headers }: RawRequest): NewEvent {
  return {
    source: source.name,
    type: event.type,
    body,
    contentType: event.contentType,
    tenant: event.tenant ?? source.tenant,
    headers: keptHeaders(headers),
    ...(event.id !== undefined && { id: event.id }),
    ...(event.subject !== undefined && { subject: event.subject }),
    ...(event.time !== undefined && { time: event.time }),
  }
}

function isEncoded(encoding: string | undefined): boolean {
  return encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity'
}

/** Where it failed, without the message, which may quote a payload. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return [error.name, ...frames.slice(0, 8)].join('\n')
}
