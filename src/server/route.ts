import type { ErrorCode } from '../errors/catalogue.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Answer } from '../ingress/answer.ts'
import { mediaType } from '../ingress/cloudevents.ts'
import { parseStrictJson } from '../kit/strict-json.ts'
import { type Fields, type JsonSchema, readFields, type Values } from './fields.ts'

/** A request as the server hands it to a route. */
export interface RouteRequest {
  /** Decoded. */
  readonly path: ReadonlyMap<string, string>
  /** A name given twice is an array, which no field takes. */
  readonly query: ReadonlyMap<string, unknown>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Name and value in turn, as they came: repeated ones are seen here alone. */
  readonly rawHeaders: readonly string[]
  readonly bytes: Uint8Array
}

/** Bytes as they are. */
export interface BytesAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

/** What openapi.json says of an answer. */
export interface AnswerDescription {
  readonly description: string
  readonly schema: JsonSchema
  /** Default `application/json`. */
  readonly mediaType?: string
}

/** What openapi.json says of a route, and what the server needs to find it. */
interface RouteDescription {
  readonly method: 'GET' | 'POST'
  /** With its parameters in braces, as OpenAPI writes them. */
  readonly path: string
  /** The operation's id. */
  readonly name: string
  readonly tag: 'ingress' | 'events' | 'runs' | 'controls' | 'server'
  readonly summary: string
  /** Media types of a body that the route reads by itself, from `bytes`. */
  readonly rawBody?: readonly string[]
  /** What a JSON body must keep beyond its fields, as keywords of its schema; the route holds it. */
  readonly bodyRules?: JsonSchema
  readonly answers: Readonly<Record<number, AnswerDescription>>
  /** Problems of its own, beside those that every route has. */
  readonly problems: readonly ErrorCode[]
}

/** How a route is written down. */
interface RouteDefinition<P extends Fields, Q extends Fields, B extends Fields> extends RouteDescription {
  readonly params: P
  readonly query: Q
  /** Of a JSON object. */
  readonly body: B
  handle(
    values: { readonly params: Values<P>; readonly query: Values<Q>; readonly body: Values<B> },
    request: RouteRequest,
  ): Promise<Answer | BytesAnswer>
}

/** One route: what serves it, and what openapi.json says of it. */
export interface Route extends RouteDescription {
  readonly params: Fields
  readonly query: Fields
  readonly body: Fields
  /** @throws what the route's problems say, and `invalid_query` */
  serve(request: RouteRequest): Promise<Answer | BytesAnswer>
}

/** No fields. */
export const none = {}

/** Defines a route: its request is read by its own fields before `handle` sees it. */
export function route<P extends Fields, Q extends Fields, B extends Fields>(
  definition: RouteDefinition<P, Q, B>,
): Route {
  const { handle, ...description } = definition
  const { params, query, body } = definition
  const readsBody = Object.keys(body).length > 0
  return {
    ...description,
    async serve(request) {
      const values = {
        params: readFields(params, request.path),
        query: readFields(query, request.query),
        body: readFields(body, readsBody ? jsonFields(request) : new Map()),
      }
      return handle(values, request)
    },
  }
}

/**
 * The fields of a JSON body. Another content type is refused: a web page may send `text/plain` to a loopback address
 * without asking first, but not this.
 */
function jsonFields({ headers, bytes }: RouteRequest): ReadonlyMap<string, unknown> {
  if (bytes.byteLength === 0) return new Map()
  if (mediaType(headers['content-type'] ?? '') !== 'application/json') {
    throw new HapaxError('unsupported_media_type', { found: 'another content-type', wanted: 'application/json' })
  }
  const { value } = parseStrictJson(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HapaxError('invalid_query', { reason: 'the body is a JSON object' })
  }
  return new Map<string, unknown>(Object.entries(value))
}
