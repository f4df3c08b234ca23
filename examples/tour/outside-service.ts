import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * The service that the tour's handlers call: a real HTTP server in a process of its own. It remembers idempotency keys,
 * can be down, fail and hang as the tour wishes, and tells what it was asked.
 */

/** One call that came in. */
export interface Call {
  readonly path: string
  readonly key: string
  readonly event: string
  /** Who asked. */
  readonly pid: number
  /** What was answered; 0 while it hangs. */
  status: number
  /** Whether this call had the effect: the first good one of its key. */
  effect: boolean
}

/** How it shall behave from now on. */
export interface Behaviour {
  /** These paths answer 503. */
  readonly down: readonly string[]
  /** These paths answer 500 so many times for each key. */
  readonly failFirst: Readonly<Record<string, number>>
  /** The first call for this event at this path gets no answer. */
  readonly hang: { readonly path: string; readonly event: string } | undefined
}

const calls: Call[] = []
const effects = new Set<string>()
const failures = new Map<string, number>()
let behaviour: Behaviour = { down: [], failFirst: {}, hang: undefined }
let hanging = false

const server = createServer((request, response) => {
  void serve(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address && typeof address === 'object') console.log(`outside service on http://127.0.0.1:${address.port}`)
})
process.once('SIGTERM', () => process.exit(0))

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const body = Buffer.concat(chunks).toString()
  const path = request.url ?? '/'
  if (path === '/behaviour') {
    behaviour = { hang: undefined, ...JSON.parse(body) }
    hanging = behaviour.hang !== undefined
    answer(response, 200, {})
  } else if (path === '/calls') answer(response, 200, calls)
  else work(path, String(request.headers['idempotency-key']), JSON.parse(body), response)
}

function work(path: string, key: string, { event, pid }: { event: string; pid: number }, response: ServerResponse) {
  const call: Call = { path, key, event, pid, status: 0, effect: false }
  calls.push(call)
  if (hanging && behaviour.hang?.path === path && behaviour.hang.event === event) {
    hanging = false
    return
  }
  call.status = statusOf(path, key)
  if (call.status === 200 && !effects.has(key)) {
    effects.add(key)
    call.effect = true
  }
  answer(response, call.status, { key })
}

function statusOf(path: string, key: string): number {
  if (behaviour.down.includes(path)) return 503
  const failed = failures.get(key) ?? 0
  if (failed >= (behaviour.failFirst[path] ?? 0)) return 200
  failures.set(key, failed + 1)
  return 500
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...(status === 503 && { 'retry-after': '1' }) })
    .end(JSON.stringify(body))
}
