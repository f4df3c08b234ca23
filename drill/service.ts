import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { answering } from './child.ts'
import { nowMs } from './clock.ts'

/** How the service behaves: `up`, down by a 503, or down by refusing connections. */
export type ServiceState = 'up' | '503' | 'refused'

/** Calls as the service saw them, column by column. */
export interface Calls {
  /** When it came, and when the node says that it was sent. */
  readonly atMs: readonly number[]
  readonly sentMs: readonly number[]
  /** Of which event. */
  readonly ids: readonly string[]
  /** When it was answered well; 0: it was not. */
  readonly servedMs: readonly number[]
}

/** So long the service takes for a good answer. */
const takesMs = 5

const atMs: number[] = []
const sentMs: number[] = []
const ids: string[] = []
const servedMs: number[] = []
let served = 0
let state: ServiceState = 'up'
let port = 0

const server = createServer((request, response) => {
  const place = atMs.length
  atMs.push(nowMs())
  sentMs.push(Number(request.headers['x-sent-ms']))
  ids.push((request.url ?? '').slice(1))
  servedMs.push(0)
  request.resume()
  if (state === 'up') setTimeout(() => serve(place, response), takesMs)
  else response.writeHead(503).end()
})
// A connection that idles through the outage is not to be the reason why a call fails.
server.keepAliveTimeout = 300_000

function serve(place: number, response: ServerResponse): void {
  servedMs[place] = nowMs()
  served++
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}')
}

async function listen(): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address !== null && typeof address === 'object') port = address.port
}

const verbs = {
  /** Answers where it listens. */
  open: async () => {
    await listen()
    return `http://127.0.0.1:${port}`
  },
  become: async (next: ServiceState) => {
    if (next === 'refused') {
      server.close()
      server.closeAllConnections()
    } else if (!server.listening) await listen()
    state = next
    return nowMs()
  },
  count: () => ({ calls: atMs.length, served }),
  calls: (): Calls => ({ atMs, sentMs, ids, servedMs }),
}

/** The other side of a drill. */
export type ServiceVerbs = typeof verbs

answering(verbs)
