import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { HapaxError } from '../errors/hapax-error.ts'
import { type Answer, failureAnswer } from '../ingress/answer.ts'
import { nodeIngress, refuseUnread } from '../ingress/node-ingress.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import { type Log, silentLog } from '../kit/log.ts'
import { hostCheck, isLoopback } from './host-check.ts'
import { answerOf, refuseSocket } from './problem.ts'
import type { BytesAnswer, Route } from './route.ts'
import { controlRoutes } from './routes/controls.ts'
import { dependencyRoutes } from './routes/dependencies.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { ingressRoute } from './routes/ingress.ts'
import { openApiRoute } from './routes/openapi.ts'
import { redriveRoutes } from './routes/redrive.ts'
import { runRoutes } from './routes/runs.ts'
import type { Served } from './subject.ts'

export type { Served } from './subject.ts'

/** How a server listens. */
export interface ServerOptions {
  /** Default 127.0.0.1. Beyond loopback it refuses to bind (`bind_refused`): there are no tokens yet. */
  readonly host?: string
  /** Default 4400; 0 takes a free one. */
  readonly port?: number
  /** Host names, beside those of loopback, by which `/v1` may be called: of a proxy in front of it. */
  readonly hosts?: readonly string[]
  /** By when headers must have come. Default 10 s. */
  readonly headersTimeout?: Duration
  /** By when a whole request must have come. Default 30 s. */
  readonly requestTimeout?: Duration
  /** How long `close` waits for requests under way. Default 25 s. */
  readonly grace?: Duration
  /** Connections at once. Default 10,000. */
  readonly connections?: number
  /** Default: silent. */
  readonly log?: Log
  readonly clock?: Clock
}

/** A server that listens. */
export interface HapaxServer {
  readonly host: string
  readonly port: number
  /** Where it listens, like `http://127.0.0.1:4400`. */
  readonly url: string
  /** Takes no new connections, answers what is under way within the grace period, then cuts. Safe to call twice. */
  close(): Promise<void>
}

/**
 * Serves a Hapax over HTTP: webhooks, CloudEvents, the API. Starts and stops the listening alone, not the Hapax.
 *
 * @throws `bind_refused` for an address beyond loopback
 * @example
 * const server = await listen(hapax, { port: 4400 })
 */
export async function listen(hapax: Served, options: ServerOptions = {}): Promise<HapaxServer> {
  const { host = '127.0.0.1', port = 4400, log = silentLog, clock = systemClock } = options
  if (!isLoopback(host)) throw new HapaxError('bind_refused', { host })

  let stopping = false
  const routes = allRoutes(hapax, log, () => stopping)
  const checkHost = hostCheck(options.hosts ?? [])
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestIdHeader: false,
    return503OnClosing: false,
    routerOptions: {
      querystringParser: (text) => Object.fromEntries(queryOf(text)),
      maxParamLength: limits.headerLength,
    },
    frameworkErrors: (error, _request, reply) => {
      send(reply, answerOf(error, log))
    },
    serverFactory: (handler) => httpServer(hapax, handler, options, clock),
  })
  takeBytes(app)
  app.setErrorHandler((error, _request, reply) => send(reply, answerOf(error, log)))
  app.setNotFoundHandler((request, reply) => send(reply, notFound(routes, request)))
  for (const route of routes) register(app, route, checkHost)

  await app.listen({ host, port })
  const address = app.server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  let closed: Promise<void> | undefined
  return {
    host,
    port: bound,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close() {
      stopping = true
      closed ??= closeWithin(app, clock, toMs(options.grace ?? limits.graceMs))
      return closed
    },
  }
}

/** The one table: what is served, and what openapi.json says. */
function allRoutes(hapax: Served, log: Log, isStopping: () => boolean): Route[] {
  const routes = [
    ingressRoute(),
    ...eventRoutes(hapax, log),
    ...runRoutes(hapax),
    ...redriveRoutes(hapax),
    ...controlRoutes(hapax),
    ...dependencyRoutes(hapax),
    ...healthRoutes(hapax, isStopping),
  ]
  return [...routes, openApiRoute(routes)]
}

/** `/in/…` is answered before Fastify: its router and hooks cost more than all that the ingress itself does. */
function httpServer(
  hapax: Served,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: ServerOptions,
  clock: Clock,
): Server {
  const headersTimeout = toMs(options.headersTimeout ?? limits.headersTimeoutMs)
  const requestTimeout = toMs(options.requestTimeout ?? limits.requestTimeoutMs)
  const receive = nodeIngress(hapax.ingress, { clock, anywhere: false })
  const server = createServer(
    {
      headersTimeout,
      requestTimeout,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerBytes,
      // Node looks for late requests only this often: by default each 30 s.
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, headersTimeout / 2, requestTimeout / 2)),
    },
    (request, response) =>
      receive(request, response, () => {
        if (request.rawHeaders.length > limits.headerCount * 2) {
          refuseUnread(request, response, failureAnswer(new HapaxError('headers_too_large')), clock)
        } else handler(request, response)
      }),
  )
  // One more than is taken: Node drops the rest in silence, and a signature could be in it.
  server.maxHeadersCount = limits.headerCount + 1
  server.maxConnections = options.connections ?? limits.connections
  server.on('clientError', refuseSocket)
  return server
}

/** Routes get bytes and parse them strictly by themselves. */
function takeBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

function register(app: FastifyInstance, route: Route, checkHost: (host: string | undefined) => void): void {
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    handler: async (request, reply) => {
      checkHost(request.headers.host)
      const answer = await route.serve({
        path: new Map(Object.entries(stringsOf(request.params))),
        query: new Map(Object.entries(objectOf(request.query))),
        headers: headersOf(request),
        rawHeaders: request.raw.rawHeaders,
        bytes: Buffer.isBuffer(request.body) ? request.body : new Uint8Array(0),
      })
      return send(reply, answer)
    },
  })
}

function send(reply: FastifyReply, answer: Answer | BytesAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers)
  // As bytes: to a string Fastify adds a charset, which JSON types do not have (RFC 8259, section 11).
  return reply.send('bytes' in answer ? Buffer.from(answer.bytes) : Buffer.from(answer.body, 'utf8'))
}

/** 405 where the path exists under another method, else 404. */
function notFound(routes: readonly Route[], request: FastifyRequest): Answer {
  const path = request.url.split('?', 1)[0] ?? ''
  const allow = routes
    .filter((route) => new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path))
    .map(({ method }) => method)
  if (allow.length === 0) return failureAnswer(new HapaxError('not_found', { what: 'route' }))
  return failureAnswer(
    new HapaxError('method_not_allowed', { method: 'that method', allow: [...new Set(allow)].join(', ') }),
  )
}

/** By a Map: `__proto__` is a name like any other, and a name that comes twice becomes a list, which no field takes. */
function queryOf(text: string): ReadonlyMap<string, string | string[]> {
  const query = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query.get(name)
    query.set(name, before === undefined ? value : [before, value].flat())
  }
  return query
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

function stringsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(objectOf(value)).map(([name, item]) => [name, String(item)]))
}

function headersOf({ headers }: FastifyRequest): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

/** Node waits for requests under way for ever; past the grace period their connections are cut. */
async function closeWithin(app: FastifyInstance, clock: Clock, graceMs: number): Promise<void> {
  const timer = clock.setTimer(graceMs, () => app.server.closeAllConnections(), { unref: true })
  app.server.closeIdleConnections()
  try {
    await app.close()
  } finally {
    timer.cancel()
  }
}
