import { HapaxError } from '../errors/hapax-error.ts'
import type { Answer } from './answer.ts'
import { failureAnswer } from './answer.ts'
import { type HttpIngress, isAnswer, type Ticket } from './http-ingress.ts'
import { ingressName } from './ingress-path.ts'

/**
 * `hapax.fetch`: a Request for `…/in/{source}` to its Response, on any platform that speaks fetch.
 *
 * @example
 * app.all('/in/*', (context) => hapax.fetch(context.req.raw))   // Hono
 */
export function createFetchIngress(ingress: HttpIngress): (request: Request) => Promise<Response> {
  return async (request) => responseOf(await answerTo(ingress, request))
}

async function answerTo(ingress: HttpIngress, request: Request): Promise<Answer> {
  const name = ingressName(new URL(request.url).pathname, true)
  if (name === undefined) return failureAnswer(new HapaxError('not_found', { what: 'route' }))
  const opened = ingress.open({
    method: request.method,
    name,
    url: request.url,
    headers: Object.fromEntries(request.headers),
  })
  if (isAnswer(opened)) return opened
  if (request.bodyUsed) return opened.refuse('raw_body_missing')
  return readAndReceive(ingress, opened, request)
}

/** Reads up to the limit, never more. */
async function readAndReceive({ budget }: HttpIngress, ticket: Ticket, request: Request): Promise<Answer> {
  const chunks: Uint8Array[] = []
  let length = 0
  let held = 0
  try {
    const reader = request.body?.getReader()
    while (reader) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.byteLength
      const refused =
        length > ticket.limitBytes
          ? ticket.refuse('too_large', { limitBytes: ticket.limitBytes })
          : budget.take(value.byteLength)
            ? undefined
            : ticket.refuse('too_many_requests', { limit: 'bytes held' })
      if (refused) {
        await reader.cancel().catch(() => {})
        return refused
      }
      held += value.byteLength
      chunks.push(value)
    }
    return await ticket.receive(joined(chunks, length))
  } catch {
    // The sender went away in the middle, or somebody else holds the stream: whole bytes cannot be had.
    return ticket.refuse('raw_body_missing')
  } finally {
    budget.give(held)
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks
  if (only && chunks.length === 1) return only
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers })
}
