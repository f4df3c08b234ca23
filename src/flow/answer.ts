/** An answer whose body has come. */
export interface Answer {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  readonly url: string
  readonly redirected: boolean
  /** Undefined: it has none, as that to a HEAD, or a 204. */
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

/** What of a body is yet to come. */
export type Rest = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>

/** Reads the body of a response: all of it, or a little more than so many bytes and then the rest. */
export async function readAnswer(
  response: Response,
  bytesMost: number,
): Promise<{ readonly answer: Answer; readonly rest: Rest | undefined }> {
  const { status, statusText, headers, url, redirected } = response
  const head = { status, statusText, headers, url, redirected }
  const reader = response.body?.getReader()
  if (!reader) return { answer: { ...head, body: undefined }, rest: undefined }
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  while (bytes <= bytesMost) {
    const { done, value } = await reader.read()
    if (done) return { answer: { ...head, body: joined(chunks, bytes) }, rest: undefined }
    chunks.push(value)
    bytes += value.byteLength
  }
  return { answer: { ...head, body: joined(chunks, bytes) }, rest: reader }
}

/** Lets go of what is yet to come. */
export function drop(rest: Rest | undefined): void {
  rest?.cancel().catch(() => {})
}

/**
 * The answer as a `Response` of its own.
 *
 * @param broke told of the error, where the rest of the body breaks off
 */
export function responseOf(answer: Answer, rest?: Rest, broke?: (error: unknown) => void): Response {
  const { status, statusText, headers, url, redirected, body } = answer
  const response = new Response(rest ? streamOf(body, rest, broke) : (body ?? null), { status, statusText, headers })
  // A Response that was made by hand cannot be told these.
  return Object.defineProperties(response, { url: { value: url }, redirected: { value: redirected } })
}

function streamOf(head: Answer['body'], rest: Rest, broke?: (error: unknown) => void): ReadableStream {
  return new ReadableStream({
    start(controller) {
      if (head) controller.enqueue(head)
    },
    async pull(controller) {
      try {
        const { done, value } = await rest.read()
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        broke?.(error)
        controller.error(error)
      }
    },
    cancel: (reason) => rest.cancel(reason),
  })
}

function joined(chunks: readonly Uint8Array<ArrayBuffer>[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}
