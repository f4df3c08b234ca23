/** The HTTP status that an error bears, where clients put it; undefined: it bears none. */
export function statusOf(error: unknown): number | undefined {
  for (const place of places(error)) {
    for (const name of ['status', 'statusCode', 'httpStatusCode']) {
      const status = member(place, name)
      if (typeof status === 'number' && status >= 300 && status < 600) return status
    }
  }
  return undefined
}

/**
 * A header of the answer that an error bears: of `headers`, as a `Headers` or an object of any case, on the error or on its
 * `response`.
 *
 * @param name in lower case
 */
export function headerOf(error: unknown, name: string): string | undefined {
  for (const place of places(error)) {
    const headers = member(place, 'headers')
    if (typeof headers !== 'object' || headers === null) continue
    const value = headers instanceof Headers ? headers.get(name) : inAnyCase(headers, name)
    if (typeof value === 'string') return value
  }
  return undefined
}

/** Stripe and most have it on the error; axios, got and undici under `response`; AWS under `$response` and `$metadata`. */
function places(error: unknown): readonly unknown[] {
  return [error, member(error, 'response'), member(error, '$response'), member(error, '$metadata')]
}

function inAnyCase(headers: object, name: string): unknown {
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name) return Array.isArray(value) ? value[0] : value
  }
  return undefined
}

/** Errors may be anything, also what throws when it is read. */
function member(of: unknown, name: string): unknown {
  if (typeof of !== 'object' || of === null) return undefined
  try {
    return Reflect.get(of, name)
  } catch {
    return undefined
  }
}
