import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from '../errors/catalogue.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { RawRequest } from '../sources/source.ts'
import { type Answer, failureAnswer } from './answer.ts'
import { type HttpIngress, isAnswer, type Ticket } from './http-ingress.ts'
import { ingressName } from './ingress-path.ts'

/** What `node:http` calls; with `next`, what Express calls. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

/** How a listener is mounted. */
export interface NodeIngressOptions {
  readonly clock: Clock
  /** Also below a prefix, like `/hooks/in/stripe`. */
  readonly anywhere: boolean
}

/**
 * Answers `…/in/{source}` from node:http's own objects: no framework and no Request between the socket and the signature.
 * Other paths go to `next`, or are 404 without one.
 */
export function nodeIngress(ingress: HttpIngress, { clock, anywhere }: NodeIngressOptions): NodeListener {
  return (request, response, next) => {
    const target = request.url ?? '/'
    const name = ingressName(target, anywhere)
    if (name === undefined) {
      if (next) next()
      else refuseUnread(request, response, failureAnswer(new HapaxError('not_found', { what: 'route' })), clock)
      return
    }
    if (request.rawHeaders.length > limits.headerCount * 2) {
      refuseUnread(request, response, failureAnswer(new HapaxError('headers_too_large')), clock)
      return
    }
    const headers = headersOf(request)
    const opened = ingress.open({ method: request.method ?? '', name, url: urlOf(request, target, headers), headers })
    if (isAnswer(opened)) {
      refuseUnread(request, response, opened, clock)
    } else if (isConsumed(request)) {
      send(response, opened.refuse('raw_body_missing'))
    } else {
      readAndReceive(ingress, opened, request, response, clock)
    }
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const beyondAscii = /[^\u0000-\u007f]/

/** Reads up to the limit, never more; then has the request judged and answered. */
function readAndReceive(
  { budget }: HttpIngress,
  ticket: Ticket,
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
): void {
  let chunks: Buffer[] = []
  let length = 0
  let held = 0
  const release = () => {
    budget.give(held)
    held = 0
    chunks = []
  }
  const stop = (code: ErrorCode, detail: Readonly<Record<string, string | number>>) => {
    request.off('data', onData).off('end', onEnd).off('close', release)
    release()
    refuseUnread(request, response, ticket.refuse(code, detail), clock)
  }
  const onData = (chunk: Buffer) => {
    length += chunk.length
    if (length > ticket.limitBytes) return stop('too_large', { limitBytes: ticket.limitBytes })
    if (!budget.take(chunk.length)) return stop('too_many_requests', { limit: 'bytes held' })
    held += chunk.length
    chunks.push(chunk)
  }
  const onEnd = () => {
    request.off('close', release)
    const [only] = chunks
    const body = only && chunks.length === 1 ? only : Buffer.concat(chunks, length)
    ticket.receive(body).then((answer) => {
      release()
      send(response, answer)
    })
  }
  // A sender that goes away in the middle leaves nothing: no answer can reach it, and nothing was judged.
  request
    .on('data', onData)
    .once('end', onEnd)
    .once('close', release)
    .on('error', () => {})
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.destroyed) return
  // Most answers are ASCII: node:http joins head and body into one text and writes it as it is, unmeasured.
  const encoding = beyondAscii.test(body) ? 'utf8' : 'latin1'
  const head: string[] = ['content-length', String(encoding === 'latin1' ? body.length : Buffer.byteLength(body))]
  for (const name in headers) head.push(name, headers[name] ?? '')
  response.writeHead(status, head)
  response.end(body, encoding)
}

/** A body this small is read to its end and thrown away, so that the connection can be used again. */
const smallBodyBytes = 65_536

/**
 * Answers before the body was read, and closes. What the sender still sends is thrown away for a moment: closed at once,
 * the kernel would answer it with a reset, and the sender would never read why it was refused.
 */
export function refuseUnread(request: IncomingMessage, response: ServerResponse, answer: Answer, clock: Clock): void {
  const declared = Number(request.headers['content-length'] ?? 0)
  const isChunked = request.headers['transfer-encoding'] !== undefined
  if (request.complete || (!isChunked && declared <= smallBodyBytes)) {
    send(response, answer)
    return
  }
  const { status, headers, body } = answer
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' })
  response.write(body)
  let left = limits.lingerBytes
  const close = () => {
    timer.cancel()
    request.off('data', discard).off('end', close).off('close', close)
    response.end()
  }
  const discard = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) close()
  }
  const timer = clock.setTimer(limits.lingerMs, close, { unref: true })
  request
    .on('data', discard)
    .once('end', close)
    .once('close', close)
    .on('error', () => {})
}

/** Whether a body parser has been here: the bytes that were signed are gone. */
function isConsumed(request: IncomingMessage): boolean {
  return request.readableDidRead || ('body' in request && request.body !== undefined)
}

/** Node joins repeated headers by a comma, all but `set-cookie`, which no request has. */
function headersOf(request: IncomingMessage): RawRequest['headers'] {
  const headers: Record<string, string | undefined> = Object.create(null)
  for (const name in request.headers) {
    const value = request.headers[name]
    headers[name] = typeof value === 'string' ? value : value?.join(', ')
  }
  return headers
}

/** As the sender called it: Express keeps the path before the mount point in `originalUrl`. */
function urlOf(request: IncomingMessage, target: string, headers: RawRequest['headers']): string {
  const path = 'originalUrl' in request && typeof request.originalUrl === 'string' ? request.originalUrl : target
  const scheme = 'encrypted' in request.socket ? 'https' : 'http'
  return `${scheme}://${headers.host ?? 'localhost'}${path}`
}
