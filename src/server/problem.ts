import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../errors/catalogue.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { type Answer, failureAnswer } from '../ingress/answer.ts'
import { stackOf } from '../ingress/http-ingress.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'

/** What Fastify's own errors are called here. */
const fastifyCodes: Readonly<Record<string, HapaxError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: new HapaxError('too_large', { limitBytes: limits.bodyBytes }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: new HapaxError('malformed_request'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new HapaxError('unsupported_media_type', {
    found: 'another content-type',
    wanted: 'application/json',
  }),
  FST_ERR_BAD_URL: new HapaxError('not_found', { what: 'route' }),
  FST_ERR_MAX_PARAM_LENGTH: new HapaxError('not_found', { what: 'route' }),
}

/** The answer to an error of a route or of the router. What nobody foresaw is logged, and says nothing outside. */
export function answerOf(error: unknown, log: Log): Answer {
  if (error instanceof HapaxError) return failureAnswer(error)
  const known = fastifyCodes[codeOf(error)]
  if (!known) log.error('request failed', { error: stackOf(error) })
  return failureAnswer(known ?? error)
}

/** What Node's parser refused before there was a request: answered on the bare socket. */
const parserCodes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Answers a socket whose bytes are no request, and closes it. */
export function refuseSocket(error: Error, socket: Duplex): void {
  const code = codeOf(error)
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, headers, body } = failureAnswer(
    new HapaxError(parserCodes[code] ?? 'malformed_request', { limitBytes: limits.headerBytes }),
  )
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`, () => socket.destroy())
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
